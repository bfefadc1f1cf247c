//! Describes simulated returns, each figure with its standard error.
//!
//! The unit of independence is a path, a pair of antithetic paths, or one scrambling. Over
//! scramblings a figure has the error of the mean of theirs. Otherwise a quantile has half the distance between
//! the order statistics one standard error of probability about it (Woodruff 1952), and the
//! shortfall the error of the mean of `q + (L - q)+ / (1-c)` (Rockafellar & Uryasev 2000).

use super::{JointPlan, JointSampling, SCRAMBLES, SimulatedTail};
use crate::{
    simulate::Estimate,
    stats::{compensated_sum, floor_index, quantile_of_worst},
    var::empirical_shortfall,
};

/// How many standard errors of probability are kept in order beyond the tail.
const MARGIN: f64 = 2.0;

pub(super) fn describe(outcomes: &[f64], plan: &JointPlan) -> SimulatedTail {
    let [mean, value_at_risk, expected_shortfall] = match plan.sampling {
        JointSampling::Independent => of_units(outcomes, 1, plan.confidence.tail()),
        JointSampling::Antithetic => of_units(outcomes, 2, plan.confidence.tail()),
        JointSampling::Sobol => of_scrambles(outcomes, plan.confidence.tail()),
    };
    SimulatedTail {
        paths: plan.paths,
        seed: plan.seed,
        sampling: plan.sampling,
        confidence: plan.confidence.level(),
        horizon_periods: plan.horizon_periods,
        mean,
        value_at_risk,
        expected_shortfall: Estimate {
            value: expected_shortfall.value.max(value_at_risk.value),
            ..expected_shortfall
        },
    }
}

/// Mean, value at risk and expected shortfall of independent units of `size` paths.
fn of_units(outcomes: &[f64], size: usize, tail: f64) -> [Estimate; 3] {
    let count = outcomes.len();
    let units = (count / size) as f64;
    let least = (tail * (1.0 - tail) / units).sqrt();
    let worst = worst_ascending(outcomes, tail + MARGIN * least);
    let at = |p: f64| quantile_of_worst(&worst, count, p.clamp(0.0, 1.0));
    let low = at(tail);
    // One pass over the paths, in their order.
    let (mut total, mut total_squares) = (0.0, 0.0);
    let (mut inside, mut beyond, mut beyond_squares) = (0.0, 0.0, 0.0);
    let centre = outcomes[0];
    for unit in outcomes.chunks_exact(size) {
        let (mut sum, mut hits, mut depth) = (0.0, 0.0, 0.0);
        for value in unit {
            sum += value - centre;
            if *value <= low {
                hits += 1.0;
                depth += low - value;
            }
        }
        total += sum;
        total_squares += sum * sum;
        inside += hits * hits;
        beyond += depth;
        beyond_squares += depth * depth;
    }
    let scale = size as f64;
    let deviation_of = |squares: f64, sum: f64| {
        let variance = (squares / units - (sum / units).powi(2)).max(0.0) / (scale * scale);
        (variance / (units - 1.0)).sqrt()
    };
    let hit_error = deviation_of(inside, tail * count as f64);
    let hit_error = if hit_error > 0.0 { hit_error } else { least };
    // Half a distance that reaches beyond what was put in order would be too short.
    let width = hit_error.min(MARGIN * least);
    let quantile_error = (at(tail + width) - at(tail - width)) / 2.0 * (hit_error / width);
    [
        Estimate {
            value: centre + total / count as f64,
            standard_error: deviation_of(total_squares, total),
        },
        Estimate { value: 0.0 - low, standard_error: quantile_error },
        Estimate {
            value: empirical_shortfall(&worst, count, tail),
            standard_error: deviation_of(beyond_squares, beyond) / tail,
        },
    ]
}

/// Mean, value at risk and shortfall of a sample.
fn figures(outcomes: &[f64], tail: f64) -> [f64; 3] {
    let count = outcomes.len();
    let worst = worst_ascending(outcomes, tail);
    let mean = compensated_sum(outcomes.iter().copied()) / count as f64;
    let low = quantile_of_worst(&worst, count, tail);
    [mean, 0.0 - low, empirical_shortfall(&worst, count, tail)]
}

/// The figures of all paths, with the errors of the mean over scramblings, each of which is one
/// contiguous part. A quantile of a part is biased by its size, so that the parts give the error
/// but not the value.
fn of_scrambles(outcomes: &[f64], tail: f64) -> [Estimate; 3] {
    let parts: Vec<[f64; 3]> =
        outcomes.chunks_exact(outcomes.len() / SCRAMBLES).map(|part| figures(part, tail)).collect();
    let (n, all) = (parts.len() as f64, figures(outcomes, tail));
    [0, 1, 2].map(|k| {
        let mean = compensated_sum(parts.iter().map(|f| f[k])) / n;
        let squares = compensated_sum(parts.iter().map(|f| (f[k] - mean).powi(2)));
        Estimate { value: all[k], standard_error: (squares / (n - 1.0) / n).sqrt() }
    })
}

/// The lowest share of the outcomes in ascending order, with one more for interpolation.
fn worst_ascending(outcomes: &[f64], share: f64) -> Vec<f64> {
    let mut values = outcomes.to_vec();
    let touched = floor_index(values.len() as f64 * share) + 2;
    if touched < values.len() {
        values.select_nth_unstable_by(touched, f64::total_cmp);
        values.truncate(touched);
    }
    values.sort_unstable_by(f64::total_cmp);
    values
}
