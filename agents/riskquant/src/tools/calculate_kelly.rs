//! How much of the equity a bet deserves.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use quant::kelly::{
    BinaryBet, Decision, ExclusiveBet, KellyError, estimation_haircut, ruin_probability,
    size_assets, size_continuous, size_exclusive, size_sample,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::{Failure, schema};

use crate::choice::{Choice, word};
use crate::refusals::{Fields, of_kelly};
use crate::stored::{Answered, Dataset, Named, TakesSeries, answered_at_once};
use crate::{Quant, SizingLimits};

mod sized;

use sized::{Sized, Stake};

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "calculate_kelly",
    title: "Kelly position size",
    description: "Sizes bets by the Kelly criterion: one with two outcomes, exclusive ones, a \
                  sample, or assets by mean and variance. Returns are simple fractions (-0.05 \
                  loses 5 %). Gives full Kelly, the share used and the size as a share of equity \
                  under the house's limits.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Answered<KellySize>>,
    run: Run::Waits(|quant, args, _| {
        let run = |quant: &Quant, params: &Params| calculate_kelly(&quant.limits(), params);
        answered_at_once(quant, args, run).boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Without it binary. Continuous is one asset held long, assets several either way.
    method: Option<Method>,
    /// For binary.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.6]))]
    win_probability: Option<f64>,
    /// For binary: simple return per unit staked; 1 doubles the stake.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [1.0]))]
    win_return: Option<f64>,
    /// For binary: below 0; -1 loses the whole stake.
    #[schemars(extend("exclusiveMaximum" = 0.0, "examples" = [-1.0]))]
    loss_return: Option<f64>,
    /// For exclusive: at most one wins, the others lose their stake.
    #[schemars(
        length(max = 64),
        extend("examples" = [[
            {"win_probability": 0.4, "win_return": 2.0}, {"win_probability": 0.3, "win_return": 1.5}
        ]])
    )]
    bets: Option<Vec<Bet>>,
    /// For sample: simple returns per unit staked.
    #[schemars(length(max = 2_000), extend("examples" = [[0.3, -0.2, 0.1, -0.15]]))]
    returns: Option<Vec<f64>>,
    /// Instead of returns.
    dataset: Option<Dataset>,
    /// For continuous and assets: mean return over the risk-free rate, per period.
    #[schemars(length(max = 50), extend("examples" = [[0.001]]))]
    mean_excess: Option<Vec<f64>>,
    /// For the same: of the returns per period, by rows.
    #[schemars(
        length(max = 50),
        inner(length(max = 50)),
        extend("examples" = [[[0.0004]]])
    )]
    covariance: Option<Vec<Vec<f64>>>,
    /// Of win_probability or mean_excess: gives estimation_haircut.
    #[schemars(range(min = 0.0), extend("examples" = [0.0005]))]
    standard_error: Option<f64>,
    /// Share of full Kelly; without it the house's.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0, "examples" = [0.25]))]
    kelly_fraction: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    Binary,
    Exclusive,
    Sample,
    // One asset, held long.
    Continuous,
    // Several, long and short.
    Assets,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Bet {
    /// Probability that it wins.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.4]))]
    win_probability: f64,
    /// Net gain per unit staked.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [2.0]))]
    win_return: f64,
}

