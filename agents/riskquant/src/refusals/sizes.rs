//! Bets that cannot be sized.

use quant::kelly::KellyError;
use serde_json::json;
use wire::Failure;

use super::{Fields, of_joint, of_stats, refused};

/// A bet that cannot be sized.
pub(crate) fn of_kelly(error: KellyError, fields: &Fields<'_>) -> Failure {
    let told = error.to_string();
    match error {
        KellyError::Probability { field, value } => {
            fields.parameter(field, value, "between 0 and 1")
        }
        KellyError::WinReturn(value) => {
            fields.parameter("win_return", value, "positive, from 1e-30 to 1e30")
        }
        KellyError::LossReturn(value) => {
            fields.parameter("loss_return", value, "negative, from -1e30 to -1e-30")
        }
        KellyError::Multiplier(value) => {
            fields.parameter("kelly_fraction", value, "above 0 and at most 1")
        }
        KellyError::Ruinous { fraction, ruin } => {
            refused("RUINOUS", told, &[("fraction", fraction), ("ruin", ruin)])
        }
        KellyError::OutcomeCount { len, max } => {
            let rule = format!("must have from 2 to {max}");
            Failure::invalid("bets", format!("{len} values"), &rule, (fields.example)("bets"))
        }
        KellyError::ProbabilitySum(sum) => {
            let rule = "must be at most 1 in sum, because no two of them win together";
            Failure::invalid("bets", format!("{sum} in sum"), rule, (fields.example)("bets"))
        }
        KellyError::Exclusive { index, field, value, rule } => {
            let field = format!("bets[{index}].{field}");
            Failure::invalid(&field, value, &format!("must be {rule}"), json!(0.4))
        }
        KellyError::NoLoss => {
            Failure::refused("NO_LOSS", "no return is a loss: growth has no maximum")
        }
        KellyError::Parameter { field, value, rule } => fields.parameter(field, value, rule),
        KellyError::Series(error) => of_stats(error, fields),
        KellyError::Covariance(error) => of_joint(error, fields),
        KellyError::Redundant { asset, share } => {
            refused("REDUNDANT_ASSET", told, &[("own_variance_share", share)])
                .with("asset", json!(asset))
        }
        KellyError::Cap(_)
        | KellyError::Fraction(_)
        | KellyError::OutcomeReturn { .. }
        | KellyError::OutcomeProbability { .. } => Failure::refused("NO_SIZE", told),
    }
}
