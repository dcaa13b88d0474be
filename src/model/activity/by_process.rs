//! An index of the members of a list by process. It finds the last member of a process without a
//! search through the list.

use std::collections::HashMap;

/// The pid of a process, or `None` if it is unknown.
pub(super) type ProcessKey = Option<u32>;

/// Returns true if both may be the same process. An unknown process may be any.
pub(super) fn is_of(one: ProcessKey, other: ProcessKey) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// The indices of the members of a list, grouped by process and in order. A member whose process is
/// unknown may belong to any.
#[derive(Debug, Default)]
pub(super) struct ByProcess {
    of: HashMap<ProcessKey, Vec<usize>>,
    count: usize,
}

impl ByProcess {
    /// Adds the next member of the list.
    pub(super) fn push(&mut self, pid: ProcessKey) {
        self.of.entry(pid).or_default().push(self.count);
        self.count += 1;
    }

    /// Returns the index of the last member with exactly this process.
    pub(super) fn last(&self, pid: ProcessKey) -> Option<usize> {
        self.of.get(&pid)?.last().copied()
    }

    /// Returns the indices of the members that may belong to this process, the last one first.
    pub(super) fn latest(&self, pid: ProcessKey) -> impl Iterator<Item = usize> + '_ {
        let of = |pid| self.of.get(&pid).map_or(&[][..], Vec::as_slice);
        let (mut own, mut unknown) = (of(pid), of(None));
        let mut any = 0..self.count;
        std::iter::from_fn(move || {
            if pid.is_none() {
                return any.next_back();
            }
            let side = if own.last() >= unknown.last() {
                &mut own
            } else {
                &mut unknown
            };
            let (last, rest) = side.split_last()?;
            *side = rest;
            Some(*last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_those_of_the_process_and_of_unknown_ones() {
        let mut places = ByProcess::default();
        for pid in [Some(7), None, Some(8), Some(7), None, Some(8)] {
            places.push(pid);
        }
        let latest = |pid| places.latest(pid).collect::<Vec<_>>();
        assert_eq!(latest(Some(7)), [4, 3, 1, 0]);
        assert_eq!(latest(Some(9)), [4, 1]);
        assert_eq!(latest(None), [5, 4, 3, 2, 1, 0]);
        assert_eq!(
            (places.last(Some(7)), places.last(Some(9))),
            (Some(3), None)
        );
    }
}
