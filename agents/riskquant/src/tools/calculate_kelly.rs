//! How much of the equity a bet deserves.

use agent::{Effect, Run, ToolDef, typed};
use quant::kelly::{BinaryBet, Decision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::{Failure, schema};

use crate::SizingLimits;
use crate::refusals::of_kelly;

pub(super) const TOOL: ToolDef<SizingLimits> = ToolDef {
    name: "calculate_kelly",
    title: "Kelly position size",
    description: "Sizes a bet with two outcomes by the Kelly criterion. Returns are simple \
                  fractions per unit staked (0.05 is a gain of 5 %, -0.05 a loss). Gives the \
                  uncapped full Kelly fraction, the share of it that is used, and the final size as \
                  a share of equity under the house's max_position_size. It estimates no \
                  probability and places no order.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<KellySize>,
    run: Run::Inline(|limits, args, _| typed(args, |params| calculate_kelly(limits, &params))),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Probability that the bet wins, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.6]))]
    win_probability: f64,
    /// Simple return per unit staked when it wins; above 0: 1 doubles the stake.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [1.0]))]
    win_return: f64,
    /// Simple return per unit staked when it loses; below 0: -1 loses the whole stake.
    #[schemars(extend("exclusiveMaximum" = 0.0, "examples" = [-1.0]))]
    loss_return: f64,
    /// Share of full Kelly to use, above 0 and at most the house's kelly_fraction_max. Without it
    /// the house's kelly_fraction is used. The result says which share it was.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0, "examples" = [0.25]))]
    kelly_fraction: Option<f64>,
}

