//! What one asset's price follows when it is not a geometric Brownian path.

use domain::Amount;
use quant::bootstrap::block_length;
use quant::simulate::{
    Heston, Merton, Outcome, Plan, Process, simulate_process, simulate_resampled,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::AmountText;
use wire::{Failure, Violation};

use super::Params;
use crate::choice::Choice;
use crate::limits::number;
use crate::refusals::{Fields, of_bootstrap, of_simulate};

/// What was simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Model {
    GeometricBrownian,
    Merton,
    Heston,
    BlockBootstrap,
}

/// Jumps of the price.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Jumps {
    /// In the mean.
    #[schemars(range(min = 0.0), extend("examples" = [4.0]))]
    per_year: f64,
    /// Mean logarithm: -0.1 falls about a tenth.
    #[schemars(extend("examples" = [-0.1]))]
    mean: f64,
    /// Of that logarithm.
    #[schemars(range(min = 0.0), extend("examples" = [0.15]))]
    deviation: f64,
}

/// A variance that moves.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Variance {
    /// Per year: 60 % is 0.36.
    #[schemars(range(min = 0.0), extend("examples" = [0.36]))]
    initial: f64,
    /// To which it returns.
    #[schemars(range(min = 0.0), extend("examples" = [0.36]))]
    long_run: f64,
    /// Per year.
    #[schemars(extend("examples" = [2.0]))]
    reversion: f64,
    /// Its own, per year.
    #[schemars(range(min = 0.0), extend("examples" = [0.8]))]
    volatility: f64,
    /// With the price.
    #[schemars(range(min = -1.0, max = 1.0), extend("examples" = [-0.5]))]
    correlation: f64,
}

/// Returns that happened.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Sample {
    /// Simple returns, one a step.
    #[schemars(length(max = 10_000), extend("examples" = [[0.01, -0.02, 0.015, -0.005]]))]
    #[serde(default)]
    pub(super) returns: Vec<f64>,
    /// Mean; without it the one that suits.
    #[schemars(range(min = 1.0, max = 10_000.0), extend("examples" = [2.0]))]
    block_length: Option<f64>,
}

/// One asset and what its price follows.
pub(super) enum Single<'a> {
    Process(Process),
    Sample(&'a Sample),
}

// === impl Single ===

impl<'a> Single<'a> {
    /// The model that was asked for; none means a geometric Brownian path.
    pub(super) fn of(params: &'a Params) -> Result<Option<Self>, Failure> {
        let Params { jumps, variance, sample, .. } = params;
        let given = [jumps.is_some(), variance.is_some(), sample.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            let rule = "must be the only one of jumps, variance and sample".to_owned();
            let field = if jumps.is_some() { "jumps" } else { "variance" }.to_owned();
            let violation = Violation { field, value: "given".to_owned(), rule, example: None };
            return Err(Failure::invalid_params(vec![violation]));
        }
        let check = |what: &str, needed: &[&'static str], read: &[&'static str]| {
            Choice { what: what.to_owned(), needed, read }.check::<Params>(&[
                ("initial_value", params.initial_value.is_some()),
                ("drift", params.drift.is_some()),
                ("volatility", params.volatility.is_some()),
                ("holdings", params.holdings.is_some()),
                ("correlation", params.correlation.is_some()),
                ("antithetic", params.antithetic == Some(true)),
            ])
        };
        let drift = params.drift.unwrap_or(f64::NAN);
        if let Some(jumps) = jumps {
            check("jumps", &["initial_value", "drift", "volatility"], &["antithetic"])?;
            return Ok(Some(Self::Process(Process::Merton(Merton {
                drift,
                volatility: params.volatility.unwrap_or(f64::NAN),
                jumps_per_year: jumps.per_year,
                jump_mean: jumps.mean,
                jump_deviation: jumps.deviation,
            }))));
        }
        if let Some(variance) = variance {
            check("variance", &["initial_value", "drift"], &["antithetic"])?;
            return Ok(Some(Self::Process(Process::Heston(Heston {
                drift,
                initial_variance: variance.initial,
                long_run_variance: variance.long_run,
                reversion: variance.reversion,
                volatility_of_variance: variance.volatility,
                correlation: variance.correlation,
            }))));
        }
        let Some(sample) = sample else { return Ok(None) };
        check("sample", &["initial_value"], &[])?;
        Ok(Some(Self::Sample(sample)))
    }

    pub(super) fn model(&self) -> Model {
        match self {
            Self::Process(Process::Merton(_)) => Model::Merton,
            Self::Process(Process::Heston(_)) => Model::Heston,
            Self::Sample(_) => Model::BlockBootstrap,
        }
    }

    /// The outcome, and the length of the blocks where there are any.
    pub(super) fn simulate(
        &self,
        params: &Params,
        plan: &Plan,
        is_cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<(Outcome, Option<f64>), Failure> {
        let AmountText(value) = params.initial_value.expect("invariant: it was checked above");
        let value = worth("initial_value", value, "10000")?;
        let refuse = |error| of_simulate(error, &|_, name| parameter(name).to_owned());
        match self {
            Self::Process(process) => {
                let outcome = simulate_process(value, process, plan, is_cancelled);
                Ok((outcome.map_err(refuse)?, None))
            }
            Self::Sample(Sample { returns, block_length: given }) => {
                let length = match given {
                    Some(length) => *length,
                    None => {
                        let fields = Fields::of::<Params>(parameter);
                        let best = block_length(returns);
                        best.map_err(|error| of_bootstrap(error, &fields))?.stationary
                    }
                };
                let outcome = simulate_resampled(value, (returns, length), plan, is_cancelled);
                Ok((outcome.map_err(refuse)?, Some(length)))
            }
        }
    }

    pub(super) fn assumptions(&self) -> Vec<String> {
        let follows = match self {
            Self::Process(Process::Merton(_)) => {
                "log returns are normal with lognormal jumps, independent in time (Merton 1976); the \
                 drift is that of the mean, jumps included"
            }
            Self::Process(Process::Heston(_)) => {
                "the variance returns to its mean with shocks of its own (Heston 1993)"
            }
            Self::Sample(_) => {
                "blocks of the sample follow one another at random (Politis & Romano 1994)"
            }
        };
        vec![
            follows.to_owned(),
            "the asset is bought and held, without cost".to_owned(),
            "drawdown is seen at the ends of steps only".to_owned(),
        ]
    }
}

/// A value to start from, as a statistic.
pub(super) fn worth(field: &str, value: Amount, example: &str) -> Result<f64, Failure> {
    if value.is_negative() {
        return Err(Failure::invalid(field, value, "must be zero or more", json!(example)));
    }
    Ok(number(value.decimal()))
}

/// The parameter by which a field of the model was given.
fn parameter(name: &str) -> &str {
    match name {
        "jumps_per_year" => "jumps.per_year",
        "jump_mean" => "jumps.mean",
        "jump_deviation" => "jumps.deviation",
        "initial_variance" => "variance.initial",
        "long_run_variance" => "variance.long_run",
        "reversion" => "variance.reversion",
        "volatility_of_variance" => "variance.volatility",
        "correlation" => "variance.correlation",
        "returns" => "sample.returns",
        "block_length" => "sample.block_length",
        other => other,
    }
}
