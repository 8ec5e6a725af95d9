//! Medians, spreads and ratios of pairs.
//! All of them take the samples in the order in which they were measured.

/// The middle of the values, the mean of the two middles when their number is even.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// How far the values lie apart: the largest less the smallest, as a share of the median.
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let least = values.iter().copied().reduce(f64::min)?;
    let most = values.iter().copied().reduce(f64::max)?;
    median(values).filter(|&median| median != 0.0).map(|median| (most - least) / median)
}

/// The median of the ratios of neighbours, with the least and the greatest of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// Divides each sample by the other server's sample of the same turn. A disturbance that lasts
/// longer than a turn slows both and leaves the ratio.
pub(crate) fn ratio(samples: &[f64], others: &[f64]) -> Option<Ratio> {
    let ratios: Vec<f64> = samples
        .iter()
        .zip(others)
        .filter(|&(_, &other)| other != 0.0)
        .map(|(sample, other)| sample / other)
        .collect();
    Some(Ratio {
        median: median(&ratios)?,
        least: ratios.iter().copied().reduce(f64::min)?,
        most: ratios.iter().copied().reduce(f64::max)?,
    })
}

/// The order of `servers` over `turns` turns: 0 1 2, 2 1 0, 0 1 2 … (for two servers A B B A),
/// so that a drift of the machine falls on each alike.
pub(crate) fn turns(servers: usize, turns: usize) -> Vec<Vec<usize>> {
    (0..turns)
        .map(|turn| {
            let forward = 0..servers;
            if turn % 2 == 0 { forward.collect() } else { forward.rev().collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_spreads() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
        assert_eq!(spread(&[90.0, 100.0, 130.0]), Some(0.4));
        assert_eq!(spread(&[7.0]), Some(0.0));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[0.0, 0.0]), None);
    }

    #[test]
    fn a_ratio_is_that_of_neighbours_not_of_medians() {
        // The machine halves its speed from turn to turn: every pair still says 2.
        let fast = [800.0, 400.0, 200.0];
        let slow = [400.0, 200.0, 100.0];
        let expected = Ratio { median: 2.0, least: 2.0, most: 2.0 };
        assert_eq!(ratio(&fast, &slow), Some(expected));
        let uneven = ratio(&[1.0, 6.0, 2.0], &[1.0, 2.0, 1.0]).expect("three pairs");
        assert_eq!((uneven.least, uneven.median, uneven.most), (1.0, 2.0, 3.0));
        assert_eq!(ratio(&[1.0], &[0.0]), None);
        assert_eq!(ratio(&[], &[]), None);
    }

    #[test]
    fn turns_go_forth_and_back() {
        assert_eq!(turns(2, 4), [[0, 1], [1, 0], [0, 1], [1, 0]]);
        assert_eq!(turns(3, 2), [[0, 1, 2], [2, 1, 0]]);
        assert!(turns(0, 1)[0].is_empty());
    }
}
