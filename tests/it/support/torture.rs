//! The short and the full form of tests that repeat themselves.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How often a test tries a hook again that got no processor and so stopped reading at its deadline.
pub(crate) const ATTEMPTS: usize = 50;

/// Whether the long forms are wanted: `CCSESSION_TORTURE=full`.
pub(crate) fn is_torture() -> bool {
    std::env::var_os("CCSESSION_TORTURE").is_some_and(|value| value == "full")
}

/// Runs `job` for each of `count` cases, a few at a time.
pub(crate) fn in_parallel(count: usize, at_once: usize, job: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let case = next.fetch_add(1, Ordering::Relaxed);
                    if case >= count {
                        return;
                    }
                    job(case);
                }
            });
        }
    });
}

pub(crate) fn by_form(short: usize, full: usize) -> usize {
    if is_torture() { full * times() } else { short }
}

/// How many times the full form is wanted: `CCSESSION_TIMES`.
pub(crate) fn times() -> usize {
    let times = std::env::var("CCSESSION_TIMES").ok();
    times.and_then(|times| times.parse().ok()).unwrap_or(1)
}
