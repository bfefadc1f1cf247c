//! The correlation of an elliptical copula, from ranks.

use super::{ASSETS_MAX, JointError};
use crate::{
    covariance::nearest_correlation,
    stats::{AssetReturns, StatsError},
};

/// Eigenvalues that a repair leaves at least.
const EIGENVALUE_MIN: f64 = 1e-8;

/// The correlation that a copula needs, and whether it had to be repaired.
#[derive(Clone, Debug, PartialEq)]
pub struct RankCorrelation {
    /// The matrix by rows.
    pub correlation: Vec<Vec<f64>>,
    /// How far the repair moved it, by the root of the sum of squared entries (Frobenius); zero
    /// when none was needed.
    pub repair_distance: f64,
}

/// `sin(pi tau / 2)` of each pair, with Kendall's tau corrected for ties (tau-b): what tau is for
/// every elliptical copula, whatever the marginals and the weight of its tails (Lindskog, McNeil &
/// Schmock 2003). A correlation of returns would be pulled by the marginals. Pairs that no law has
/// together are replaced by the nearest correlation (Higham 2002).
///
/// # Errors
///
/// [`JointError::Series`] below two periods or for an asset that is constant,
/// [`JointError::AssetCount`], [`JointError::Correlation`] when the repair fails.
pub fn rank_correlation(returns: &AssetReturns) -> Result<RankCorrelation, JointError> {
    let (assets, periods) = (returns.asset_count(), returns.period_count());
    if assets > ASSETS_MAX {
        return Err(JointError::AssetCount(assets));
    }
    if periods < 2 {
        let (series, required) = ("returns", 2);
        return Err(StatsError::TooShort { series, len: periods, required }.into());
    }
    let is_constant =
        |asset: &[f64]| asset.windows(2).all(|pair| pair[0].total_cmp(&pair[1]).is_eq());
    if returns.assets().iter().any(|asset| is_constant(asset)) {
        return Err(StatsError::Constant { series: "returns" }.into());
    }
    let mut rows = vec![vec![1.0; assets]; assets];
    for (first, values) in returns.assets().iter().enumerate() {
        let order = Order::of(values);
        for (second, other) in returns.assets().iter().enumerate().skip(first + 1) {
            let value = (std::f64::consts::FRAC_PI_2 * order.tau_b(other)).sin();
            rows[first][second] = value;
            rows[second][first] = value;
        }
    }
    if assets == 1 {
        return Ok(RankCorrelation { correlation: rows, repair_distance: 0.0 });
    }
    let nearest = nearest_correlation(&rows, EIGENVALUE_MIN)?;
    if nearest.distance > 0.0 {
        for (first, row) in rows.iter_mut().enumerate() {
            for (second, value) in row.iter_mut().enumerate() {
                *value = nearest.at(first, second).unwrap_or(*value);
            }
        }
    }
    Ok(RankCorrelation { correlation: rows, repair_distance: nearest.distance })
}

/// One series in ascending order.
struct Order<'a> {
    values: &'a [f64],
    ascending: Vec<usize>,
    /// Pairs of equals.
    ties: f64,
}

// === impl Order ===

impl<'a> Order<'a> {
    fn of(values: &'a [f64]) -> Self {
        let mut ascending: Vec<usize> = (0..values.len()).collect();
        ascending.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        let ties = tied(ascending.iter().map(|at| values[*at]));
        Self { values, ascending, ties }
    }

    /// Concordant less discordant pairs over the geometric mean of the pairs that are no ties
    /// (Kendall 1945), the discordant ones counted as exchanges of a merge sort (Knight 1966).
    fn tau_b(&self, other: &[f64]) -> f64 {
        let mut ascending = self.ascending.clone();
        // Equals of the first series by the second, so that they need no exchange.
        ascending.sort_by(|a, b| {
            let first = self.values[*a].total_cmp(&self.values[*b]);
            first.then(other[*a].total_cmp(&other[*b]))
        });
        let pairs = |count: usize| count as f64 * (count as f64 - 1.0) / 2.0;
        let both = ascending.chunk_by(|a, b| {
            self.values[*a].total_cmp(&self.values[*b]).is_eq()
                && other[*a].total_cmp(&other[*b]).is_eq()
        });
        let tied_both: f64 = both.map(|chunk| pairs(chunk.len())).sum();
        let mut sequence: Vec<f64> = ascending.iter().map(|at| other[*at]).collect();
        let mut buffer = sequence.clone();
        let exchanges = merge_sort(&mut sequence, &mut buffer);
        let tied_other = tied(sequence.iter().copied());
        let all = pairs(sequence.len());
        let difference = all - self.ties - tied_other + tied_both - 2.0 * exchanges;
        let scale = (all - self.ties).sqrt() * (all - tied_other).sqrt();
        (difference / scale).clamp(-1.0, 1.0)
    }
}

