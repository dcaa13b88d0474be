//! Feeds: what the dashboard shows, and its changes. A thread looks at the source of a feed as long
//! as anybody listens, and sends each change to all listeners.
//!
//! Slow listeners cost little memory, because all of them share one short queue. A listener that
//! misses a change gets everything again.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::Poll;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, oneshot};

use super::handler::Failure;
use super::threads::{self, NoResult};
use crate::model::text::escaped_json;

/// How many changes the shared queue has room for.
const KEPT: usize = 64;
/// How long the thread goes on looking after the last request, so that the next answer is up to
/// date.
const AFTER_ASKING: Duration = Duration::from_secs(5);

/// Something that a feed shows.
pub(super) trait Source {
    /// Looks at it again. Returns the change since the last look.
    fn look(&mut self) -> Look;

    /// Returns everything that the feed shows, as of the last look.
    ///
    /// # Errors
    /// Fails with the reason if there is nothing to show.
    fn whole(&mut self) -> Result<Whole, Failure>;

    /// Returns how long to wait before the next look.
    fn pause(&self) -> Duration;
}

/// What a look found.
#[derive(Debug)]
pub(super) enum Look {
    Same,
    Changed(Bytes),
    /// What the feed shows no longer exists. This is the last change; no look follows.
    Over(Bytes),
}

/// Everything that a feed shows at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    /// The name of the server-sent event.
    name: &'static str,
    pub(super) json: String,
}

impl Whole {
    pub(super) fn new(name: &'static str, value: &impl Serialize) -> Self {
        // Our own types can always be serialized.
        let json = serde_json::to_string(value).unwrap_or_default();
        Self { name, json }
    }

    /// Returns everything as an event of a stream.
    pub(super) fn event(&self) -> Bytes {
        event(self.name, &self.json)
    }
}

/// Returns an event of a stream, with this name and `value` as JSON.
pub(super) fn event_of(name: &'static str, value: &impl Serialize) -> Bytes {
    Whole::new(name, value).event()
}

/// Writes an event. `json` must be one line.
fn event(name: &str, json: &str) -> Bytes {
    format!("event: {name}\ndata: {}\n\n", escaped_json(json)).into()
}

/// What the thread sends to a listener.
#[derive(Debug, Clone)]
pub(super) enum FeedEvent {
    Change(Bytes),
    Over,
}

/// Everything at one moment, and the receiver of the changes from then on.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) whole: Whole,
    pub(super) changes: broadcast::Receiver<FeedEvent>,
}

/// A running feed.
#[derive(Debug, Clone)]
pub(super) struct Feed {
    questions: mpsc::Sender<Question>,
    changes: broadcast::Sender<FeedEvent>,
    /// True once the feed's thread has ended.
    is_over: Arc<AtomicBool>,
}

type Question = oneshot::Sender<Result<Listening, Failure>>;

impl Feed {
    /// Starts the thread, in which `run` creates a source and looks at it. If nobody listens or
    /// asks for as long as `patience`, the thread ends. Without `patience`, it waits for the next
    /// request.
    ///
    /// # Errors
    /// Fails with [`NoResult::NoThread`] if the thread cannot be started.
    pub(super) fn start(
        name: &str,
        patience: Option<Duration>,
        run: impl FnOnce(Attendance) + Send + 'static,
    ) -> Result<Self, NoResult> {
        let (questions, asked) = mpsc::channel();
        let (changes, _) = broadcast::channel(KEPT);
        let feed = Self {
            questions,
            changes,
            is_over: Arc::default(),
        };
        let (of_panic, of_thread) = (feed.end(), feed.end());
        let attendance = Attendance {
            asked,
            changes: feed.changes.clone(),
            patience,
        };
        let body = move || {
            run(attendance);
            of_thread();
        };
        threads::start(name, of_panic, body)?;
        Ok(feed)
    }

    /// Returns a function for the end of the thread. It records that end, and informs the
    /// listeners.
    fn end(&self) -> impl Fn() + Send + use<> {
        let (is_over, changes) = (Arc::clone(&self.is_over), self.changes.clone());
        move || {
            is_over.store(true, Ordering::Release);
            let _ = changes.send(FeedEvent::Over);
        }
    }

    /// Returns whether the thread has ended. Then another feed must be started.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Makes the thread look at the source. Returns everything, and the changes from then on.
    ///
    /// # Errors
    /// Fails if the source has nothing to show, and with [`NoResult::Panicked`] if the thread ends
    /// meanwhile.
    pub(super) async fn ask(&self) -> Result<Listening, Failure> {
        let mut told = self.changes.subscribe();
        let (question, answer) = oneshot::channel();
        let no_answer = || Err(Failure::from(NoResult::Panicked));
        if self.is_over() || self.questions.send(question).is_err() {
            return no_answer();
        }
        let ended = async {
            // This receiver may miss changes meanwhile. That does not matter, because it is
            // dropped.
            while !matches!(
                told.recv().await,
                Ok(FeedEvent::Over) | Err(RecvError::Closed)
            ) {}
            no_answer()
        };
        let answered = async { answer.await.unwrap_or_else(|_| no_answer()) };
        first_of(answered, ended).await
    }
}

