//! Which assets and scenarios the solver sees first, and which the proof asks for.

use super::{
    goal::{Goal, image},
    search::{Candidate, Search},
};

/// Below this number of assets all of them are solved at once.
const WORKING_SET_MIN: usize = 60;

// === impl Search ===

impl Search<'_> {
    /// The assets whose bounds allow a weight other than zero.
    pub(super) fn universe(&self) -> Vec<usize> {
        let is_open = |i: &usize| self.set.lower[*i] < 0.0 || self.set.upper[*i] > 0.0;
        let needs_all = self.balls.iter().any(|ball| ball.centre.is_some());
        (0..self.set.assets).filter(|i| needs_all || is_open(i)).collect()
    }

    /// All assets when there are few or when something other than bounds and plain rows holds them
    /// in; else those that look best alone, and those that make the set feasible.
    pub(super) fn first_working_set(&self, universe: &[usize]) -> Vec<usize> {
        let assets = self.set.assets;
        let has_columns = self.set.lower.len() > assets;
        let is_held = universe.iter().any(|i| self.set.lower[*i] != 0.0);
        let has_centre = matches!(&self.goal, Goal::Quadratic { centre: Some(_), .. })
            || self.balls.iter().any(|ball| ball.centre.is_some());
        if universe.len() <= WORKING_SET_MIN || has_columns || is_held || has_centre {
            return universe.to_vec();
        }
        let scores = self.scores();
        let richest = match self.mean {
            Some(mean) if !self.set.rows.is_empty() => {
                self.set.cheapest(&mean.iter().map(|m| -m).collect::<Vec<f64>>())
            }
            _ => self.set.cheapest(&scores),
        };
        let (mut working, mut order): (Vec<usize>, Vec<usize>) =
            universe.iter().partition(|i| richest[**i] > 0.0);
        order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        let wanted = (2 * working.len()).max(WORKING_SET_MIN);
        let more = wanted - working.len();
        working.extend(order.into_iter().take(more));
        working.sort_unstable();
        working
    }

    /// The lower, the better an asset looks alone.
    pub(super) fn scores(&self) -> Vec<f64> {
        let assets = self.set.assets;
        let equal = vec![1.0 / assets as f64; assets];
        match &self.goal {
            Goal::Ratio { matrix, value } => (0..assets)
                .map(|i| -value[i] / matrix[(i, i)].max(f64::MIN_POSITIVE).sqrt())
                .collect(),
            Goal::Quadratic { matrix, weight, value, .. } => {
                let exposure = matrix.map_or(vec![0.0; assets], |m| image(m, &equal));
                exposure.iter().zip(value).map(|(s, v)| 2.0 * weight * s - v).collect()
            }
            Goal::Scenarios(scenarios) => (0..assets)
                .map(|asset| {
                    let alone: Vec<f64> =
                        (0..assets).map(|i| f64::from(u8::from(i == asset))).collect();
                    scenarios.value(&alone)
                })
                .collect(),
        }
    }

    /// The periods that the solver begins with; none where there are no scenarios. Many assets that
    /// may be sold short can dodge whatever they are shown, so that they see all at once.
    pub(super) fn first_periods(&self, universe: &[usize]) -> Vec<usize> {
        let Goal::Scenarios(scenarios) = &self.goal else { return Vec::new() };
        let is_short = universe.iter().any(|i| self.set.lower[*i] < 0.0);
        if is_short && universe.len() > WORKING_SET_MIN {
            return scenarios.all_periods();
        }
        let assets = self.set.assets;
        let share = (self.set.net.0 + self.set.net.1) / 2.0 / assets as f64;
        scenarios.first_periods(&vec![if share > 0.0 { share } else { 1.0 }; assets])
    }

    pub(super) fn all_periods(&self) -> Vec<usize> {
        match &self.goal {
            Goal::Scenarios(scenarios) => scenarios.all_periods(),
            _ => Vec::new(),
        }
    }

    /// What the dearest asset that is held costs at the margin.
    pub(super) fn margin(&self, universe: &[usize], candidate: &Candidate, prices: &[f64]) -> f64 {
        let held = universe.iter().filter(|i| candidate.weights[**i] > 1e-6);
        held.map(|i| prices[*i]).fold(f64::NEG_INFINITY, f64::max)
    }

    /// Adds the assets that cost less than what the candidate holds at the margin, at most as many
    /// again; all of them when none does. Whether any was missing.
    pub(super) fn grow(
        &self,
        working: &mut Vec<usize>,
        universe: &[usize],
        (margin, prices): (f64, &[f64]),
    ) -> bool {
        if working.len() >= universe.len() {
            return false;
        }
        let is_missing = |i: &usize| working.binary_search(i).is_err() && prices[*i] < margin;
        let mut missing: Vec<usize> = universe.iter().copied().filter(is_missing).collect();
        if missing.is_empty() {
            working.clear();
            working.extend(universe);
            return true;
        }
        missing.sort_by(|a, b| prices[*a].total_cmp(&prices[*b]));
        missing.truncate(working.len());
        working.extend(missing);
        working.sort_unstable();
        true
    }
}
