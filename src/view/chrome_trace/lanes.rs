//! Distributes slices to lanes so that viewers nest them correctly. Calls on the same lane do not
//! overlap, and each lies completely inside or completely outside a run of its subagent.

/// The lanes of one agent. Slices must be added in the order in which they begin.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// The subagent's runs on the first lane, in order.
    runs: Vec<(i64, i64)>,
    /// The end of the last call on each lane.
    ends: Vec<i64>,
}

impl Lanes {
    /// Creates lanes. The first one contains these runs.
    pub(super) fn within(runs: Vec<(i64, i64)>) -> Self {
        Self {
            runs,
            ends: Vec::new(),
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
        let cuts_a_run = self.runs.iter().any(cuts);
        let is_free = |(lane, end): (usize, &i64)| *end <= began && !(lane == 0 && cuts_a_run);
        let free = self.ends.iter().enumerate().position(is_free);
        let lane = free.unwrap_or_else(|| {
            if self.ends.is_empty() && cuts_a_run {
                self.ends.push(i64::MIN);
            }
            self.ends.push(i64::MIN);
            self.ends.len() - 1
        });
        if let Some(end) = self.ends.get_mut(lane) {
            // Count a slice without length as one microsecond, so that one that begins at the same
            // time is not put on the same lane.
            *end = ended.max(began.saturating_add(1));
        }
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
    fn a_call_that_outlasts_a_run_leaves_its_lane() {
        let mut lanes = Lanes::within(vec![(0, 10), (20, 30)]);
        let slices = [(5, 15), (6, 10), (12, 18), (15, 25), (20, 30)];
        let taken: Vec<usize> = slices.iter().map(|it| lanes.take(it.0, it.1)).collect();
        assert_eq!(taken, [1, 0, 0, 1, 0]);
    }
}
