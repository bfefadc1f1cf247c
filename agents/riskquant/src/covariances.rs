//! How covariance is estimated, for every tool that needs one.

use quant::covariance::{
    Centre, CovarianceEstimator, GerberStatistic, Noise, OasForm, ShrinkageTarget,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::{Failure, Violation};

use crate::choice::word;

/// The bandwidth of Lopez de Prado (2020, chapter 2).
const DENOISING_BANDWIDTH: f64 = 0.01;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Covariance {
    // With n - 1.
    Sample,
    // Shrunk to equal variances.
    // Ledoit & Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices.
    LedoitWolfIdentity,
    // Shrunk to one correlation.
    // Ledoit & Wolf (2004), Honey, I shrunk the sample covariance matrix.
    LedoitWolfConstantCorrelation,
    // Shrunk to one market factor.
    // Ledoit & Wolf (2003), Improved estimation of the covariance matrix of stock returns.
    LedoitWolfSingleFactor,
    // Chen, Wiesel, Eldar & Hero (2010), Shrinkage algorithms for MMSE covariance estimation.
    OracleApproximating,
    Ewma,
    // Gerber, Markowitz, Ernst, Miao, Javid & Sargen (2022), The Gerber statistic.
    Gerber,
    // Without the eigenvalues of noise.
    // Lopez de Prado (2020), Machine learning for asset managers, chapter 2.
    Denoised,
}

// === impl Covariance ===

impl Covariance {
    /// The estimator; ewma needs its decay and gerber its threshold, the others have none.
    pub(crate) fn estimator(self, parameter: Option<f64>) -> Result<CovarianceEstimator, Failure> {
        let needs = matches!(self, Self::Ewma | Self::Gerber);
        let value = match (needs, parameter) {
            (true, Some(value)) => value,
            (false, None) => f64::NAN,
            (true, None) => {
                let rule = format!("is required for the covariance {}", word(self));
                let field = "covariance_parameter";
                return Err(Failure::invalid(field, "missing", &rule, json!(0.94)));
            }
            (false, Some(value)) => {
                let (field, value) = ("covariance_parameter".to_owned(), value.to_string());
                let rule = "is for the covariances ewma and gerber; leave it out".to_owned();
                let violation = Violation { field, value, rule, example: None };
                return Err(Failure::invalid_params(vec![violation]));
            }
        };
        Ok(match self {
            Self::Sample => CovarianceEstimator::Sample,
            Self::LedoitWolfIdentity => CovarianceEstimator::LedoitWolf(ShrinkageTarget::Identity),
            Self::LedoitWolfConstantCorrelation => {
                CovarianceEstimator::LedoitWolf(ShrinkageTarget::ConstantCorrelation)
            }
            Self::LedoitWolfSingleFactor => {
                CovarianceEstimator::LedoitWolf(ShrinkageTarget::SingleFactor)
            }
            Self::OracleApproximating => CovarianceEstimator::OracleApproximating(OasForm::Exact),
            Self::Ewma => CovarianceEstimator::Ewma { decay: value, centre: Centre::Mean },
            Self::Gerber => {
                CovarianceEstimator::Gerber { threshold: value, statistic: GerberStatistic::Two }
            }
            Self::Denoised => CovarianceEstimator::Denoised {
                noise: Noise::ConstantResidual,
                modes_removed: 0,
                bandwidth: DENOISING_BANDWIDTH,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_asked_for_where_it_is_needed_and_refused_where_it_is_not() {
        let failure = Covariance::Ewma.estimator(None).unwrap_err();
        assert_eq!(
            failure.message,
            "`covariance_parameter` is missing but is required for the covariance ewma, for example \
             0.94"
        );
        let failure = Covariance::Sample.estimator(Some(0.5)).unwrap_err();
        assert_eq!(
            failure.message,
            "`covariance_parameter` is 0.5 but is for the covariances ewma and gerber; leave it out"
        );
        assert!(Covariance::Gerber.estimator(Some(0.5)).is_ok());
    }
}
