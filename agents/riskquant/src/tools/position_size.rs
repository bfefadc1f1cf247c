//! How large a position may be, by every rule at once.

use agent::{Effect, Run, ToolDef, typed};
use domain::{Amount, Decimal};
use quant::kelly::{BinaryBet, Decision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::{AmountText, PriceText, QuantityText};
use wire::{Failure, schema};

use crate::SizingLimits;
use crate::choice::Choice;
use crate::limits::{number, share_of};
use crate::refusals::{Fields, of_kelly, own_name};

/// Places of a quantity when no lot_size is given.
const PLACES: u32 = 8;

pub(super) const TOOL: ToolDef<SizingLimits> = ToolDef {
    name: "position_size",
    title: "Position size",
    description: "Sizes one position by every rule that its inputs allow: loss at a stop, ATR, \
                  volatility target and Kelly. Shows each size and recommends the smallest within \
                  the house's max_position_size, with the reason. It places no order.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Sizes>,
    run: Run::Inline(|limits, args, _| typed(args, |params| position_size(limits, &params))),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Of the account, as decimal text.
    #[schemars(extend("examples" = ["50000"]))]
    equity: AmountText,
    /// Price of entry.
    #[schemars(extend("examples" = ["60000"]))]
    price: PriceText,
    /// Quantity is rounded down to it.
    #[schemars(extend("examples" = ["0.0001"]))]
    lot_size: Option<QuantityText>,
    /// Share of equity to lose at stop_price or by atr: 0.01 is 1 %.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0, "examples" = [0.01]))]
    risk_fraction: Option<f64>,
    /// Price at which the loss is taken; above price for a short.
    #[schemars(extend("examples" = ["57000"]))]
    stop_price: Option<PriceText>,
    /// Average true range, in price.
    #[schemars(extend("examples" = ["1500"]))]
    atr: Option<PriceText>,
    /// Distance of the stop in atr.
    #[schemars(range(max = 100.0), extend("exclusiveMinimum" = 0.0, "examples" = [2.5]))]
    atr_multiple: Option<f64>,
    /// Deviation of the asset's return.
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 0.0, "examples" = [0.6]))]
    volatility_annual: Option<f64>,
    /// Deviation per year that it may give the equity.
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 0.0, "examples" = [0.01]))]
    volatility_target: Option<f64>,
    /// Of the trade.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.55]))]
    win_probability: Option<f64>,
    /// Simple return when it wins.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [0.1]))]
    win_return: Option<f64>,
    /// Simple return when it loses.
    #[schemars(extend("exclusiveMaximum" = 0.0, "examples" = [-0.05]))]
    loss_return: Option<f64>,
    /// Share of full Kelly; without it the house's.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0, "examples" = [0.25]))]
    kelly_fraction: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Rule {
    FixedFraction,
    Atr,
    VolatilityTarget,
    Kelly,
    MaxPositionSize,
}

/// Every size, and the one to take.
#[derive(Debug, Serialize, JsonSchema)]
struct Sizes {
    /// The smallest size within the house's limit.
    recommended: Size,
    /// Why.
    reason: String,
    /// The size of each rule before the house's limit, in the order of the parameters.
    sizes: Vec<Size>,
    /// The house's limit, a share of equity.
    max_position_size: f64,
    /// Share of equity that is lost at the nearest stop with the recommended quantity. Left out
    /// without a stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss_at_stop: Option<f64>,
    /// What was assumed.
    assumptions: Vec<String>,
}

/// A size.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Size {
    /// The rule that gave it.
    rule: Rule,
    /// Value of the position over equity, before quantity is rounded down.
    share_of_equity: f64,
    /// What quantity costs at price.
    value: AmountText,
    /// How much to hold, rounded down to lot_size; 0 is nothing.
    quantity: AmountText,
}

/// A share of equity that a rule gives, and why.
struct Wanted {
    rule: Rule,
    share: f64,
    why: String,
    /// Distance of its stop as a share of the price.
    stop: Option<f64>,
}

