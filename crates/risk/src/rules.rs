//! Every rule of the gate in one table: what `docs/LIMITS.md` is made of.

use crate::{BreakerRules, Limits};

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The code of its refusal.
    pub code: &'static str,
    /// The keys of the configuration's section `limits` that it reads.
    pub keys: &'static [&'static str],
    /// What is refused.
    pub trips: &'static str,
    /// How it is lifted.
    pub lifted: &'static str,
}

const fn rule(
    code: &'static str,
    keys: &'static [&'static str],
    trips: &'static str,
    lifted: &'static str,
) -> Rule {
    Rule { code, keys, trips, lifted }
}

/// The rules in the order in which they are asked, as [`crate::Refusal::CODES`] has them.
pub const RULES: &[Rule] = &[
    rule("HALTED", &[], "Any order while trading is halted.", "A person resumes."),
    rule(
        "HALT_STATE_MISSING",
        &[],
        "Any order without a halt state.",
        "A person halts or resumes.",
    ),
    rule(
        "HALT_STATE_UNREADABLE",
        &[],
        "Any order while the halt state cannot be read.",
        "The journal is readable again.",
    ),
    rule(
        "LIMITS_STALE",
        &["limits_age_ms_max"],
        "Any order while the limits in force were read longer ago.",
        "The journal is readable again and its limits make sense.",
    ),
    rule("INSTRUMENT", &[], "An order judged by another instrument.", "Never: it is a defect."),
    rule(
        "QUOTE_ASSET",
        &[],
        "An order that is paid with another asset than limits count in.",
        "Never: choose another symbol.",
    ),
    rule("NO_PRICE", &[], "Any order without a price of its symbol.", "The market has two sides."),
    rule(
        "STALE_PRICE",
        &["price_age_ms_max"],
        "Any order while the price is older, or of the future by as much.",
        "The price is fresh again.",
    ),
    rule(
        "PRICE_BAND",
        &["price_band"],
        "A price farther from the mid, or from its own trigger.",
        "Name a price within the band.",
    ),
    rule(
        "TRIGGER_SIDE",
        &[],
        "A stop that the market has passed already.",
        "Name a trigger on the other side.",
    ),
    rule("LIST_SHAPE", &[], "Orders that make no list.", "Never: change the list."),
    rule(
        "OUTCOME_UNKNOWN",
        &[],
        "New exposure in a symbol with an order whose outcome is unknown.",
        "The venue is asked and answers.",
    ),
    rule(
        "DAILY_LOSS_UNKNOWN",
        &[],
        "New exposure while the account cannot be valued, or its day is not open.",
        "Everything that is held has a fresh price.",
    ),
    rule(
        "DAILY_LOSS",
        &["max_daily_loss"],
        "New exposure once the day has lost this share of its first equity.",
        "The next day begins (UTC), or the loss is won back.",
    ),
    rule(
        "WEEKLY_LOSS_UNKNOWN",
        &[],
        "New exposure while the account cannot be valued, or its week has no first equity.",
        "Everything that is held has a fresh price.",
    ),
    rule(
        "WEEKLY_LOSS",
        &["max_weekly_loss"],
        "New exposure once the week has lost this share of its first equity.",
        "The next Monday begins (UTC), or the loss is won back.",
    ),
    rule(
        "DRAWDOWN_UNKNOWN",
        &[],
        "New exposure while the account cannot be valued, or its highest equity is not known.",
        "Everything that is held has a fresh price.",
    ),
    rule(
        "DRAWDOWN",
        &["max_drawdown"],
        "New exposure once this share of the highest equity is lost.",
        "The loss is won back, or a person raises the limit.",
    ),
    rule(
        "LOSS_STREAK",
        &["loss_streak_max", "loss_streak_cooldown_ms"],
        "New exposure after so many losing round trips in a row.",
        "The cool-down after the last of them passes.",
    ),
    rule(
        "BREAKER_OPEN",
        &["breaker_cooldown_ms"],
        "New exposure while the trading breaker cools down.",
        "The cool-down passes, or a person resets it.",
    ),
    rule(
        "BREAKER_NEEDS_PERSON",
        &[],
        "New exposure after a trip on probation, a drawdown, or a trip by hand.",
        "A person resets it.",
    ),
    rule(
        "BREAKER_STATE_MISSING",
        &[],
        "New exposure without a record of the breaker.",
        "A person resets it.",
    ),
    rule(
        "BREAKER_STATE_UNREADABLE",
        &[],
        "New exposure while the record cannot be read or makes no sense.",
        "The journal is readable again, or a person resets it.",
    ),
    rule(
        "ORDER_RATE",
        &["order_rate_max", "order_rate_window_ms"],
        "New exposure by more orders within the window.",
        "The oldest of them leaves the window.",
    ),
    rule(
        "OPEN_ORDERS",
        &["open_orders_max"],
        "New exposure by an order beyond so many open ones.",
        "Cancel one, or wait until one trades.",
    ),
    rule(
        "EQUITY_UNKNOWN",
        &[],
        "New exposure while the account cannot be valued.",
        "Everything that is held has a fresh price.",
    ),
    rule(
        "ORDER_NOTIONAL",
        &["max_order_notional"],
        "One order worth more, in quote asset.",
        "Ask for less.",
    ),
    rule(
        "POSITION_SIZE",
        &["max_position_size"],
        "A position, with its open buys, worth more than this share of the equity.",
        "Ask for less, or reduce.",
    ),
    rule(
        "PORTFOLIO_EXPOSURE",
        &["max_portfolio_risk"],
        "All positions and open buys worth more than this share of the equity.",
        "Ask for less, or reduce.",
    ),
    rule(
        "LEVERAGE",
        &["max_leverage"],
        "All positions and open buys worth more than so many times the equity.",
        "Ask for less, or reduce.",
    ),
    rule(
        "SYMBOL_NOTIONAL",
        &["max_symbol_notional"],
        "A position, with its open buys, worth more, in quote asset.",
        "Ask for less, or reduce.",
    ),
    rule(
        "TOTAL_NOTIONAL",
        &["max_total_notional"],
        "All positions and open buys worth more, in quote asset.",
        "Ask for less, or reduce.",
    ),
    rule(
        "CONCENTRATION",
        &["max_concentration", "concentration_from"],
        "More than this share of all that is at stake in one symbol, once that is worth more than \
         the second share of the equity.",
        "Ask for less, or hold more of others.",
    ),
    rule(
        "RISK_MODEL_MISSING",
        &["max_correlated_exposure", "max_var", "max_expected_shortfall"],
        "New exposure without a risk model, where one of these is set.",
        "A model is made of the market's history.",
    ),
    rule(
        "RISK_MODEL_STALE",
        &["risk_model_age_ms_max"],
        "New exposure under a model that is older, where a limit needs one.",
        "A fresh model is made.",
    ),
    rule(
        "RISK_MODEL_UNFIT",
        &[],
        "New exposure in a symbol that the model has not, or of a size that it cannot hold.",
        "A model with the symbol is made.",
    ),
    rule(
        "CORRELATED_EXPOSURE",
        &["max_correlated_exposure", "max_correlation"],
        "More than this share of the equity in symbols whose correlation with the order's is over \
         the second, its own included.",
        "Ask for less, or reduce one of them.",
    ),
    rule(
        "VALUE_AT_RISK",
        &["max_var", "var_confidence"],
        "An order that raises the one-day value at risk over this share of the equity.",
        "Ask for less, reduce, or hedge.",
    ),
    rule(
        "EXPECTED_SHORTFALL",
        &["max_expected_shortfall", "var_confidence"],
        "An order that raises the one-day expected shortfall over this share of the equity.",
        "Ask for less, reduce, or hedge.",
    ),
    rule(
        "UNREPRESENTABLE",
        &[],
        "An order with a number of more than 28 digits in its decision.",
        "Ask for less.",
    ),
];

