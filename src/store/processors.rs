//! Does the same work for many items on all processors at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The fewest items for which a thread is started. Starting a thread takes as long as the work for
/// a few items.
const WORTH_A_THREAD: usize = 16;

/// Does `work` for each of `items`, and returns the results in their order.
pub fn on_all_processors<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let helpers = helpers(items.len() / WORTH_A_THREAD);
    if helpers == 0 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let take_turns = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else {
                return done;
            };
            done.push((place, work(item)));
        }
    };
    let mut done = with_helpers(helpers, &take_turns, |mut done, others| {
        done.extend(others);
        done
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Returns how many threads to start besides this one, at most `most - 1`.
pub fn helpers(most: usize) -> usize {
    if most < 2 {
        return 0;
    }
    let processors = thread::available_parallelism().map_or(1, usize::from);
    processors.min(most) - 1
}

/// Runs `work` in this thread and in `helpers` others, and combines the results with `add`.
pub fn with_helpers<R: Send>(
    helpers: usize,
    work: &(impl Fn() -> R + Sync),
    mut add: impl FnMut(R, R) -> R,
) -> R {
    thread::scope(|scope| {
        // If the system cannot start threads, this one does all the work.
        let others: Vec<_> = (0..helpers)
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut done = work();
        for other in others {
            // A panic ends the process, so there is a result.
            if let Ok(other) = other.join() {
                done = add(done, other);
            }
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items_however_many_there_are() {
        for many in [0, 1, 15, 16, 33, 1000] {
            let items: Vec<usize> = (0..many).collect();
            let doubled = on_all_processors(&items, |item| item * 2);
            assert!(doubled.iter().copied().eq((0..many).map(|item| item * 2)));
        }
    }
}