/// Returns the result of the future that is ready first. If both are ready, `one` wins.
pub(super) async fn first_of<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|task| match one.as_mut().poll(task) {
        Poll::Ready(done) => Poll::Ready(done),
        Poll::Pending => other.as_mut().poll(task),
    })
    .await
}

/// What the thread of a feed needs: the requests, the channel for changes, and its patience.
#[derive(Debug)]
pub(super) struct Attendance {
    asked: mpsc::Receiver<Question>,
    changes: broadcast::Sender<FeedEvent>,
    patience: Option<Duration>,
}

impl Attendance {
    /// Looks at a source while anybody listens or asks.
    pub(super) fn attend(self, source: &mut impl Source) {
        let mut wanted_until = Instant::now();
        loop {
            let is_wanted = self.changes.receiver_count() > 0 || Instant::now() < wanted_until;
            let wait = match is_wanted {
                true => Some(source.pause()),
                false => self.patience,
            };
            let question = match wait {
                Some(wait) => self.asked.recv_timeout(wait),
                None => self.asked.recv().map_err(RecvTimeoutError::from),
            };
            let mut questions = match question {
                Ok(question) => vec![question],
                Err(RecvTimeoutError::Timeout) if is_wanted => Vec::new(),
                Err(_) => return,
            };
            // Requests that come during the look are answered by the next one. So no answer is
            // older than its request.
            questions.extend(self.asked.try_iter());
            if !questions.is_empty() {
                wanted_until = Instant::now() + AFTER_ASKING;
            }
            let looked = source.look();
            let is_last = matches!(looked, Look::Over(_));
            if let Look::Changed(change) | Look::Over(change) = looked {
                // This fails only if nobody listens, and then nobody needs the change.
                let _ = self.changes.send(FeedEvent::Change(change));
            }
            for question in questions {
                let listening = source.whole().map(|whole| Listening {
                    whole,
                    changes: self.changes.subscribe(),
                });
                let _ = question.send(listening);
            }
            if is_last {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts its looks.
    struct Counting {
        looks: usize,
        over_at: usize,
        panics_at: usize,
    }

    impl Source for Counting {
        fn look(&mut self) -> Look {
            self.looks += 1;
            assert!(
                self.looks != self.panics_at,
                "as a defect in this test does"
            );
            let change = Bytes::from(self.looks.to_string());
            match self.looks >= self.over_at {
                true => Look::Over(change),
                false => Look::Changed(change),
            }
        }

        fn whole(&mut self) -> Result<Whole, Failure> {
            Ok(Whole::new("whole", &self.looks))
        }

        fn pause(&self) -> Duration {
            Duration::from_millis(1)
        }
    }

    fn counting(over_at: usize, panics_at: usize) -> Feed {
        let run = move |attendance: Attendance| {
            attendance.attend(&mut Counting {
                looks: 0,
                over_at,
                panics_at,
            });
        };
        Feed::start("feed", None, run).unwrap()
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn a_listener_is_given_everything_and_then_each_change_in_order() {
        let feed = counting(4, usize::MAX);
        let mut received = Vec::new();
        block_on(async {
            let mut listening = feed.ask().await.unwrap();
            received.push(listening.whole.event());
            while let Ok(FeedEvent::Change(change)) = listening.changes.recv().await {
                received.push(change);
            }
        });
        assert_eq!(received, ["event: whole\ndata: 1\n\n", "2", "3", "4"]);
        assert!(feed.is_over());
        assert!(block_on(feed.ask()).is_err());
    }

    #[test]
    fn a_slow_listener_learns_that_it_missed_something() {
        let feed = counting(3 * KEPT, usize::MAX);
        block_on(async {
            let mut listening = feed.ask().await.unwrap();
            while !feed.is_over() {
                std::thread::sleep(Duration::from_millis(1));
            }
            let next = listening.changes.recv().await;
            assert!(matches!(next, Err(RecvError::Lagged(_))), "{next:?}");
        });
    }

    #[test]
    fn a_source_that_panics_ends_its_feed_and_leaves_nobody_waiting() {
        let feed = counting(usize::MAX, 3);
        block_on(async {
            let mut listening = feed.ask().await.unwrap();
            while let Ok(FeedEvent::Change(_)) = listening.changes.recv().await {}
        });
        assert!(feed.is_over());
        let at_once = counting(usize::MAX, 1);
        assert!(block_on(at_once.ask()).is_err());
    }
}
