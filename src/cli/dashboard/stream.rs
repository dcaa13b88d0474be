//! Server-sent events: everything first, then each change. While nothing changes, a comment shows
//! that the server lives.

use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::timeout;

use super::answer::{Answer, AnswerBody, answer};
use super::feed::{Feed, FeedEvent, Listening, first_of};
use super::limits::Limits;
use super::threads;

/// How many events may wait for a slow reader. The system buffers some more in the connection.
const WAITING: usize = 2;

/// A comment, which browsers ignore: it shows that the server is still there.
const SIGN_OF_LIFE: Bytes = Bytes::from_static(b": \n\n");

/// Answers with the events of a feed. The stream ends if its client reads nothing for too long.
pub(super) fn events(
    feed: Feed,
    listening: Listening,
    limits: Limits,
    place: OwnedSemaphorePermit,
) -> Answer {
    let (sender, receiver) = mpsc::channel(WAITING);
    let (end, ended) = oneshot::channel();
    let body = async move {
        // The reason does not matter: the stream ends, and the browser asks again.
        let _ = pass_on(&feed, listening, &sender, limits).await;
    };
    threads::spawn(body, move || {
        drop(place);
        let _ = end.send(());
    });
    let body = AnswerBody::Stream(receiver, ended);
    answer(StatusCode::OK, "text/event-stream; charset=utf-8", body)
}

/// Passes events on until the feed is over or nobody reads them, and then returns `None`.
async fn pass_on(
    feed: &Feed,
    listening: Listening,
    sender: &mpsc::Sender<Bytes>,
    limits: Limits,
) -> Option<()> {
    let send = |bytes| send(sender, bytes, limits.stalled);
    let Listening { whole, mut changes } = listening;
    send(whole.event()).await?;
    loop {
        let next = timeout(limits.sign_of_life, changes.recv());
        let gone = async {
            sender.closed().await;
            Ok(Ok(FeedEvent::Over))
        };
        match first_of(next, gone).await {
            Err(_) => send(SIGN_OF_LIFE).await?,
            Ok(Ok(FeedEvent::Change(change))) => send(change).await?,
            Ok(Ok(FeedEvent::Over) | Err(RecvError::Closed)) => return None,
            Ok(Err(RecvError::Lagged(_))) => {
                let again = feed.ask().await.ok()?;
                changes = again.changes;
                send(again.whole.event()).await?;
            }
        }
    }
}

async fn send(sender: &mpsc::Sender<Bytes>, bytes: Bytes, patience: Duration) -> Option<()> {
    sender.send_timeout(bytes, patience).await.ok()
}
