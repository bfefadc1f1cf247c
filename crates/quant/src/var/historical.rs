//! The tail of the sample itself.

use super::{Confidence, HorizonRule, Method, TailRisk, VarError};
use crate::stats::{Series, compensated_sum, floor_index, quantile_sorted, sorted};

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
    let ascending = sorted(&outcomes);
    let value_at_risk = -quantile_sorted(&ascending, confidence.tail());
    let expected_shortfall = shortfall(&ascending, confidence.tail());
    Ok(TailRisk {
        method: Method::Historical,
        confidence: confidence.level(),
        horizon_periods: horizon,
        horizon_rule,
        observations: series.len(),
        value_at_risk,
        // The shortfall is at least the interpolated quantile; only rounding can say otherwise.
        expected_shortfall: expected_shortfall.max(value_at_risk),
        tail_observations: ascending.len() as f64 * confidence.tail(),
        cornish_fisher: None,
    })
}

/// The mean loss of the worst `n * tail` of ascending returns, the last of them by the fraction
/// that is needed (Rockafellar & Uryasev 2002, proposition 8; Acerbi & Tasche 2002). With less
/// than one observation in the tail it is the worst one.
pub(crate) fn shortfall(ascending: &[f64], tail: f64) -> f64 {
    let wanted = (ascending.len() as f64 * tail).min(ascending.len() as f64);
    let whole = floor_index(wanted);
    let worst = compensated_sum(ascending.iter().take(whole).copied());
    let boundary = ascending.get(whole).map_or(0.0, |x| x * (wanted - whole as f64));
    -(worst + boundary) / wanted
}

/// Compounds every overlapping window of the horizon.
///
/// Scaling a one-period quantile by the square root of time would assume away the very tail that
/// the method looks at. Overlap adds no information, so that the sample must hold at least
/// `horizon / (1 - confidence)` returns: one window without overlap in the tail.
fn compounded_windows(
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