fn position_size(limits: &SizingLimits, params: &Params) -> Result<Sizes, Failure> {
    check(params)?;
    let AmountText(equity) = params.equity;
    if equity <= Amount::ZERO {
        return Err(Failure::invalid("equity", equity, "must be more than zero", json!("50000")));
    }
    let mut wanted = stops(params)?;
    if let (Some(volatility), Some(target)) = (params.volatility_annual, params.volatility_target) {
        wanted.push(Wanted {
            rule: Rule::VolatilityTarget,
            share: target / volatility,
            why: format!("a deviation of {target} per year is reached"),
            stop: None,
        });
    }
    wanted.extend(kelly(limits, params)?);
    let sizes = wanted.iter().map(|of| params.size(of.rule, of.share)).collect::<Result<_, _>>()?;
    let smallest = wanted.iter().min_by(|a, b| a.share.total_cmp(&b.share));
    let smallest = smallest.expect("invariant: at least one rule has its inputs");
    let most = limits.max_position_size;
    let (rule, share, why) = if smallest.share > most {
        let why = format!("every rule allows more than max_position_size {most}");
        (Rule::MaxPositionSize, most, why)
    } else {
        (smallest.rule, smallest.share, format!("it is the smallest: {}", smallest.why))
    };
    let recommended = params.size(rule, share)?;
    let nearest = wanted.iter().filter_map(|of| of.stop).min_by(f64::total_cmp);
    let held = number(recommended.value.0.decimal()) / number(equity.decimal());
    Ok(Sizes {
        reason: if recommended.quantity.0 == Amount::ZERO && share > 0.0 {
            format!("{why}; that is less than one lot")
        } else {
            why
        },
        recommended,
        sizes,
        max_position_size: most,
        loss_at_stop: nearest.map(|stop| stop * held),
        assumptions: vec![
            "a stop fills at its price; gaps, slippage and fees lose more".to_owned(),
            "other positions are not looked at".to_owned(),
        ],
    })
}