/// A size, and how it came about.
#[derive(Debug, Serialize, JsonSchema)]
struct KellySize {
    /// TRADE when the bet has an edge, SKIP when it has none.
    recommendation: Recommendation,
    /// Why.
    reason: String,
    /// What was known.
    method: Method,
    /// Expected simple return per unit staked, or per period. Left out for a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    edge: Option<f64>,
    /// The growth-optimal share of equity, uncapped: above 1 it asks for leverage, below 0 for the
    /// other side of the bet. For a list, the sum of the sizes of its stakes.
    full_kelly: f64,
    /// The share of full Kelly that was used.
    kelly_fraction: f64,
    /// That share of full Kelly, a share of equity, before the cap; 0 without an edge.
    fractional_kelly: f64,
    /// The cap of each position: the house's max_position_size, a share of equity.
    max_allowed: f64,
    /// For a list, the cap of its sum: the house's max_portfolio_risk, a share of equity.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_allowed_total: Option<f64>,
    /// The share of equity to stake: fractional_kelly within the caps.
    final_position_size: f64,
    /// For a list, each stake in its order.
    #[serde(skip_serializing_if = "Option::is_none")]
    stakes: Option<Vec<Stake>>,
    /// Whether a cap decided.
    is_capped: bool,
    /// Expected log growth of equity per bet at final_position_size, exact; for continuous and
    /// assets per period, over the risk-free rate.
    growth_per_bet: f64,
    /// The largest expected log growth per bet, at full Kelly. Left out when the bet cannot lose.
    #[serde(skip_serializing_if = "Option::is_none")]
    growth_per_bet_full_kelly: Option<f64>,
    /// For sample: the stake at which its worst return leaves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    ruin_fraction: Option<f64>,
    /// For continuous and assets: how likely equity is ever at half of its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    probability_of_halving: Option<f64>,
    /// The share of full Kelly that grows best when the edge has standard_error: use at most this
    /// as kelly_fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimation_haircut: Option<f64>,
    /// What was assumed.
    assumptions: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Recommendation {
    Trade,
    Skip,
}

/// The share of full Kelly and the caps.
struct Rules {
    kelly_fraction: f64,
    position_max: f64,
    total_max: f64,
}

fn calculate_kelly(limits: &SizingLimits, params: &Params) -> Result<KellySize, Failure> {
    check(params)?;
    let kelly_fraction = params.kelly_fraction.unwrap_or(limits.kelly_fraction);
    let most = limits.kelly_fraction_max;
    if kelly_fraction > most {
        let rule = format!("must be at most limits.kelly_fraction_max, {most}");
        return Err(Failure::invalid("kelly_fraction", kelly_fraction, &rule, json!(most)));
    }
    let rules = Rules {
        kelly_fraction,
        position_max: limits.max_position_size,
        total_max: limits.max_portfolio_risk,
    };
    let method = params.method.unwrap_or(Method::Binary);
    let fields = Fields::of::<Params>(field);
    let sized = size(method, params, &rules).map_err(|error| of_kelly(error, &fields))?;
    if !(sized.full.is_finite() && sized.growth.is_finite()) {
        let message = "the means are so large that their growth cannot be represented";
        return Err(Failure::refused("VALUES_OUT_OF_RANGE", message));
    }
    let (recommendation, reason) = verdict(&sized, &rules);
    let halving = sized.kelly_share.filter(|share| *share > 0.0);
    let halving = halving.map(|share| ruin_probability(0.5, share)).transpose();
    let is_list = sized.stakes.is_some();
    Ok(KellySize {
        recommendation,
        reason,
        method,
        edge: sized.edge,
        full_kelly: sized.full,
        kelly_fraction,
        fractional_kelly: kelly_fraction * sized.full.max(0.0),
        max_allowed: rules.position_max,
        max_allowed_total: is_list.then_some(rules.total_max),
        final_position_size: sized.fraction,
        stakes: sized.stakes,
        is_capped: sized.is_capped,
        growth_per_bet: sized.growth,
        growth_per_bet_full_kelly: sized.growth_full,
        ruin_fraction: sized.ruin_fraction,
        probability_of_halving: halving.map_err(|error| of_kelly(error, &fields))?,
        estimation_haircut: sized.haircut,
        assumptions: assumptions(method),
    })
}

/// The fields where `quant` has other names for them.
fn field(name: &str) -> &str {
    match name {
        "mean" | "excess_mean" | "means" | "edge" => "mean_excess",
        "deviation" => "covariance",
        "probability_error" | "edge_error" => "standard_error",
        other => other,
    }
}

fn check(params: &Params) -> Result<(), Failure> {
    let (needed, read): (&[&str], &[&str]) = match params.method.unwrap_or(Method::Binary) {
        Method::Binary => (&["win_probability", "win_return", "loss_return"], &["standard_error"]),
        Method::Exclusive => (&["bets"], &[]),
        Method::Sample => (&["returns"], &[]),
        Method::Continuous => (&["mean_excess", "covariance"], &["standard_error"]),
        Method::Assets => (&["mean_excess", "covariance"], &[]),
    };
    let what = params.method.map(|method| format!("method {}", word(method))).unwrap_or_default();
    Choice { what, needed, read }.check::<Params>(&[
        ("win_probability", params.win_probability.is_some()),
        ("win_return", params.win_return.is_some()),
        ("loss_return", params.loss_return.is_some()),
        ("bets", params.bets.is_some()),
        ("returns", params.returns.is_some()),
        ("mean_excess", params.mean_excess.is_some()),
        ("covariance", params.covariance.is_some()),
        ("standard_error", params.standard_error.is_some()),
    ])?;
    let count = params.mean_excess.as_ref().map_or(1, Vec::len);
    if params.method == Some(Method::Continuous) && count != 1 {
        let rule = "must have 1 for method continuous";
        return Err(Failure::invalid(
            "mean_excess",
            format!("{count} values"),
            rule,
            json!([0.001]),
        ));
    }
    Ok(())
}

fn size(method: Method, params: &Params, rules: &Rules) -> Result<Sized, KellyError> {
    let (share, position_max) = (rules.kelly_fraction, rules.position_max);
    let means = params.mean_excess.as_deref().unwrap_or_default();
    let covariance = params.covariance.as_deref().unwrap_or_default();
    match method {
        Method::Binary => binary(params, rules),
        Method::Exclusive => {
            let bets = params.bets.iter().flatten();
            let bets: Vec<ExclusiveBet> = bets.map(ExclusiveBet::from).collect();
            let mut sized = size_exclusive(&bets, share, rules.total_max)?;
            let largest = sized.stakes.iter().map(|s| s.fraction).fold(0.0, f64::max);
            if largest > position_max {
                let total_max = sized.total * position_max / largest;
                sized = size_exclusive(&bets, share, total_max)?;
            }
            Ok(Sized::from(sized))
        }
        Method::Sample => {
            let returns = params.returns.as_deref().unwrap_or_default();
            size_sample(returns, share, position_max).map(Sized::from)
        }
        Method::Continuous => {
            // A matrix that is none, or of another size, is refused as for assets.
            size_assets(means, covariance, share, position_max)?;
            let (mean, deviation) = (means[0], covariance[0][0].sqrt());
            let sized = size_continuous(mean, deviation, share, position_max)?;
            let haircut = params.standard_error.map(|error| estimation_haircut(mean, error));
            let sized = Sized { edge: Some(mean), ..Sized::from(sized) };
            Ok(Sized { haircut: haircut.transpose()?, ..sized })
        }
        Method::Assets => {
            let mut sized = size_assets(means, covariance, share, rules.total_max)?;
            let largest = sized.stakes.iter().map(|s| s.fraction.abs()).fold(0.0, f64::max);
            if largest > position_max {
                let gross_max = sized.gross * position_max / largest;
                sized = size_assets(means, covariance, share, gross_max)?;
            }
            Ok(Sized::from(sized))
        }
    }
}

fn binary(params: &Params, rules: &Rules) -> Result<Sized, KellyError> {
    let Params { win_probability, win_return, loss_return, .. } = *params;
    let given = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let bet = BinaryBet::try_new(given(win_probability), given(win_return), given(loss_return))?;
    let sizing = bet.size(rules.kelly_fraction, rules.position_max)?;
    let haircut = params.standard_error.map(|error| bet.estimation_haircut(error)).transpose()?;
    Ok(Sized {
        decision: sizing.decision,
        edge: Some(sizing.edge),
        full: sizing.uncapped_fraction,
        fraction: sizing.fraction,
        is_capped: sizing.is_capped,
        growth: sizing.growth,
        growth_full: sizing.growth_full,
        stakes: None,
        ruin_fraction: None,
        kelly_share: None,
        haircut,
    })
}

fn verdict(sized: &Sized, rules: &Rules) -> (Recommendation, String) {
    let Rules { kelly_fraction, position_max, total_max } = rules;
    let edge = sized.edge.map(|edge| format!("the expected return per unit staked is {edge}"));
    match sized.decision {
        Decision::Skip => {
            let edge = edge.unwrap_or_else(|| "nothing in the list pays for its risk".to_owned());
            (Recommendation::Skip, format!("{edge}: no edge"))
        }
        Decision::Bet if sized.is_capped => {
            let cap = if sized.stakes.is_some() {
                format!(
                    "max_position_size {position_max} or max_portfolio_risk {total_max} decides"
                )
            } else {
                format!("max_position_size {position_max} decides the size")
            };
            (Recommendation::Trade, format!("the edge is positive; {cap}"))
        }
        Decision::Bet => {
            let reason = format!("the edge is positive; {kelly_fraction} of full Kelly is used");
            (Recommendation::Trade, reason)
        }
    }
}

fn assumptions(method: Method) -> Vec<String> {
    let known = match method {
        Method::Binary => {
            "the bet has two outcomes, whose probability and returns are known exactly"
        }
        Method::Exclusive => {
            "probabilities and gains are known exactly; a bet that does not win loses all"
        }
        Method::Sample => "the future draws from the sample, each return as likely as another",
        Method::Continuous | Method::Assets => {
            "mean and covariance are known exactly, returns have no jumps and stakes are adjusted \
             all the time"
        }
    };
    vec![known.to_owned(), "bets follow one another and do not overlap".to_owned()]
}

// === impl Bet ===

impl From<&Bet> for ExclusiveBet {
    fn from(bet: &Bet) -> Self {
        Self { win_probability: bet.win_probability, win_return: bet.win_return }
    }
}

// === impl Params ===

impl TakesSeries for Params {
    fn dataset(&self) -> Option<&Dataset> {
        self.dataset.as_ref()
    }

    fn places(&self) -> Vec<(&'static str, bool)> {
        vec![("returns", self.returns.is_some())]
    }

    fn must_be_given(&self) -> bool {
        false
    }

    fn put(&mut self, named: &mut Named<'_>) -> Result<(), Failure> {
        self.returns = Some(named.one::<Self>("returns")?);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
