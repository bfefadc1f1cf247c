//! Track records, resampling and stresses that have no answer.

use quant::bootstrap::BootstrapError;
use quant::stress::StressError;
use quant::track::TrackError;
use serde_json::json;
use wire::Failure;

use super::{Fields, of_joint, of_metrics, of_stats, refused, tails::stopped};

/// A track record that cannot be judged.
pub(crate) fn of_track(error: TrackError, fields: &Fields<'_>) -> Failure {
    let told = error.to_string();
    match error {
        TrackError::Series(error) => of_stats(error, fields),
        TrackError::Metrics(error) => of_metrics(error, fields),
        TrackError::Parameter { field, value, rule } => fields.parameter(field, value, rule),
        TrackError::Count { field, value, rule } => fields.parameter(field, value, rule),
        TrackError::ImpossibleMoments { sharpe, skewness, kurtosis } => refused(
            "IMPOSSIBLE_MOMENTS",
            told,
            &[("sharpe", sharpe), ("skewness", skewness), ("kurtosis", kurtosis)],
        ),
        TrackError::ConstantStrategy { strategy } => {
            Failure::refused("CONSTANT_STRATEGY", told).with("strategy", json!(strategy))
        }
    }
}

/// A resampling that cannot be done.
pub(crate) fn of_bootstrap(error: BootstrapError, fields: &Fields<'_>) -> Failure {
    let told = error.to_string();
    match error {
        BootstrapError::Series(error) => of_stats(error, fields),
        BootstrapError::Parameter { field, value, rule } => fields.parameter(field, value, rule),
        BootstrapError::Count { field, value, min, max } => fields.count(field, value, (min, max)),
        BootstrapError::Statistic { replicate, .. } => {
            Failure::refused("STATISTIC_UNDEFINED", told).with("replicate", json!(replicate))
        }
        BootstrapError::Stopped => stopped(),
    }
}

/// A stress that cannot be applied.
pub(crate) fn of_stress(error: StressError, fields: &Fields<'_>) -> Failure {
    let told = error.to_string();
    match error {
        StressError::Series(error) => of_stats(error, fields),
        StressError::Matrix(error) => of_joint(error, fields),
        StressError::Parameter { field, value, rule } => fields.parameter(field, value, rule),
        StressError::Count { field, value, min, max } => fields.count(field, value, (min, max)),
        StressError::BelowTotalLoss { asset, period, value } => {
            let field = format!("{}[{period}]", (fields.asset)(asset));
            Failure::invalid(&field, value, "must be at least -1, a total loss", json!(-0.5))
        }
        StressError::CompoundOverflow { asset } => {
            Failure::refused("COMPOUND_OUT_OF_RANGE", told).with("asset", json!(asset))
        }
        StressError::RedundantFactor { factor } => {
            Failure::refused("REDUNDANT_FACTOR", told).with("factor", json!(factor))
        }
        StressError::RepeatedShock { factor } => {
            Failure::refused("REPEATED_SHOCK", told).with("factor", json!(factor))
        }
    }
}
