//! The tail of assets by simulation of their joint law.

use quant::joint::{Joint, JointPlan, JointSampling, Marginal, rank_correlation, simulate_tail};
use quant::var::Confidence;
use serde_json::json;
use wire::Failure;

use super::held::{Held, Moments};
use super::measure::{Fit, Measured, ONE_PERIOD, count};
use super::{Law, Params};
use crate::refusals::{Fields, of_joint};
use crate::seed::seed_or_chosen;

/// The most periods of all assets: one block of paths must take no more than about a second.
const PERIODS_OF_ASSETS_MAX: u64 = 20_000;

/// The tail of the law that is fitted to the sample.
pub(super) fn monte_carlo(
    params: &Params,
    (held, confidence): (&Held, Confidence),
    fields: &Fields<'_>,
    is_cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Measured, Failure> {
    let refuse = |error| of_joint(error, fields);
    let (assets, weights) = held.as_assets(fields)?;
    let of_all = u64::from(params.horizon) * u64::try_from(weights.len()).unwrap_or(u64::MAX);
    if of_all > PERIODS_OF_ASSETS_MAX {
        let rule = format!("times assets must be at most {PERIODS_OF_ASSETS_MAX}");
        return Err(Failure::invalid("horizon", params.horizon, &rule, json!(1)));
    }
    let freedom = params.degrees_of_freedom.unwrap_or(f64::NAN);
    let (law, repair, said) = match params.law {
        Some(Law::GaussianCopula | Law::TCopula) => {
            let ranks = rank_correlation(&assets).map_err(refuse)?;
            let marginals = assets.assets().iter().cloned().map(Marginal::Empirical).collect();
            let law = if params.law == Some(Law::TCopula) {
                Joint::t_copula(marginals, &ranks.correlation, freedom)
            } else {
                Joint::gaussian_copula(marginals, &ranks.correlation)
            };
            let said = "assets keep their own samples and are bound by a copula with the correlation \
                        of Kendall's tau";
            (law.map_err(refuse)?, Some(ranks.repair_distance), said)
        }
        law => {
            let Moments { mean, covariance } = Moments::of(&assets, fields)?;
            let law = if law == Some(Law::StudentT) {
                Joint::student_t(&mean, &covariance, freedom)
            } else {
                Joint::normal(&mean, &covariance)
            };
            (law.map_err(refuse)?, None, "means and covariance are the sample's")
        }
    };
    let plan = JointPlan {
        paths: count(params.paths),
        seed: seed_or_chosen(params.seed),
        sampling: JointSampling::Independent,
        confidence,
        horizon_periods: params.horizon,
        threads: 1,
    };
    let found = simulate_tail(&law, &weights, &plan, is_cancelled).map_err(refuse)?;
    Ok(Measured {
        value_at_risk: found.value_at_risk.value,
        expected_shortfall: found.expected_shortfall.value,
        tail_observations: None,
        horizon_rule: if params.horizon == 1 {
            ONE_PERIOD.to_owned()
        } else {
            "independent periods along which bought and held assets compound".to_owned()
        },
        cornish_fisher: None,
        fit: Some(Fit {
            paths: Some(found.paths),
            seed: Some(found.seed),
            var_error: Some(found.value_at_risk.standard_error),
            expected_shortfall_error: Some(found.expected_shortfall.standard_error),
            correlation_repair: repair,
            ..Fit::default()
        }),
        assumptions: vec![said.to_owned()],
    })
}
