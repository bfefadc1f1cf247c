//! Describes simulated values, each figure with its standard error.
//!
//! The unit of independence is a path, or a pair of antithetic paths. A mean has the deviation of
//! the units' means over the root of their number. A quantile has half the distance between the
//! order statistics one standard error of probability below and above it: the distribution-free
//! interval of Mosteller (1946) and Woodruff (1952), which needs no density. Expected shortfall
//! has the error of the mean of `q + (L - q)+ / (1-c)`, the objective of Rockafellar & Uryasev
//! (2000) at its minimum, where the error of `q` has no first-order effect.

use super::{Plan, Sampling, SimulateError, engine::Paths};
use crate::{
    stats::{Series, compensated_sum, quantile_sorted, sorted},
    var::empirical_shortfall,
};

/// A figure that comes from sampling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its standard error.
    pub standard_error: f64,
}

/// Where the portfolio ends, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// How many paths were drawn.
    pub paths: usize,
    /// The seed they were drawn from.
    pub seed: u64,
    /// The portfolio's value at the start.
    pub initial_value: f64,
    /// The exact mean of its value at the horizon.
    pub expected_value: f64,
    /// The simulated mean, to be judged against the exact one.
    pub mean: Estimate,
    /// The value below which 5 % of the paths end.
    pub percentile_5: Estimate,
    /// The value below which half of the paths end.
    pub percentile_50: Estimate,
    /// The value below which 95 % of the paths end.
    pub percentile_95: Estimate,
    /// Share of paths that end above the initial value.
    pub profit_probability: Estimate,
    /// Mean of the largest fall of each path, as a share of its peak.
    pub drawdown_mean: Estimate,
    /// 95th percentile of the largest falls.
    pub drawdown_percentile_95: Estimate,
    /// Loss against the initial value that is not exceeded with the plan's confidence; positive
    /// is a loss.
    pub value_at_risk: Estimate,
    /// Mean loss beyond it.
    pub expected_shortfall: Estimate,
}

/// Values in path order and in ascending order.
struct Sample<'a> {
    in_order: &'a [f64],
    ascending: Vec<f64>,
    unit: usize,
}

pub(super) fn describe(
    (initial_value, expected_value): (f64, f64),
    plan: &Plan,
    paths: &Paths,
) -> Result<Outcome, SimulateError> {
    let unit = match plan.sampling {
        Sampling::Independent => 1,
        Sampling::Antithetic => 2,
    };
    Series::try_new("terminal values", &paths.terminal, 2)?;
    let terminal = Sample::new(&paths.terminal, unit);
    let drawdown = Sample::new(&paths.drawdown, unit);
    let tail = plan.confidence.tail();
    let low = terminal.quantile(tail);
    let value_at_risk = initial_value - low.value;
    // The shortfall of the values is minus their tail mean, so that the loss adds the start.
    let shortfall = initial_value + empirical_shortfall(&terminal.ascending, plan.paths, tail);
    let beyond = |value: f64| (low.value - value).max(0.0) / tail;
    Ok(Outcome {
        paths: plan.paths,
        seed: plan.seed,
        initial_value,
        expected_value,
        mean: terminal.mean(|value| value),
        percentile_5: terminal.quantile(0.05),
        percentile_50: terminal.quantile(0.5),
        percentile_95: terminal.quantile(0.95),
        profit_probability: terminal.mean(|v| f64::from(u8::from(v > initial_value))),
        drawdown_mean: drawdown.mean(|fall| fall),
        drawdown_percentile_95: drawdown.quantile(0.95),
        value_at_risk: Estimate { value: value_at_risk, standard_error: low.standard_error },
        expected_shortfall: Estimate {
            value: shortfall.max(value_at_risk),
            standard_error: terminal.mean(beyond).standard_error,
        },
    })
}

// === impl Sample ===

impl<'a> Sample<'a> {
    fn new(in_order: &'a [f64], unit: usize) -> Self {
        Self { in_order, ascending: sorted(in_order), unit }
    }

    /// The mean of `figure` over the paths.
    fn mean(&self, figure: impl Fn(f64) -> f64) -> Estimate {
        let size = self.unit as f64;
        let units = (self.in_order.len() / self.unit) as f64;
        let of_unit = |unit: &[f64]| unit.iter().map(|v| figure(*v)).sum::<f64>() / size;
        let chunks = || self.in_order.chunks_exact(self.unit);
        let value = compensated_sum(chunks().map(of_unit)) / units;
        let squares = compensated_sum(chunks().map(|unit| (of_unit(unit) - value).powi(2)));
        Estimate { value, standard_error: (squares / (units - 1.0) / units).sqrt() }
    }

    /// The type-7 quantile at `probability`.
    fn quantile(&self, probability: f64) -> Estimate {
        let value = quantile_sorted(&self.ascending, probability);
        let below = self.mean(|v| f64::from(u8::from(v <= value)));
        // A tail that holds next to no path still has the error of a binomial count.
        let units = (self.in_order.len() / self.unit) as f64;
        let least = (probability * (1.0 - probability) / units).sqrt();
        let error = if below.standard_error > 0.0 { below.standard_error } else { least };
        let at = |p: f64| quantile_sorted(&self.ascending, p.clamp(0.0, 1.0));
        let spread = at(probability + error) - at(probability - error);
        Estimate { value, standard_error: spread / 2.0 }
    }
}
