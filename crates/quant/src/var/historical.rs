//! The tail of the sample itself.

use super::{Confidence, HorizonRule, Method, TailRisk, VarError};
use crate::stats::{Series, compensated_sum, floor_index, quantile_of_worst};

pub(super) fn tail_risk(
    series: Series<'_>,
    confidence: Confidence,
    horizon: u32,
) -> Result<TailRisk, VarError> {
    let (outcomes, horizon_rule) = if horizon == 1 {
        (series.values().to_vec(), HorizonRule::OnePeriod)
    } else {
        let windows = compounded_windows(series, confidence, horizon)?;
        let count = windows.len();
        (windows, HorizonRule::OverlappingWindows { windows: count })
    };
    let count = outcomes.len();
    let worst = worst_ascending(outcomes, confidence.tail());
    // From zero, so that no loss is not negative zero.
    let value_at_risk = 0.0 - quantile_of_worst(&worst, count, confidence.tail());
    let expected_shortfall = shortfall(&worst, count, confidence.tail());
    Ok(TailRisk {
        method: Method::Historical,
        confidence: confidence.level(),
        horizon_periods: horizon,
        horizon_rule,
        observations: series.len(),
        value_at_risk,
        // The shortfall is at least the interpolated quantile; only rounding can say otherwise.
        expected_shortfall: expected_shortfall.max(value_at_risk),
        tail_observations: count as f64 * confidence.tail(),
        cornish_fisher: None,
    })
}

/// The lowest values in ascending order, as many as the tail and its boundary touch: a selection,
/// because only they need to be in order.
fn worst_ascending(mut values: Vec<f64>, tail: f64) -> Vec<f64> {
    let touched = floor_index(values.len() as f64 * tail) + 2;
    if touched < values.len() {
        values.select_nth_unstable_by(touched, f64::total_cmp);
        values.truncate(touched);
    }
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The mean loss of the worst `count * tail` of ascending returns, the last of them by the
/// fraction that is needed (Rockafellar & Uryasev 2002, proposition 8; Acerbi & Tasche 2002). With
/// less than one observation in the tail it is the worst one.
pub(crate) fn shortfall(worst: &[f64], count: usize, tail: f64) -> f64 {
    let wanted = count as f64 * tail;
    let whole = floor_index(wanted);
    let sum = compensated_sum(worst.iter().take(whole).copied());
    let boundary = worst.get(whole).map_or(0.0, |x| x * (wanted - whole as f64));
    0.0 - (sum + boundary) / wanted
}

/// Compounds every overlapping window of the horizon.
///
/// Scaling a one-period quantile by the square root of time would assume away the very tail that
/// the method looks at. Overlap adds no information, so that the sample must hold at least
/// `horizon / (1 - confidence)` returns: one window without overlap in the tail.
pub(crate) fn compounded_windows(
    series: Series<'_>,
    confidence: Confidence,
    horizon: u32,
) -> Result<Vec<f64>, VarError> {
    let independent = f64::from(horizon) / confidence.tail();
    // The tail of 0.95 is not exactly a twentieth; 200.00000000000017 asks for 200.
    let required = floor_index((independent * (1.0 - 1e-9)).ceil());
    if series.len() < required {
        return Err(VarError::HorizonTooLong {
            confidence: confidence.level(),
            horizon,
            required,
            len: series.len(),
        });
    }
    if let Some((index, &value)) = series.values().iter().enumerate().find(|(_, r)| **r < -1.0) {
        return Err(VarError::BelowTotalLoss { index, value });
    }
    let logs: Vec<f64> = series.values().iter().map(|r| r.ln_1p()).collect();
    let length = usize::try_from(horizon).expect("invariant: a u32 fits into a usize");
    let compound = |(index, window): (usize, &[f64])| {
        let growth = compensated_window(window).exp_m1();
        if growth.is_finite() { Ok(growth) } else { Err(VarError::CompoundOverflow { index }) }
    };
    logs.windows(length).enumerate().map(compound).collect()
}

/// The sum of log returns; a total loss stays one, where compensation would make it NaN.
fn compensated_window(logs: &[f64]) -> f64 {
    if logs.contains(&f64::NEG_INFINITY) {
        f64::NEG_INFINITY
    } else {
        compensated_sum(logs.iter().copied())
    }
}