/// Every key of the configuration's section `limits` that the gate reads, with its value as text;
/// `None` for a limit that is not set.
#[must_use]
pub fn limit_values(
    limits: &Limits,
    breaker: &BreakerRules,
) -> Vec<(&'static str, Option<String>)> {
    let text = |value: &dyn ToString| Some(value.to_string());
    let share = |value: &Option<domain::Rate>| value.as_ref().map(ToString::to_string);
    let amount = |value: &Option<domain::Amount>| value.as_ref().map(ToString::to_string);
    vec![
        ("max_position_size", text(&limits.max_position_size)),
        ("max_portfolio_risk", text(&limits.max_portfolio_risk)),
        ("max_correlation", text(&limits.max_correlation)),
        ("max_correlated_exposure", share(&limits.max_correlated_exposure)),
        ("max_symbol_notional", amount(&limits.max_symbol_notional)),
        ("max_total_notional", amount(&limits.max_total_notional)),
        ("max_concentration", share(&limits.max_concentration)),
        ("concentration_from", text(&limits.concentration_from)),
        ("max_var", share(&limits.max_var)),
        ("max_expected_shortfall", share(&limits.max_expected_shortfall)),
        ("var_confidence", text(&limits.var_confidence.share())),
        ("risk_model_age_ms_max", text(&limits.risk_model_age_ms_max)),
        ("max_leverage", text(&limits.max_leverage)),
        ("max_order_notional", text(&limits.max_order_notional)),
        ("max_daily_loss", text(&limits.max_daily_loss)),
        ("warn_daily_loss", text(&limits.warn_daily_loss)),
        ("max_weekly_loss", text(&limits.max_weekly_loss)),
        ("max_drawdown", text(&limits.max_drawdown)),
        ("loss_streak_max", text(&limits.loss_streak_max)),
        ("loss_streak_cooldown_ms", text(&limits.loss_streak_cooldown_ms)),
        ("order_rate_max", text(&limits.order_rate_max)),
        ("order_rate_window_ms", text(&limits.order_rate_window_ms)),
        ("open_orders_max", text(&limits.open_orders_max)),
        ("price_band", text(&limits.price_band)),
        ("price_age_ms_max", text(&limits.price_age_ms_max)),
        ("limits_age_ms_max", text(&limits.limits_age_ms_max)),
        ("kelly_fraction", text(&limits.kelly_fraction)),
        ("kelly_fraction_max", text(&limits.kelly_fraction_max)),
        ("breaker_cooldown_ms", text(&breaker.breaker_cooldown_ms)),
        ("breaker_outcomes_min", text(&breaker.breaker_outcomes_min)),
        ("breaker_failure_share", text(&breaker.breaker_failure_share)),
        ("breaker_window_ms", text(&breaker.breaker_window_ms)),
    ]
}
