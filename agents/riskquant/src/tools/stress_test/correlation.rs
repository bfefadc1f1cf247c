//! The tail when correlations and volatilities jump.

use quant::attribution::{Attribution, Shape, attribute_elliptical};
use quant::covariance::{CovarianceEstimator, Divisor, estimate};
use quant::stats::AssetReturns;
use quant::stress::Target;
use quant::var::Confidence;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::Failure;

use super::stressed_covariance;
use crate::refusals::{Fields, of_attribution, of_covariance, of_stress, of_var};

/// How far they jump.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct CorrelationParams {
    /// Confidence of the tail.
    #[schemars(extend("exclusiveMinimum" = 0.5, "exclusiveMaximum" = 1.0, "examples" = [0.95]))]
    confidence: f64,
    /// Share of the way to 1.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.5]))]
    share: f64,
    /// Factor of every volatility: 2 doubles it.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [2.0]))]
    volatility_multiplier: f64,
}

/// The tail of one period, by a normal law around zero.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CorrelationStress {
    /// Value at risk before.
    var_before: f64,
    /// Value at risk after.
    var_after: f64,
    /// Expected shortfall before.
    expected_shortfall_before: f64,
    /// Expected shortfall after.
    pub(super) expected_shortfall_after: f64,
}

// === impl CorrelationParams ===

impl CorrelationParams {
    pub(super) fn apply(
        &self,
        returns: &AssetReturns,
        weights: &[f64],
        fields: &Fields<'_>,
    ) -> Result<CorrelationStress, Failure> {
        let confidence =
            Confidence::try_new(self.confidence).map_err(|error| of_var(error, fields))?;
        let rows = estimate(returns, CovarianceEstimator::Sample, Divisor::PeriodsLessOne)
            .map_err(|error| of_covariance(error, &[], fields))?
            .rows();
        let stressed =
            stressed_covariance(&rows, Target::One, self.share, self.volatility_multiplier)
                .map_err(|error| of_stress(error, fields))?;
        let none = vec![0.0; weights.len()];
        let tail = |rows: &[Vec<f64>]| -> Result<Attribution, Failure> {
            attribute_elliptical(weights, (&none, rows), Shape::Normal, confidence, 1)
                .map_err(|error| of_attribution(error, fields))
        };
        let (before, after) = (tail(&rows)?.total, tail(&stressed)?.total);
        Ok(CorrelationStress {
            var_before: before.value_at_risk,
            var_after: after.value_at_risk,
            expected_shortfall_before: before.expected_shortfall,
            expected_shortfall_after: after.expected_shortfall,
        })
    }
}