/// Pairs of equals in an ascending sequence.
fn tied(ascending: impl Iterator<Item = f64>) -> f64 {
    let (mut ties, mut run, mut last) = (0.0, 0.0, None);
    for value in ascending {
        run = if last == Some(value.to_bits()) { run + 1.0 } else { 0.0 };
        ties += run;
        last = Some(value.to_bits());
    }
    ties
}

/// Sorts, and counts the pairs that stood in the wrong order.
fn merge_sort(values: &mut [f64], buffer: &mut [f64]) -> f64 {
    let count = values.len();
    if count < 2 {
        return 0.0;
    }
    let middle = count / 2;
    let (low, high) = values.split_at_mut(middle);
    let (low_buffer, high_buffer) = buffer.split_at_mut(middle);
    let mut exchanges = merge_sort(low, low_buffer) + merge_sort(high, high_buffer);
    let (mut left, mut right) = (0, 0);
    for place in buffer.iter_mut() {
        let takes_left =
            right == high.len() || (left < low.len() && low[left].total_cmp(&high[right]).is_le());
        if takes_left {
            *place = low[left];
            left += 1;
        } else {
            exchanges += (low.len() - left) as f64;
            *place = high[right];
            right += 1;
        }
    }
    values.copy_from_slice(buffer);
    exchanges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every pair of every kind, counted one by one.
    fn tau_by_pairs(first: &[f64], second: &[f64]) -> f64 {
        let (mut difference, mut first_pairs, mut second_pairs) = (0.0, 0.0, 0.0);
        for i in 0..first.len() {
            for j in i + 1..first.len() {
                let sign = |values: &[f64]| f64::from(values[i].total_cmp(&values[j]) as i8);
                let (a, b) = (sign(first), sign(second));
                difference += a * b;
                first_pairs += a * a;
                second_pairs += b * b;
            }
        }
        difference / (first_pairs * second_pairs).sqrt()
    }

    fn of(assets: Vec<Vec<f64>>) -> Result<RankCorrelation, JointError> {
        rank_correlation(&AssetReturns::try_new(assets, 1).unwrap())
    }

    /// By hand: of the 6 pairs 4 agree and 2 do not, so that tau is a third and its correlation
    /// sin(30 degrees).
    #[test]
    fn four_periods_give_what_paper_and_pencil_say() {
        let found = of(vec![vec![1.0, 2.0, 3.0, 4.0], vec![2.0, 1.0, 4.0, 3.0]]).unwrap();
        assert!((found.correlation[0][1] - 0.5).abs() < 1e-12, "{found:?}");
        assert!(found.repair_distance <= 0.0, "{found:?}");
    }

    #[test]
    fn correlations_that_no_law_has_together_are_repaired_and_it_is_said() {
        let found = of(vec![
            vec![1.0, 2.0, 3.0, 4.0, 5.0],
            vec![1.0, 2.0, 3.0, 5.0, 4.0],
            vec![1.0, 2.0, 3.0, 4.0, 5.0],
        ])
        .unwrap();
        assert!(found.repair_distance > 0.0, "{found:?}");
    }

    #[test]
    fn a_constant_asset_and_a_single_period_are_refused() {
        let error = of(vec![vec![1.0, 1.0], vec![1.0, 2.0]]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "returns is constant; its deviation is zero and the ratio is undefined"
        );
        assert!(of(vec![vec![1.0]]).is_err());
        assert_eq!(of(vec![vec![1.0, 2.0]]).unwrap().correlation, [[1.0]]);
    }

    proptest! {
        #[test]
        fn the_sorted_count_is_the_count_by_pairs(
            pairs in prop::collection::vec((-4_i8..4, -4_i8..4), 2..60)
        ) {
            let first: Vec<f64> = pairs.iter().map(|(a, _)| f64::from(*a)).collect();
            let second: Vec<f64> = pairs.iter().map(|(_, b)| f64::from(*b)).collect();
            let expected = tau_by_pairs(&first, &second);
            prop_assume!(expected.is_finite());
            let found = Order::of(&first).tau_b(&second);
            prop_assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }
}
