//! Views on returns, and what they make of a prior.

use quant::metrics::Basis;
use quant::portfolio::Estimates;
use quant::views::{Prior, Uncertainty, View, black_litterman};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use wire::Failure;

use crate::refusals::{Fields, of_views};

/// Views, and the prior that they are blended with.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Views {
    /// All with a confidence, or none.
    #[schemars(
        length(max = 50),
        extend("examples" = [[{"loadings": [1.0, -1.0, 0.0], "expected_return": 0.001}]])
    )]
    views: Vec<OneView>,
    /// Variance of the prior mean over the assets' own.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [0.05]))]
    tau: f64,
    /// With risk_aversion, makes the prior.
    #[schemars(length(max = 500), extend("examples" = [[0.5, 0.3, 0.2]]))]
    market_weights: Option<Vec<f64>>,
    /// The market's.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [2.5]))]
    risk_aversion: Option<f64>,
}

// A view: weights of a portfolio, and its return.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneView {
    /// One an asset: 1 and -1 for one against another.
    #[schemars(length(max = 500), extend("examples" = [[1.0, -1.0, 0.0]]))]
    loadings: Vec<f64>,
    /// Return per period.
    #[schemars(extend("examples" = [0.001]))]
    expected_return: f64,
    /// Without it as sure as the prior.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.5]))]
    confidence: Option<f64>,
}

// === impl Views ===

impl Views {
    /// Means and covariance after the views.
    pub(super) fn posterior(
        &self,
        sample: &Estimates,
        basis: &Basis,
        (names, fields): (&[String], &Fields<'_>),
    ) -> Result<Estimates, Failure> {
        let prior = match (&self.market_weights, self.risk_aversion) {
            (Some(market_weights), Some(risk_aversion)) => Prior::Equilibrium {
                market_weights: market_weights.clone(),
                risk_aversion,
                risk_free: basis.risk_free_per_period(),
            },
            (None, None) => Prior::Mean(sample.mean().to_vec()),
            (market, _) => {
                let (missing, given, example) = match market {
                    Some(_) => ("risk_aversion", "market_weights", json!(2.5)),
                    None => ("market_weights", "risk_aversion", json!([0.5, 0.3, 0.2])),
                };
                let field = format!("black_litterman.{missing}");
                let rule = format!("is required with {given}");
                return Err(Failure::invalid(&field, "missing", &rule, example));
            }
        };
        let views: Vec<View> = self.views.iter().map(View::from).collect();
        let told: Vec<f64> = self.views.iter().filter_map(|view| view.confidence).collect();
        let uncertainty = match told.len() {
            0 => Uncertainty::Proportional,
            all if all == views.len() => Uncertainty::Confidences(told),
            some => {
                let value = format!("given by {some} of {}", views.len());
                let rule = "must be given by all views, or by none";
                let field = "black_litterman.views.confidence";
                return Err(Failure::invalid(field, value, rule, json!(0.5)));
            }
        };
        black_litterman(sample.covariance(), &prior, (&views, &uncertainty), self.tau)
            .map(|posterior| posterior.estimates)
            .map_err(|error| of_views(error, names, fields))
    }
}

impl From<&OneView> for View {
    fn from(view: &OneView) -> Self {
        Self { loadings: view.loadings.clone(), expected_return: view.expected_return }
    }
}