/// What goes together; at least one rule must have its inputs.
fn check(params: &Params) -> Result<(), Failure> {
    let stop = params.stop_price.is_some();
    let atr = params.atr.is_some() || params.atr_multiple.is_some();
    let target = params.volatility_annual.is_some() || params.volatility_target.is_some();
    let bet = params.win_probability.is_some()
        || params.win_return.is_some()
        || params.loss_return.is_some();
    if !(stop || atr || target || bet) {
        let rule = "must be given, or atr, volatility_annual or win_probability, each with what belongs to it";
        return Err(Failure::invalid("stop_price", "missing", rule, json!("57000")));
    }
    let mut needed = Vec::new();
    let groups: [(bool, &[&'static str]); 4] = [
        (stop || atr, &["risk_fraction"]),
        (atr, &["atr", "atr_multiple"]),
        (target, &["volatility_annual", "volatility_target"]),
        (bet, &["win_probability", "win_return", "loss_return"]),
    ];
    for (is_meant, names) in groups {
        if is_meant {
            needed.extend(names);
        }
    }
    let read: &[&str] = if bet { &["kelly_fraction"] } else { &[] };
    let what = "the rules that were given inputs".to_owned();
    Choice { what, needed: &needed, read }.check::<Params>(&[
        ("risk_fraction", params.risk_fraction.is_some()),
        ("atr", params.atr.is_some()),
        ("atr_multiple", params.atr_multiple.is_some()),
        ("volatility_annual", params.volatility_annual.is_some()),
        ("volatility_target", params.volatility_target.is_some()),
        ("win_probability", params.win_probability.is_some()),
        ("win_return", params.win_return.is_some()),
        ("loss_return", params.loss_return.is_some()),
        ("kelly_fraction", params.kelly_fraction.is_some()),
    ])
}

/// The rules that lose a share of equity at a stop.
fn stops(params: &Params) -> Result<Vec<Wanted>, Failure> {
    let PriceText(price) = params.price;
    let price = number(price.decimal());
    let risk = params.risk_fraction.unwrap_or(0.0);
    let mut wanted = Vec::new();
    if let Some(PriceText(stop)) = params.stop_price {
        let distance = (price - number(stop.decimal())).abs() / price;
        if distance <= 0.0 {
            let rule = "must differ from price";
            return Err(Failure::invalid("stop_price", stop, rule, json!("57000")));
        }
        wanted.push(Wanted {
            rule: Rule::FixedFraction,
            share: risk / distance,
            why: format!("{risk} of equity is lost at the stop"),
            stop: Some(distance),
        });
    }
    if let (Some(PriceText(atr)), Some(multiple)) = (params.atr, params.atr_multiple) {
        let distance = number(atr.decimal()) * multiple / price;
        wanted.push(Wanted {
            rule: Rule::Atr,
            share: risk / distance,
            why: format!("{risk} of equity is lost {multiple} average true ranges away"),
            stop: Some(distance),
        });
    }
    Ok(wanted)
}

fn kelly(limits: &SizingLimits, params: &Params) -> Result<Option<Wanted>, Failure> {
    let (Some(probability), Some(win), Some(loss)) =
        (params.win_probability, params.win_return, params.loss_return)
    else {
        return Ok(None);
    };
    let share = params.kelly_fraction.unwrap_or(limits.kelly_fraction);
    let most = limits.kelly_fraction_max;
    if share > most {
        let rule = format!("must be at most limits.kelly_fraction_max, {most}");
        return Err(Failure::invalid("kelly_fraction", share, &rule, json!(most)));
    }
    let refuse = |error| of_kelly(error, &Fields::of::<Params>(own_name));
    let bet = BinaryBet::try_new(probability, win, loss).map_err(refuse)?;
    let sizing = bet.size(share, limits.max_position_size).map_err(refuse)?;
    let why = match sizing.decision {
        Decision::Skip => "the trade has no edge, and Kelly takes none of it".to_owned(),
        Decision::Bet => format!("{share} of full Kelly is used"),
    };
    Ok(Some(Wanted { rule: Rule::Kelly, share: share * sizing.full_fraction, why, stop: None }))
}

// === impl Params ===

impl Params {
    /// A share of equity as a value and a quantity, rounded down.
    fn size(&self, rule: Rule, share: f64) -> Result<Size, Failure> {
        let too_large = || {
            let message = format!("{share:e} of the equity has more than 28 digits");
            Failure::refused("AMOUNT_TOO_LARGE", message)
        };
        let (AmountText(equity), PriceText(price)) = (self.equity, self.price);
        let wanted = share_of(equity, share)?;
        let exact = wanted.decimal().checked_div(price.decimal()).ok_or_else(too_large)?;
        let quantity = match self.lot_size {
            Some(QuantityText(lot)) => {
                let rest: Decimal = exact.checked_rem(lot.decimal()).ok_or_else(too_large)?;
                exact.checked_sub(rest).ok_or_else(too_large)?
            }
            None => exact.trunc_with_scale(PLACES),
        };
        let quantity = Amount::new(quantity);
        let value = price.value_of(quantity).map_err(|_overflow| too_large())?;
        Ok(Size {
            rule,
            share_of_equity: share,
            value: AmountText(value),
            quantity: AmountText(quantity),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::tests::{house, near, run};
    use super::*;

    fn sized(args: &Value) -> Result<Value, Failure> {
        run(|params| position_size(&house(), &params), args)
    }

    fn of(more: &Value) -> Value {
        let mut args = json!({"equity": "50000", "price": "60000"});
        for (name, value) in more.as_object().unwrap() {
            args[name] = value.clone();
        }
        args
    }

    #[track_caller]
    fn refused(args: &Value, message: &str) {
        assert_eq!(sized(args).unwrap_err().message, message);
    }

    /// By hand: 0.05 % of 50000 is 25, lost over 3000 a coin: 0.00833 coins, worth 500.
    #[test]
    fn a_stop_decides_by_what_is_lost_there() {
        let args =
            of(&json!({"risk_fraction": 0.0005, "stop_price": "57000", "lot_size": "0.0001"}));
        let found = sized(&args).unwrap();
        near(&found["recommended"]["share_of_equity"], 0.01);
        assert_eq!(found["recommended"]["quantity"], "0.0083");
        assert_eq!(found["recommended"]["value"], "498");
        assert_eq!(found["recommended"]["rule"], "fixed_fraction");
        near(&found["loss_at_stop"], 0.05 * 498.0 / 50_000.0);
        let short = of(&json!({"risk_fraction": 0.0005, "stop_price": "63000"}));
        assert_eq!(sized(&short).unwrap()["recommended"]["quantity"], "0.00833333");
    }

    /// By hand: stop 0.0005/0.05 = 1 %, ATR 0.0005/(2 * 1500/60000) = 1 %, target 0.006/0.6 = 1 %
    /// and Kelly a quarter of (0.55/0.05 - 0.45/0.1) = 1.625: the smallest is named.
    #[test]
    fn all_sizes_are_shown_and_the_smallest_is_recommended() {
        let args = of(&json!({
            "risk_fraction": 0.0005, "stop_price": "57000", "atr": "1500", "atr_multiple": 4.0,
            "volatility_annual": 0.6, "volatility_target": 0.006,
            "win_probability": 0.55, "win_return": 0.1, "loss_return": -0.05,
        }));
        let found = sized(&args).unwrap();
        let shares = [0.01, 0.005, 0.01, 1.625];
        for (place, share) in shares.iter().enumerate() {
            near(&found["sizes"][place]["share_of_equity"], *share);
        }
        assert_eq!(found["recommended"]["rule"], "atr");
        assert_eq!(
            found["reason"],
            "it is the smallest: 0.0005 of equity is lost 4 average true ranges away"
        );
    }

    #[test]
    fn the_house_decides_when_every_rule_allows_more() {
        let args = of(&json!({"volatility_annual": 0.6, "volatility_target": 0.1}));
        let found = sized(&args).unwrap();
        assert_eq!(found["recommended"]["rule"], "max_position_size");
        near(&found["recommended"]["share_of_equity"], 0.02);
        assert_eq!(found["recommended"]["value"], "999.9996");
        assert_eq!(found.get("loss_at_stop"), None);
    }

    #[test]
    fn a_trade_without_an_edge_is_sized_at_nothing() {
        let args = of(&json!({"win_probability": 0.3, "win_return": 0.1, "loss_return": -0.1,
                              "volatility_annual": 0.6, "volatility_target": 0.006}));
        let found = sized(&args).unwrap();
        assert_eq!(found["recommended"]["quantity"], "0");
        assert_eq!(
            found["reason"],
            "it is the smallest: the trade has no edge, and Kelly takes none of it"
        );
    }

    #[test]
    fn less_than_a_lot_is_nothing_and_says_so() {
        let args =
            of(&json!({"volatility_annual": 0.6, "volatility_target": 0.006, "lot_size": "1"}));
        let found = sized(&args).unwrap();
        assert_eq!(found["recommended"]["quantity"], "0");
        assert!(found["reason"].as_str().unwrap().ends_with("less than one lot"), "{found}");
    }

    #[test]
    fn what_goes_together_is_asked_for_and_the_rest_refused() {
        refused(
            &of(&json!({})),
            "`stop_price` is missing but must be given, or atr, volatility_annual or win_probability, \
             each with what belongs to it, for example \"57000\"",
        );
        refused(
            &of(&json!({"stop_price": "57000", "kelly_fraction": 0.1})),
            "`risk_fraction` is missing but is required for the rules that were given inputs, for \
             example 0.01; `kelly_fraction` is given but is not for the rules that were given \
             inputs; leave it out",
        );
        refused(
            &of(&json!({"stop_price": "60000", "risk_fraction": 0.01})),
            "`stop_price` is 60000 but must differ from price, for example \"57000\"",
        );
        let broke =
            json!({"equity": "0", "price": "1", "volatility_annual": 1, "volatility_target": 1});
        refused(&broke, "`equity` is 0 but must be more than zero, for example \"50000\"");
        let greedy = of(&json!({"win_probability": 0.6, "win_return": 1, "loss_return": -1,
                                "kelly_fraction": 0.51}));
        assert!(sized(&greedy).unwrap_err().message.contains("kelly_fraction_max, 0.5"));
        let free = of(&json!({"stop_price": "0", "risk_fraction": 0.01}));
        assert!(sized(&free).unwrap_err().message.starts_with("`stop_price`"));
    }

    proptest! {
        /// The recommendation is worth no more than the house allows, to the last digit.
        #[test]
        fn no_recommendation_is_over_the_limit(
            equity in 1_u64..10_000_000_000,
            price in 1_u64..1_000_000_000,
            target in 1e-6..10.0_f64,
            lot in 1_u32..1_000,
        ) {
            let args = json!({"equity": equity.to_string(), "price": price.to_string(),
                              "volatility_annual": 0.5, "volatility_target": target,
                              "lot_size": format!("0.{lot:04}1")});
            let found = sized(&args).unwrap();
            let value: Amount = found["recommended"]["value"].as_str().unwrap().parse().unwrap();
            let most: Amount = equity.to_string().parse().unwrap();
            prop_assert!(value.decimal() * Decimal::from(50) <= most.decimal(), "{found}");
            prop_assert!(value >= Amount::ZERO);
        }
    }
}
