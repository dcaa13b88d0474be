//! Threads for work that must not block the server, such as reading files, folding and searching,
//! and the tasks of the server itself.
//!
//! A panic in either must not end the server. But the installed programs abort after a panic
//! instead of unwinding. So the panic hook blocks the thread for ever, before the abort. If the
//! thread runs tasks, another thread takes over the others.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Once};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use crate::cli::output;
use crate::store::reason;

/// True if the panic hook blocks the thread. It must where a panic would end the process. Tests,
/// where a panic unwinds, block the thread for a while, too.
const STANDS_STILL: bool = cfg!(any(panic = "abort", test));

thread_local! {
    /// What to do if this thread panics. Only threads and tasks that this module started set it.
    static AT_PANIC: RefCell<Option<AtPanic>> = const { RefCell::new(None) };
}

struct AtPanic {
    act: Box<dyn FnOnce() + Send>,
    /// True for a task of the server, which may share its thread with other tasks.
    is_task: bool,
}

/// Starts a thread. If `body` panics, `at_panic` is called, and the thread is blocked for ever.
///
/// # Errors
/// Fails with [`NoResult::NoThread`] if the system starts no more threads, and reports that on
/// stderr.
pub(super) fn start(
    name: &str,
    at_panic: impl FnOnce() + Send + 'static,
    body: impl FnOnce() + Send + 'static,
) -> Result<(), NoResult> {
    stop_panicking_threads();
    let thread = thread::Builder::new().name(name.to_owned());
    let started = thread.spawn(move || {
        AT_PANIC.set(Some(AtPanic {
            act: Box::new(at_panic),
            is_task: false,
        }));
        body();
        AT_PANIC.set(None);
    });
    started.map(drop).map_err(|err| {
        output::complain(&format!("could not start a thread: {}", reason(&err)));
        NoResult::NoThread
    })
}

/// Starts a task of the server. If the task panics, `at_panic` is called, and the task is blocked
/// for ever. Otherwise `at_panic` is dropped when the task ends, with everything it owns.
///
/// The runtime must be a multi-threaded one.
pub(super) fn spawn(
    body: impl Future<Output = ()> + Send + 'static,
    at_panic: impl FnOnce() + Send + 'static,
) {
    stop_panicking_threads();
    drop(tokio::spawn(Contained {
        body: Box::pin(body),
        at_panic: Some(Box::new(at_panic)),
    }));
}

/// A task that calls `at_panic` if it panics.
struct Contained<F> {
    body: Pin<Box<F>>,
    at_panic: Option<Box<dyn FnOnce() + Send>>,
}

impl<F: Future> Future for Contained<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let act = self.at_panic.take();
        AT_PANIC.set(act.map(|act| AtPanic { act, is_task: true }));
        let polled = self.body.as_mut().poll(task);
        self.at_panic = AT_PANIC.take().map(|at_panic| at_panic.act);
        polled
    }
}

fn stop_panicking_threads() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let at_panic = AT_PANIC.try_with(|it| it.try_borrow_mut().ok()?.take());
            let Ok(Some(AtPanic { act, is_task })) = at_panic else {
                return usual(panic);
            };
            let place = panic.location().map(ToString::to_string);
            let place = place.unwrap_or_default();
            output::complain(&format!("internal error at {place}; please report it"));
            act();
            // If the thread is not blocked for ever, the panic now unwinds and ends the thread or
            // the task.
            match (STANDS_STILL, is_task) {
                (false, _) => {}
                (true, false) => stand_still(),
                (true, true) => tokio::task::block_in_place(stand_still),
            }
        }));
    });
}

fn stand_still() {
    // The test harness waits until a panic has been reported.
    if cfg!(test) {
        return thread::park_timeout(Duration::from_secs(1));
    }
    loop {
        thread::park();
    }
}

/// Why a thread returned no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoResult {
    /// The thread panicked, which was reported on stderr.
    Panicked,
    /// The system starts no more threads.
    NoThread,
}

/// Runs work for requests on threads, only a limited number at a time.
#[derive(Debug)]
pub(super) struct Workers {
    free: Arc<Semaphore>,
    count: u32,
}

impl Workers {
    /// Returns workers that run `count` pieces of work at a time. Further work waits.
    pub(super) fn new(count: u32) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count as usize)),
            count,
        }
    }

    /// Runs `work` on a thread, and returns its result.
    ///
    /// # Errors
    /// Fails with [`NoResult`] if `work` panics, or no thread can be started.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoResult> {
        let free = Arc::clone(&self.free).acquire_owned().await;
        let (sender, result) = oneshot::channel();
        let sender = Arc::new(Mutex::new(Some((sender, free))));
        let take = |from: &Mutex<Option<_>>| from.lock().ok()?.take();
        let of_panic = Arc::clone(&sender);
        let at_panic = move || drop(take(&of_panic));
        let body = move || {
            let value = work();
            if let Some((sender, _free)) = take(&sender) {
                // This fails if the request was dropped meanwhile.
                let _ = sender.send(value);
            }
        };
        start("request", at_panic, body)?;
        result.await.map_err(|_| NoResult::Panicked)
    }

    /// Waits until all work is done.
    pub(super) async fn all_done(&self) {
        let _all = self.free.acquire_many(self.count).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn work_that_panics_gives_no_result_and_takes_no_place() {
        let workers = Workers::new(1);
        for number in 0..3 {
            let panicked: Result<(), _> =
                block_on(workers.run(|| panic!("as a defect in this test does")));
            assert_eq!(panicked, Err(NoResult::Panicked));
            assert_eq!(block_on(workers.run(move || number)), Ok(number));
        }
        block_on(workers.all_done());
    }

    #[test]
    fn a_panic_stops_only_its_own_task() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            for number in 0..3 {
                let (tell, told) = oneshot::channel();
                let defect = async {
                    tokio::task::yield_now().await;
                    panic!("as a defect in this test does");
                };
                spawn(defect, move || {
                    let _ = tell.send(number);
                });
                assert_eq!(told.await, Ok(number));
                let (tell, told) = oneshot::channel();
                let other = async move {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    let _ = tell.send(number);
                };
                let (kept, gone) = oneshot::channel::<()>();
                spawn(other, move || drop(kept));
                assert_eq!(told.await, Ok(number));
                assert!(gone.await.is_err(), "dropped with the task");
            }
        });
        runtime.shutdown_background();
    }

    #[test]
    fn abandoned_work_is_completed_and_frees_its_place() {
        let workers = Workers::new(1);
        block_on(async {
            let asked = Box::pin(workers.run(|| ()));
            drop(asked);
            assert_eq!(workers.run(|| 7).await, Ok(7));
        });
    }
}
