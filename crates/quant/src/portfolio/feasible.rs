//! The portfolios that bounds allow, and linear programs over them, solved by sorting.

use super::WEIGHT_TOLERANCE;

/// Weights within bounds that sum to one; known not to be empty.
#[derive(Clone, Debug)]
pub(super) struct FeasibleSet {
    pub(super) lower: Vec<f64>,
    pub(super) upper: Vec<f64>,
}

// === impl FeasibleSet ===

impl FeasibleSet {
    pub(super) fn new(lower: &[f64], upper: &[f64]) -> Self {
        Self { lower: lower.to_vec(), upper: upper.to_vec() }
    }

    /// The portfolio with the smallest `prices' w`: what the lower bounds leave goes to the
    /// cheapest assets first. Equal prices are filled in the order of the assets.
    pub(super) fn cheapest(&self, prices: &[f64]) -> Vec<f64> {
        let mut order: Vec<usize> = (0..prices.len()).collect();
        order.sort_by(|a, b| prices[*a].total_cmp(&prices[*b]));
        let mut weights = self.lower.clone();
        let mut rest = (1.0 - weights.iter().sum::<f64>()).max(0.0);
        for asset in order {
            let taken = rest.min(self.upper[asset] - self.lower[asset]);
            weights[asset] += taken;
            rest -= taken;
        }
        weights
    }

    /// The smallest `prices' w`.
    pub(super) fn least(&self, prices: &[f64]) -> f64 {
        dot(prices, &self.cheapest(prices))
    }

    /// The smallest and the largest expected return.
    pub(super) fn range(&self, mean: &[f64]) -> (f64, f64) {
        let opposite: Vec<f64> = mean.iter().map(|m| -m).collect();
        (self.least(mean), -self.least(&opposite))
    }

    /// The single portfolio that the bounds leave, if they leave no choice.
    pub(super) fn only_point(&self) -> Option<Vec<f64>> {
        let room = 1.0 - self.lower.iter().sum::<f64>();
        let excess = self.upper.iter().sum::<f64>() - 1.0;
        if self.lower.len() == 1 {
            return Some(vec![1.0]);
        }
        if room <= WEIGHT_TOLERANCE {
            return Some(self.lower.clone());
        }
        (excess <= WEIGHT_TOLERANCE).then(|| self.upper.clone())
    }

    /// The portfolios of largest expected return: all those whose price beats the marginal one are
    /// full, all those below it are at their least.
    pub(super) fn best_face(&self, mean: &[f64]) -> Self {
        let opposite: Vec<f64> = mean.iter().map(|m| -m).collect();
        let best = self.cheapest(&opposite);
        let marginal = (0..mean.len())
            .filter(|i| best[*i] > self.lower[*i])
            .map(|i| mean[i])
            .fold(f64::INFINITY, f64::min);
        let mut face = self.clone();
        for (asset, value) in mean.iter().enumerate() {
            if *value > marginal {
                face.lower[asset] = self.upper[asset];
            } else if *value < marginal {
                face.upper[asset] = self.lower[asset];
            }
        }
        face
    }

    /// Takes out what the solver leaves of rounding: weights within `snap` of a bound go onto it, and the
    /// difference of the sum from one is spread over the room of the others. `None` when the
    /// candidate is further from feasible than rounding explains.
    pub(super) fn settle(&self, candidate: &[f64], tolerance: f64, snap: f64) -> Option<Vec<f64>> {
        let mut weights = candidate.to_vec();
        for (asset, weight) in weights.iter_mut().enumerate() {
            let (lower, upper) = (self.lower[asset], self.upper[asset]);
            if !weight.is_finite() || *weight < lower - tolerance || *weight > upper + tolerance {
                return None;
            }
            if *weight - lower <= snap {
                *weight = lower;
            } else if upper - *weight <= snap {
                *weight = upper;
            }
        }
        let difference = 1.0 - weights.iter().sum::<f64>();
        if difference.abs() > tolerance * weights.len() as f64 {
            return None;
        }
        let room = |asset: usize, weight: f64| {
            if weight <= self.lower[asset] || weight >= self.upper[asset] {
                0.0
            } else if difference > 0.0 {
                self.upper[asset] - weight
            } else {
                weight - self.lower[asset]
            }
        };
        let total: f64 = weights.iter().enumerate().map(|(a, w)| room(a, *w)).sum();
        if total > difference.abs() {
            for (asset, weight) in weights.iter_mut().enumerate() {
                let moved = *weight + difference * room(asset, *weight) / total;
                *weight = moved.clamp(self.lower[asset], self.upper[asset]);
            }
        }
        let sum: f64 = weights.iter().sum();
        ((sum - 1.0).abs() <= WEIGHT_TOLERANCE).then_some(weights)
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
