//! How large a position may be, by every rule at once.

use agent::{Effect, Run, ToolDef, typed};
use domain::{Amount, Decimal};
use quant::kelly::{BinaryBet, Decision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::{AmountText, PriceText, QuantityText};
use wire::{Failure, schema};

use crate::answer::representable;
use crate::choice::Choice;
use crate::limits::{number, share_of};
use crate::refusals::{Fields, of_kelly, own_name};
use crate::{Quant, SizingLimits};

/// Places of a quantity when no lot_size is given.
const PLACES: u32 = 8;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "position_size",
    title: "Position size",
    description: "Sizes one position by every rule that its inputs allow: loss at a stop, ATR, \
                  volatility target and Kelly. Recommends the smallest within the house's \
                  max_position_size.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Sizes>,
    run: Run::Inline(|quant, args, _| {
        typed(args, |params| representable(position_size(&quant.limits(), &params)))
    }),
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
mod tests;
