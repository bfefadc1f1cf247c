//! What is held, as one series and by its assets.

use quant::attribution::{Attribution, Shape, attribute_elliptical, attribute_historical};
use quant::covariance::{self, CovarianceEstimator, Divisor};
use quant::metrics::portfolio_returns;
use quant::stats::{AssetReturns, Series};
use quant::var::Confidence;
use schemars::JsonSchema;
use serde::Serialize;
use wire::Failure;

use super::{Method, Params};
use crate::refusals::{Fields, of_attribution, of_covariance, of_stats};

/// What is held.
pub(super) struct Held {
    /// The returns of all of it.
    pub(super) returns: Vec<f64>,
    pub(super) assets: Option<(AssetReturns, Vec<f64>)>,
}

/// One asset's part of the loss; the parts add up to it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Component {
    /// Its part of the value at risk, negative when it hedges.
    var_fraction: f64,
    /// Its part of the expected shortfall.
    expected_shortfall_fraction: f64,
    /// What a little more of it adds to the value at risk, per unit of weight.
    marginal_var: f64,
    /// The value at risk less that without the asset.
    incremental_var: f64,
}

/// Means and covariance of the sample, per period.
pub(super) struct Moments {
    pub(super) mean: Vec<f64>,
    pub(super) covariance: Vec<Vec<f64>>,
}

// === impl Held ===

impl Held {
    pub(super) fn of(params: &Params, fields: &Fields<'_>) -> Result<Self, Failure> {
        let stats = |error| of_stats(error, fields);
        let Some(series) = &params.asset_returns else {
            let returns = params.returns.clone().unwrap_or_default();
            return Ok(Self { returns, assets: None });
        };
        let weights = params.weights.clone().unwrap_or_default();
        let assets = AssetReturns::try_new(series.clone(), 2).map_err(stats)?;
        let returns = portfolio_returns(&assets, &weights).map_err(stats)?;
        Ok(Self { returns, assets: Some((assets, weights)) })
    }

    /// The assets, or all of it as one.
    pub(super) fn as_assets(
        &self,
        fields: &Fields<'_>,
    ) -> Result<(AssetReturns, Vec<f64>), Failure> {
        if let Some((assets, weights)) = &self.assets {
            return Ok((assets.clone(), weights.clone()));
        }
        let one = AssetReturns::try_new(vec![self.returns.clone()], 2);
        Ok((one.map_err(|error| of_stats(error, fields))?, vec![1.0]))
    }

    /// Each asset's part of the loss.
    pub(super) fn components(
        &self,
        params: &Params,
        confidence: Confidence,
        fields: &Fields<'_>,
    ) -> Result<Vec<Component>, Failure> {
        let (assets, weights) = self.as_assets(fields)?;
        let attributed: Attribution = if params.method == Method::Historical {
            attribute_historical(&assets, &weights, confidence)
        } else {
            let Moments { mean, covariance } = Moments::of(&assets, fields)?;
            let law = (mean.as_slice(), covariance.as_slice());
            attribute_elliptical(&weights, law, Shape::Normal, confidence, params.horizon)
        }
        .map_err(|error| of_attribution(error, fields))?;
        let positions = attributed.positions.iter();
        Ok(positions
            .map(|position| Component {
                var_fraction: position.component.value_at_risk,
                expected_shortfall_fraction: position.component.expected_shortfall,
                marginal_var: position.marginal.value_at_risk,
                incremental_var: position.incremental.value_at_risk,
            })
            .collect())
    }
}

// === impl Moments ===

impl Moments {
    pub(super) fn of(assets: &AssetReturns, fields: &Fields<'_>) -> Result<Self, Failure> {
        let covariance =
            covariance::estimate(assets, CovarianceEstimator::Sample, Divisor::PeriodsLessOne)
                .map_err(|error| of_covariance(error, &[], fields))?
                .rows();
        let means = assets
            .assets()
            .iter()
            .map(|series| Series::try_new("returns", series, 2).map(|series| series.mean()));
        let mean = means.collect::<Result<_, _>>().map_err(|error| of_stats(error, fields))?;
        Ok(Self { mean, covariance })
    }
}
