//! Distributes slices to lanes so that viewers nest them correctly. Calls on the same lane do not
//! overlap, and each lies completely inside or completely outside a run of its subagent.

/// The lanes of one agent. Slices must be added in the order in which they begin.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// The subagent's runs on the first lane, in order.
    runs: Vec<(i64, i64)>,
    /// The end of the last call on each lane.
    ends: LaneEnds,
}

/// The end of the last slice on each lane. Finds the first free lane in logarithmic time, because a
/// session may have as many lanes as calls that never ended.
#[derive(Debug, Default)]
struct LaneEnds {
    lanes: usize,
    /// A binary tree: the root is at 1, the children of `n` at `2 * n` and `2 * n + 1`, and each
    /// node has the earlier end of its children. The second half has the lanes.
    earliest: Vec<i64>,
}

impl LaneEnds {
    /// Returns the first lane from `from` on that is free at `began`.
    fn first_free(&self, from: usize, began: i64) -> Option<usize> {
        self.search(1, 0, self.capacity(), from, began)
    }

    fn search(
        &self,
        node: usize,
        first: usize,
        count: usize,
        from: usize,
        at: i64,
    ) -> Option<usize> {
        if first + count <= from || self.earliest.get(node).is_none_or(|end| *end > at) {
            return None;
        }
        if count == 1 {
            return Some(first);
        }
        let half = count / 2;
        self.search(2 * node, first, half, from, at)
            .or_else(|| self.search(2 * node + 1, first + half, half, from, at))
    }

    fn capacity(&self) -> usize {
        self.earliest.len() / 2
    }

    /// Adds a lane that is always free, and returns its index.
    fn add(&mut self) -> usize {
        if self.lanes == self.capacity() {
            let ends: Vec<i64> = self.earliest.split_off(self.capacity());
            self.earliest = vec![i64::MAX; 4 * ends.len().max(1)];
            for (lane, end) in ends.into_iter().enumerate().take(self.lanes) {
                self.set(lane, end);
            }
        }
        self.lanes += 1;
        self.set(self.lanes - 1, i64::MIN);
        self.lanes - 1
    }

    fn set(&mut self, lane: usize, end: i64) {
        let mut node = self.capacity() + lane;
        if let Some(leaf) = self.earliest.get_mut(node) {
            *leaf = end;
        }
        while node > 1 {
            node /= 2;
            let children = self.earliest.get(2 * node..2 * node + 2);
            let earlier = children.and_then(|children| children.iter().min().copied());
            if let (Some(parent), Some(earlier)) = (self.earliest.get_mut(node), earlier) {
                *parent = earlier;
            }
        }
    }
}

impl Lanes {
    /// Creates lanes. The first one contains these runs.
    pub(super) fn within(runs: Vec<(i64, i64)>) -> Self {
        Self {
            runs,
            ends: LaneEnds::default(),
        }
    }

    /// Adds a slice from `began` to `ended` to the first lane that is free for it. Returns the
    /// index of that lane.
    pub(super) fn take(&mut self, began: i64, ended: i64) -> usize {
        let cuts = |run: &(i64, i64)| {
            let (first, last) = *run;
            let is_apart = ended <= first || last <= began;
            let is_within = first <= began && ended <= last;
            !is_apart && !is_within
        };
        // The runs do not overlap, so only the first that ends later can be cut.
        let next = self.runs.partition_point(|(_, last)| *last <= began);
        let cuts_a_run = self.runs.get(next).is_some_and(cuts);
        let free = self.ends.first_free(usize::from(cuts_a_run), began);
        let lane = free.unwrap_or_else(|| {
            if self.ends.lanes == 0 && cuts_a_run {
                self.ends.add();
            }
            self.ends.add()
        });
        // Count a slice without length as one microsecond, so that one that begins at the same time
        // is not put on the same lane.
        self.ends.set(lane, ended.max(began.saturating_add(1)));
        lane
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_slices_get_separate_lanes() {
        let mut lanes = Lanes::default();
        let slices = [
            (0, 10),
            (0, 5),
            (5, 7),
            (6, 20),
            (10, 10),
            (10, 12),
            (12, 12),
        ];
        let taken: Vec<usize> = slices.iter().map(|it| lanes.take(it.0, it.1)).collect();
        assert_eq!(taken, [0, 1, 1, 2, 0, 1, 0]);
    }

    #[test]
    fn the_first_free_lane_is_found_among_many() {
        let mut lanes = Lanes::default();
        let mut ends: Vec<i64> = Vec::new();
        for began in 0..500 {
            let ended = began + began * 7919 % 301;
            let free = ends.iter().position(|end| *end <= began);
            let expected = free.unwrap_or(ends.len());
            assert_eq!(lanes.take(began, ended), expected, "{began}");
            ends.resize(ends.len().max(expected + 1), 0);
            ends[expected] = ended.max(began + 1);
        }
        assert!(ends.len() > 50);
    }

    #[test]
    fn a_call_that_outlasts_a_run_leaves_its_lane() {
        let mut lanes = Lanes::within(vec![(0, 10), (20, 30)]);
        let slices = [(5, 15), (6, 10), (12, 18), (15, 25), (20, 30)];
        let taken: Vec<usize> = slices.iter().map(|it| lanes.take(it.0, it.1)).collect();
        assert_eq!(taken, [1, 0, 0, 1, 0]);
    }
}
