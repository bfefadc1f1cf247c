//! Decides whether forecasts of tail loss were honest: coverage, independence, zones, shortfall.
//!
//! A breach is a loss strictly greater than the value at risk that was forecast for its period,
//! everywhere: a loss that equals the forecast was not exceeded. `0 ln 0` is zero, so that no
//! breach, or nothing but breaches, has a likelihood like any other count.
//!
//! # Invariants
//!
//! * Losses and forecasts are positive for a loss, aligned period by period, and finite.
//! * A statistic is zero or positive; its p-value is within `[0, 1]`.
//! * A p-value by simulation names its seed and has a standard error.

mod coverage;
mod shortfall;

use thiserror::Error;

use crate::{
    stats::{Series, StatsError},
    var::Confidence,
};

pub use coverage::{
    Coverage, IndependenceTest, LikelihoodRatio, TrafficLight, Transitions, Zone, coverage, kupiec,
    traffic_light,
};
pub use shortfall::{
    LossLaw, ShortfallForecast, ShortfallTest, ShortfallTests, Simulation, acerbi_szekely,
};

/// Why a back-test was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum BacktestError {
    /// The losses or forecasts are unusable.
    #[error(transparent)]
    Series(#[from] StatsError),
    /// More breaches than periods, or no period.
    #[error(
        "breaches {breaches} of {periods} periods; there must be 1 period and no more breaches"
    )]
    Counts {
        /// The breaches.
        breaches: usize,
        /// The periods.
        periods: usize,
    },
    /// A forecast shortfall below the forecast value at risk, or not positive where the test
    /// divides by it.
    #[error("expected_shortfall[{index}] is {value}; it must be positive and at least {least}")]
    Shortfall {
        /// The period, from zero.
        index: usize,
        /// The forecast shortfall.
        value: f64,
        /// The forecast value at risk.
        least: f64,
    },
    /// A parameter of the simulated law.
    #[error("{field} {value} must be {rule}")]
    Law {
        /// The parameter.
        field: &'static str,
        /// The value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// Too few or too many simulated histories.
    #[error("histories {0} must be between 100 and 1000000")]
    Histories(usize),
}

/// Losses beside the value at risk that was forecast for each.
#[derive(Clone, Debug, PartialEq)]
pub struct Breaches {
    confidence: Confidence,
    hits: Vec<bool>,
}

// === impl Breaches ===

impl Breaches {
    /// Marks each period in which the loss is strictly greater than its forecast.
    ///
    /// # Errors
    ///
    /// [`BacktestError::Series`] for empty, unusable or misaligned series.
    pub fn of(
        losses: &[f64],
        value_at_risk: &[f64],
        confidence: Confidence,
    ) -> Result<Self, BacktestError> {
        let losses = Series::try_new("losses", losses, 1)?;
        let forecasts = aligned("value_at_risk", value_at_risk, losses)?;
        let pairs = losses.values().iter().zip(forecasts.values());
        Ok(Self { confidence, hits: pairs.map(|(loss, var)| loss > var).collect() })
    }

    /// Breaches that were marked elsewhere, one entry a period.
    ///
    /// # Errors
    ///
    /// [`BacktestError::Series`] without a period.
    pub fn of_hits(hits: Vec<bool>, confidence: Confidence) -> Result<Self, BacktestError> {
        if hits.is_empty() {
            return Err(StatsError::TooShort { series: "hits", len: 0, required: 1 }.into());
        }
        Ok(Self { confidence, hits })
    }

    /// The confidence of the forecasts.
    pub fn confidence(&self) -> Confidence {
        self.confidence
    }

    /// Which periods were breached.
    pub fn hits(&self) -> &[bool] {
        &self.hits
    }

    /// How many periods.
    pub fn periods(&self) -> usize {
        self.hits.len()
    }

    /// How many breaches.
    pub fn count(&self) -> usize {
        self.hits.iter().filter(|hit| **hit).count()
    }
}

fn aligned<'a>(
    name: &'static str,
    values: &'a [f64],
    losses: Series<'_>,
) -> Result<Series<'a>, StatsError> {
    let series = Series::try_new(name, values, 1)?;
    if series.len() != losses.len() {
        return Err(StatsError::Misaligned {
            series: name,
            len: series.len(),
            reference: losses.name(),
            required: losses.len(),
        });
    }
    Ok(series)
}

#[cfg(test)]
mod tests;