/// A size, and how it came about.
#[derive(Debug, Serialize, JsonSchema)]
struct KellySize {
    /// TRADE when the bet has an edge, SKIP when it has none.
    recommendation: Recommendation,
    /// Why.
    reason: String,
    /// Expected simple return per unit staked.
    edge: f64,
    /// The growth-optimal share of equity, uncapped: above 1 it asks for leverage, below 0 for the
    /// other side of the bet.
    full_kelly: f64,
    /// The share of full Kelly that was used.
    kelly_fraction: f64,
    /// That share of full Kelly, a share of equity, before the cap; 0 without an edge.
    fractional_kelly: f64,
    /// The cap: the house's max_position_size, a share of equity.
    max_allowed: f64,
    /// The share of equity to stake: fractional_kelly, at most max_allowed.
    final_position_size: f64,
    /// Whether the cap decided.
    is_capped: bool,
    /// Exact expected log growth of equity per bet at final_position_size.
    growth_per_bet: f64,
    /// The largest expected log growth per bet, at full Kelly. Left out when the bet cannot lose.
    #[serde(skip_serializing_if = "Option::is_none")]
    growth_per_bet_full_kelly: Option<f64>,
    /// What was assumed.
    assumptions: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Recommendation {
    Trade,
    Skip,
}

fn calculate_kelly(limits: &SizingLimits, params: &Params) -> Result<KellySize, Failure> {
    let kelly_fraction = params.kelly_fraction.unwrap_or(limits.kelly_fraction);
    let most = limits.kelly_fraction_max;
    if kelly_fraction > most {
        let rule = format!("must be at most limits.kelly_fraction_max, {most}");
        return Err(Failure::invalid("kelly_fraction", kelly_fraction, &rule, json!(most)));
    }
    let Params { win_probability, win_return, loss_return, .. } = *params;
    let bet = BinaryBet::try_new(win_probability, win_return, loss_return).map_err(of_kelly)?;
    let sizing = bet.size(kelly_fraction, limits.max_position_size).map_err(of_kelly)?;
    let (recommendation, reason) = match sizing.decision {
        Decision::Skip => {
            let reason = format!("the expected return per unit staked is {}: no edge", sizing.edge);
            (Recommendation::Skip, reason)
        }
        Decision::Bet if sizing.is_capped => {
            let cap = limits.max_position_size;
            let reason = format!("the edge is positive; max_position_size {cap} decides the size");
            (Recommendation::Trade, reason)
        }
        Decision::Bet => {
            let reason = format!("the edge is positive; {kelly_fraction} of full Kelly is used");
            (Recommendation::Trade, reason)
        }
    };
    Ok(KellySize {
        recommendation,
        reason,
        edge: sizing.edge,
        full_kelly: sizing.uncapped_fraction,
        kelly_fraction,
        fractional_kelly: kelly_fraction * sizing.full_fraction,
        max_allowed: sizing.fraction_max,
        final_position_size: sizing.fraction,
        is_capped: sizing.is_capped,
        growth_per_bet: sizing.growth,
        growth_per_bet_full_kelly: sizing.growth_full,
        assumptions: vec![
            "the bet has two outcomes, whose probability and returns are known exactly".to_owned(),
            "bets follow one another and do not overlap".to_owned(),
        ],
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::tests::{house, near, run};
    use super::*;

    fn kelly(args: &Value) -> Result<Value, Failure> {
        run(|params| calculate_kelly(&house(), &params), args)
    }

    #[track_caller]
    fn refused(args: &Value, message: &str) {
        assert_eq!(kelly(args).unwrap_err().message, message);
    }

    /// Thorp (2006), section 2: an even bet won with probability 0.6 deserves 2p - 1 = 0.2 and
    /// grows by p ln(1.2) + q ln(0.8) = 0.0201355.
    #[test]
    fn the_coin_of_the_textbook_gets_its_fifth_uncapped_and_the_cap_beside_it() {
        let args = json!({"win_probability": 0.6, "win_return": 1.0, "loss_return": -1.0});
        let size = kelly(&args).unwrap();
        near(&size["full_kelly"], 0.2);
        near(&size["kelly_fraction"], 0.25);
        near(&size["fractional_kelly"], 0.05);
        near(&size["max_allowed"], 0.02);
        near(&size["final_position_size"], 0.02);
        near(&size["edge"], 0.2);
        near(&size["growth_per_bet_full_kelly"], 0.6 * 1.2_f64.ln() + 0.4 * 0.8_f64.ln());
        near(&size["growth_per_bet"], 0.6 * 1.02_f64.ln() + 0.4 * 0.98_f64.ln());
        assert_eq!(size["recommendation"], "TRADE");
        assert_eq!(size["is_capped"], true);
    }

    #[test]
    fn without_an_edge_the_bet_is_skipped_and_the_formula_keeps_its_sign() {
        let size =
            kelly(&json!({"win_probability": 0.4, "win_return": 1, "loss_return": -1})).unwrap();
        assert_eq!(size["recommendation"], "SKIP");
        assert!(size["reason"].as_str().unwrap().ends_with("no edge"), "{size}");
        near(&size["full_kelly"], -0.2);
        near(&size["final_position_size"], 0.0);
    }

    #[test]
    fn a_bet_that_cannot_lose_has_no_largest_growth_and_none_is_made_up() {
        let size =
            kelly(&json!({"win_probability": 1, "win_return": 1, "loss_return": -1})).unwrap();
        assert_eq!(size.get("growth_per_bet_full_kelly"), None);
        near(&size["final_position_size"], 0.02);
    }

    #[test]
    fn more_of_kelly_than_the_house_allows_is_refused_with_the_limit() {
        let args = json!({"win_probability": 0.6, "win_return": 1, "loss_return": -1,
                          "kelly_fraction": 0.51});
        refused(
            &args,
            "`kelly_fraction` is 0.51 but must be at most limits.kelly_fraction_max, 0.5, for \
             example 0.5",
        );
    }

    #[test]
    fn a_loss_without_its_sign_is_refused() {
        refused(
            &json!({"win_probability": 0.6, "win_return": 1, "loss_return": 1}),
            "`loss_return` is 1 but must be less than 0, for example -1.0",
        );
        refused(
            &json!({"win_probability": 60, "win_return": 1, "loss_return": -1}),
            "`win_probability` is 60 but must be at most 1, for example 0.6",
        );
        refused(
            &json!({"win_probability": 0.6, "loss_return": -1}),
            "`win_return` is missing but is required, for example 1.0",
        );
    }

    #[test]
    fn returns_too_large_or_small_for_arithmetic_are_refused() {
        refused(
            &json!({"win_probability": 0.6, "win_return": 1e31, "loss_return": -1}),
            "`win_return` is 10000000000000000000000000000000 but must be positive, from 1e-30 to \
             1e30, for example 1.0",
        );
        refused(
            &json!({"win_probability": 0.6, "win_return": 1, "loss_return": -1e-31}),
            "`loss_return` is -0.0000000000000000000000000000001 but must be negative, from -1e30 \
             to -1e-30, for example -1.0",
        );
    }

    proptest! {
        #[test]
        fn a_size_is_never_negative_over_its_cap_or_not_a_number(
            win_probability in 0.0..=1.0_f64,
            win in -25.0..25.0_f64,
            loss in -25.0..25.0_f64,
            kelly_fraction in 0.001..=0.5_f64,
        ) {
            let args = json!({
                "win_probability": win_probability,
                "win_return": 10_f64.powf(win),
                "loss_return": -(10_f64.powf(loss)),
                "kelly_fraction": kelly_fraction,
            });
            // The schema of the result has no place for a null, so that NaN would fail `run`.
            let size = kelly(&args).unwrap();
            let share = size["final_position_size"].as_f64().unwrap();
            prop_assert!((0.0..=0.02).contains(&share));
        }
    }
}
