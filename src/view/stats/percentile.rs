//! Exact percentiles.

/// Returns the smallest of `values` that at least `percent` percent of them do not exceed ("nearest
/// rank", without interpolation). Reorders `values`. Returns `None` if there are no values.
pub(super) fn nearest_rank(values: &mut [u64], percent: usize) -> Option<u64> {
    let place = (values.len() * percent).div_ceil(100).checked_sub(1)?;
    let (_, found, _) = values.select_nth_unstable(place);
    Some(*found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(values: &[u64], percent: usize, expected: Option<u64>) {
        assert_eq!(nearest_rank(&mut values.to_vec(), percent), expected);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        check(&[], 50, None);
        check(&[7], 50, Some(7));
        check(&[7], 95, Some(7));
        check(&[9, 1], 50, Some(1));
        check(&[9, 1], 95, Some(9));
        check(&[15, 20, 35, 40, 50], 30, Some(20));
        check(&[15, 20, 35, 40, 50], 40, Some(20));
        check(&[15, 20, 35, 40, 50], 50, Some(35));
        check(&[15, 20, 35, 40, 50], 100, Some(50));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        check(&hundred, 50, Some(50));
        check(&hundred, 95, Some(95));
    }

    proptest! {
        #[test]
        fn the_given_share_of_values_does_not_exceed_the_percentile(mut values in proptest::collection::vec(0u64..50, 1..60), percent in 1usize..=100) {
            let found = nearest_rank(&mut values, percent).unwrap();
            let within = values.iter().filter(|value| **value <= found).count();
            let below = values.iter().filter(|value| **value < found).count();
            prop_assert!(within * 100 >= percent * values.len());
            prop_assert!(below * 100 < percent * values.len());
        }
    }
}
