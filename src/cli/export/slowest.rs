//! Finds the calls that took longest in all sessions. Keeps only as many calls in memory as were
//! requested.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::model::{SessionId, Timestamp};

/// The order of the calls: the longest first; of equally long ones, the earliest first.
type Rank = (Duration, Reverse<Timestamp>, Reverse<SessionId>);

/// The slowest calls so far, as rows of the output.
#[derive(Debug)]
pub(super) struct Slowest {
    count: usize,
    /// The rows. The top of the heap is the fastest call, which the next slower one replaces.
    rows: BinaryHeap<Reverse<(Rank, Reverse<usize>, String)>>,
}

impl Slowest {
    /// Creates an empty list for at most `count` calls; for none if `count` is `None`.
    pub(super) fn new(count: Option<NonZeroUsize>) -> Self {
        Self {
            count: count.map_or(0, NonZeroUsize::get),
            rows: BinaryHeap::new(),
        }
    }

    /// Adds the row of a call, if the call is among the slowest. `number` is the call's index in
    /// its session.
    pub(super) fn offer(
        &mut self,
        took: Duration,
        began: Timestamp,
        (id, number): (&SessionId, usize),
        row: impl FnOnce() -> String,
    ) {
        let is_full = self.rows.len() >= self.count;
        let least = self.rows.peek().map(|Reverse(((took, ..), ..))| *took);
        if is_full && least.is_none_or(|least| took < least) {
            return;
        }
        let rank = (took, Reverse(began), Reverse(id.clone()));
        self.rows.push(Reverse((rank, Reverse(number), row())));
        self.drop_fastest();
    }

    /// Adds the calls that another thread found.
    pub(super) fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.drop_fastest();
    }

    /// Returns the rows, the slowest first.
    pub(super) fn text(self) -> String {
        let rows = self.rows.into_sorted_vec().into_iter();
        rows.map(|Reverse((.., row))| row).collect()
    }

    fn drop_fastest(&mut self) {
        while self.rows.len() > self.count {
            self.rows.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_of_all_threads_remain_in_order() {
        let id: SessionId = "5b48472b-1111-4222-8333-444455556666".parse().unwrap();
        let of = |durations: &[u64]| {
            let mut slowest = Slowest::new(NonZeroUsize::new(3));
            for (number, took) in durations.iter().enumerate() {
                let began = Timestamp::from_micros(number as i64);
                let row = || format!("{took}@{number} ");
                slowest.offer(Duration::from_millis(*took), began, (&id, number), row);
            }
            slowest
        };
        let mut all = of(&[5, 1, 9, 2, 9]);
        all.add(of(&[7, 9]));
        assert_eq!(all.text(), "9@1 9@2 9@4 ");
        assert_eq!(of(&[3, 1]).text(), "3@0 1@1 ");
        assert_eq!(Slowest::new(None).text(), "");
    }
}
