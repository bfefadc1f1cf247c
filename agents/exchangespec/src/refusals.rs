//! Turns every reason why an order may not leave into a failure with its code and its numbers.

use domain::{Amount, Decimal, FilterFailure, Instrument, NewOrder};
use journal::JournalError;
use risk::{Bet, Halt, Passes, Refusal};
use serde_json::{Value, json};
use wire::Failure;
use wire::money::rfc3339;

/// The gate's refusal.
pub(crate) fn of_risk(refusal: &Refusal) -> Failure {
    let failure = Failure::refused(refusal.code(), sentence(refusal));
    let failure = numbers(refusal)
        .into_iter()
        .fold(failure, |failure, (key, value)| failure.with(key, value));
    match refusal.passes() {
        Some(passes) => failure.with("passes", passing(&passes)),
        None => failure,
    }
}

/// What a person reads: the refusal, and what would pass.
fn sentence(refusal: &Refusal) -> String {
    let says = match refusal {
        Refusal::Halted { reason, since, by, .. } => {
            format!("trading is halted since {} by {by}: {reason}", rfc3339(*since))
        }
        other => other.to_string(),
    };
    match refusal.passes() {
        Some(Passes::QuantityMax(quantity)) => {
            format!("{says}; a quantity of at most {quantity} would pass")
        }
        Some(Passes::PriceRange { min, max }) => {
            format!("{says}; a price from {min} to {max} would pass")
        }
        Some(Passes::TriggerMin(min)) => {
            format!("{says}; a trigger of at least {min} would pass")
        }
        Some(Passes::TriggerMax(max)) => {
            format!("{says}; a trigger of at most {max} would pass")
        }
        Some(Passes::PriceAgeMsMax(_)) | None => says,
    }
}

fn passing(passes: &Passes) -> Value {
    match passes {
        Passes::QuantityMax(quantity) => json!({ "quantity_max": quantity.to_string() }),
        Passes::PriceRange { min, max } => {
            json!({ "price_min": min.to_string(), "price_max": max.to_string() })
        }
        Passes::TriggerMin(min) => json!({ "trigger_price_min": min.to_string() }),
        Passes::TriggerMax(max) => json!({ "trigger_price_max": max.to_string() }),
        Passes::PriceAgeMsMax(age_ms) => json!({ "price_age_ms_max": age_ms }),
    }
}

/// The limit by its configured name, its value, and what broke it.
fn numbers(refusal: &Refusal) -> Vec<(&'static str, Value)> {
    match refusal {
        Refusal::Halted { version, reason, since, by } => vec![
            ("version", json!(version)),
            ("halt_reason", json!(reason)),
            ("since", json!(rfc3339(*since))),
            ("by", json!(by)),
        ],
        Refusal::StalePrice { age_ms, age_ms_max } => {
            limit("price_age_ms_max", age_ms.to_string(), age_ms_max.to_string())
        }
        Refusal::LimitsStale { age_ms, age_ms_max } => {
            limit("limits_age_ms_max", age_ms.to_string(), age_ms_max.to_string())
        }
        Refusal::PriceBand { price, mid, .. } => vec![
            ("limit", json!("price_band")),
            ("value", json!(price.to_string())),
            ("mid", json!(mid.to_string())),
        ],
        Refusal::TriggerSide { trigger, market, .. } => {
            vec![("value", json!(trigger.to_string())), ("market_price", json!(market.to_string()))]
        }
        Refusal::ListShape { why } => vec![("rule", json!(why))],
        Refusal::OutcomeUnknown { orders, .. } => vec![("unknown_orders", json!(orders))],
        Refusal::DailyLoss { loss, max, .. } => {
            limit("max_daily_loss", loss.to_string(), max.to_string())
        }
        Refusal::WeeklyLoss { .. }
        | Refusal::Drawdown { .. }
        | Refusal::LossStreak { .. }
        | Refusal::OrderRate { .. }
        | Refusal::OpenOrders { .. }
        | Refusal::BreakerOpen { .. }
        | Refusal::BreakerNeedsPerson { .. } => of_conduct(refusal),
        Refusal::OrderNotional { .. }
        | Refusal::PositionSize { .. }
        | Refusal::PortfolioExposure { .. }
        | Refusal::Leverage { .. }
        | Refusal::SymbolNotional { .. }
        | Refusal::TotalNotional { .. }
        | Refusal::Concentration { .. }
        | Refusal::RiskModelStale { .. }
        | Refusal::RiskModelUnfit { .. }
        | Refusal::CorrelatedExposure { .. }
        | Refusal::ValueAtRisk { .. }
        | Refusal::ExpectedShortfall { .. } => of_size(refusal),
        Refusal::HaltStateMissing
        | Refusal::HaltStateUnreadable { .. }
        | Refusal::BreakerStateMissing { .. }
        | Refusal::BreakerStateUnreadable { .. }
        | Refusal::WeeklyLossUnknown { .. }
        | Refusal::DrawdownUnknown { .. }
        | Refusal::RiskModelMissing { .. }
        | Refusal::Instrument { .. }
        | Refusal::QuoteAsset { .. }
        | Refusal::NoPrice { .. }
        | Refusal::DailyLossUnknown { .. }
        | Refusal::EquityUnknown { .. }
        | Refusal::Unrepresentable => Vec::new(),
    }
}

fn limit(name: &str, value: String, max: String) -> Vec<(&'static str, Value)> {
    vec![("limit", json!(name)), ("value", json!(value)), ("max", json!(max))]
}

/// What a refusal for the account's conduct says.
fn of_conduct(refusal: &Refusal) -> Vec<(&'static str, Value)> {
    match refusal {
        Refusal::WeeklyLoss { loss, max, .. } => {
            limit("max_weekly_loss", loss.to_string(), max.to_string())
        }
        Refusal::Drawdown { drawdown, max, .. } => {
            limit("max_drawdown", drawdown.to_string(), max.to_string())
        }
        Refusal::LossStreak { losses, max, until, .. } => {
            let mut numbers = limit("loss_streak_max", losses.to_string(), max.to_string());
            numbers.push(("until", json!(rfc3339(*until))));
            numbers
        }
        Refusal::OrderRate { orders, window_ms, max, .. } => {
            let mut numbers = limit("order_rate_max", orders.to_string(), max.to_string());
            numbers.push(("window_ms", json!(window_ms)));
            numbers
        }
        Refusal::OpenOrders { orders, max, .. } => {
            limit("open_orders_max", orders.to_string(), max.to_string())
        }
        Refusal::BreakerOpen { code, since, until, .. } => vec![
            ("tripped_by", json!(code.name())),
            ("since", json!(rfc3339(*since))),
            ("until", json!(rfc3339(*until))),
        ],
        Refusal::BreakerNeedsPerson { code, since, .. } => {
            vec![("tripped_by", json!(code.name())), ("since", json!(rfc3339(*since)))]
        }
        _ => Vec::new(),
    }
}

/// What a refusal for an order's size says.
fn of_size(refusal: &Refusal) -> Vec<(&'static str, Value)> {
    match refusal {
        Refusal::OrderNotional { value, max, .. } => {
            limit("max_order_notional", value.to_string(), max.to_string())
        }
        Refusal::PositionSize { value, max, .. } => {
            limit("max_position_size", value.to_string(), max.to_string())
        }
        Refusal::PortfolioExposure { value, max, .. } => {
            limit("max_portfolio_risk", value.to_string(), max.to_string())
        }
        Refusal::Leverage { value, max, .. } => {
            limit("max_leverage", value.to_string(), max.to_string())
        }
        Refusal::SymbolNotional { value, max, .. } => {
            limit("max_symbol_notional", value.to_string(), max.to_string())
        }
        Refusal::TotalNotional { value, max, .. } => {
            limit("max_total_notional", value.to_string(), max.to_string())
        }
        Refusal::Concentration { share, max, total, herfindahl, .. } => {
            let mut numbers = limit("max_concentration", share.to_string(), max.to_string());
            numbers.push(("total", json!(total.to_string())));
            numbers.extend(herfindahl.map(|index| ("herfindahl", json!(index.to_string()))));
            numbers
        }
        Refusal::RiskModelStale { version, age_ms, age_ms_max, .. } => {
            let mut numbers =
                limit("risk_model_age_ms_max", age_ms.to_string(), age_ms_max.to_string());
            numbers.push(("model_version", json!(version)));
            numbers
        }
        Refusal::RiskModelUnfit { version, why, .. } => {
            vec![("model_version", json!(version)), ("why", json!(why.to_string()))]
        }
        Refusal::CorrelatedExposure { bet, value, max, .. } => {
            let Bet { correlation_max, closest, .. } = bet.as_ref();
            let mut numbers = limit("max_correlated_exposure", value.to_string(), max.to_string());
            numbers.push(("correlation_max", json!(correlation_max.to_string())));
            if let Some((symbol, correlation)) = closest {
                numbers.push(("closest", json!(symbol.as_str())));
                numbers.push(("correlation", json!(correlation.to_string())));
            }
            numbers
        }
        Refusal::ValueAtRisk { value, before, max, confidence, model_version, .. } => {
            let numbers = limit("max_var", value.to_string(), max.to_string());
            tail(numbers, before, confidence, *model_version)
        }
        Refusal::ExpectedShortfall { value, before, max, confidence, model_version, .. } => {
            let numbers = limit("max_expected_shortfall", value.to_string(), max.to_string());
            tail(numbers, before, confidence, *model_version)
        }
        _ => Vec::new(),
    }
}

/// What a refusal by a tail says beside its limit.
fn tail(
    mut numbers: Vec<(&'static str, Value)>,
    before: &Amount,
    confidence: &str,
    model_version: u64,
) -> Vec<(&'static str, Value)> {
    numbers.push(("before", json!(before.to_string())));
    numbers.push(("confidence", json!(confidence)));
    numbers.push(("model_version", json!(model_version)));
    numbers
}

/// A halt that was found when the intent was recorded, worded as the gate words it.
pub(crate) fn of_halt(halt: Halt) -> Failure {
    of_risk(&match halt {
        Halt::Halted { version, reason, since, by } => {
            Refusal::Halted { version, reason, since, by }
        }
        Halt::Missing => Refusal::HaltStateMissing,
        Halt::Unreadable { why } => Refusal::HaltStateUnreadable { why },
        // The state ran again by the time it was looked at: the order was not recorded.
        Halt::Running { version } => Refusal::HaltStateUnreadable {
            why: format!("it was not running and then was, at version {version}"),
        },
    })
}

/// An instrument's filter, under the name that venues give it.
pub(crate) fn of_filter(failure: &FilterFailure, listed: &Instrument, order: &NewOrder) -> Failure {
    let (code, passes) = match failure {
        FilterFailure::Tick { price, .. } => {
            let ticks = price.decimal().checked_div(listed.tick_size.decimal());
            let on_grid = |whole: Option<Decimal>| {
                let value = whole?.checked_mul(listed.tick_size.decimal())?;
                domain::Price::try_new(value).ok().map(|price| price.to_string())
            };
            let below = on_grid(ticks.map(|t| t.floor()));
            let above = on_grid(ticks.map(|t| t.ceil()));
            ("FILTER_PRICE_FILTER", json!({ "price_below": below, "price_above": above }))
        }
        FilterFailure::Step { quantity, .. } => {
            let steps = quantity.decimal().checked_div(listed.step_size.decimal());
            let below = steps.and_then(|s| s.floor().checked_mul(listed.step_size.decimal()));
            let below = below.and_then(|q| domain::Quantity::try_new(q).ok());
            ("FILTER_LOT_SIZE", json!({ "quantity_below": below.map(|q| q.to_string()) }))
        }
        FilterFailure::QuantityRange { min, max, .. } => (
            "FILTER_LOT_SIZE",
            json!({ "quantity_min": min.to_string(), "quantity_max": max.to_string() }),
        ),
        FilterFailure::Notional { notional, min } => {
            let smallest = smallest_quantity(*notional, *min, listed, order);
            (
                "FILTER_NOTIONAL",
                json!({ "quantity_min": smallest, "notional_min": min.to_string() }),
            )
        }
        FilterFailure::PriceRange { min, max, .. } => (
            "FILTER_PRICE_FILTER",
            json!({ "price_min": min.to_string(), "price_max": max.to_string() }),
        ),
        FilterFailure::PercentPrice { min, max, .. } => (
            "FILTER_PERCENT_PRICE_BY_SIDE",
            json!({ "price_min": min.to_string(), "price_max": max.to_string() }),
        ),
        FilterFailure::MarketQuantity { max, .. } => {
            ("FILTER_MARKET_LOT_SIZE", json!({ "quantity_max": max.to_string() }))
        }
        FilterFailure::NotionalMax { notional, max } => {
            let largest = largest_quantity(*notional, *max, listed, order);
            ("FILTER_NOTIONAL", json!({ "quantity_max": largest, "notional_max": max.to_string() }))
        }
        FilterFailure::Trailing { range, .. } => (
            "FILTER_TRAILING_DELTA",
            json!({ "trailing_bips_min": range.bips_min, "trailing_bips_max": range.bips_max }),
        ),
        FilterFailure::Closed { .. } => ("MARKET_CLOSED", Value::Null),
        FilterFailure::Overflow => ("FILTER_NOTIONAL", Value::Null),
    };
    Failure::refused(code, failure.to_string()).with("passes", passes)
}

/// The smallest quantity on the grid whose value at the same price passes.
fn smallest_quantity(
    notional: Amount,
    min: Amount,
    listed: &Instrument,
    order: &NewOrder,
) -> Option<String> {
    let price = unit_price(notional, order)?;
    let step = listed.step_size.decimal();
    let steps = min.decimal().checked_div(price)?.checked_div(step)?.ceil();
    Some(steps.checked_mul(step)?.normalize().to_string())
}

/// The largest quantity on the grid whose value at the same price passes.
fn largest_quantity(
    notional: Amount,
    max: Amount,
    listed: &Instrument,
    order: &NewOrder,
) -> Option<String> {
    let step = listed.step_size.decimal();
    let steps = max.decimal().checked_div(unit_price(notional, order)?)?.checked_div(step)?.floor();
    Some(steps.checked_mul(step)?.normalize().to_string())
}

/// What one unit was valued at.
fn unit_price(notional: Amount, order: &NewOrder) -> Option<Decimal> {
    match order.kind.named_price() {
        Some(price) => Some(price.decimal()),
        None => notional.decimal().checked_div(order.quantity.decimal()),
    }
}

/// Nothing was sent, because the journal did not take it.
pub(crate) fn not_sent(error: &JournalError) -> Failure {
    Failure::unavailable(format!("nothing was sent to the venue: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listed::btcusdt;
    use domain::{OrderKind, Side, TimeInForce};

    fn refused_by_filter(price: &str, quantity: &str) -> Failure {
        let listed = btcusdt();
        let order = NewOrder {
            client_order_id: "b4-1".parse().unwrap(),
            symbol: listed.symbol.clone(),
            side: Side::Buy,
            quantity: quantity.parse().unwrap(),
            kind: OrderKind::Limit {
                price: price.parse().unwrap(),
                time_in_force: TimeInForce::GoodTilCanceled,
                post_only: false,
            },
        };
        let failure = listed.check(&order, "60000".parse().unwrap()).unwrap_err();
        of_filter(&failure, &listed, &order)
    }

    #[test]
    fn a_filter_says_what_would_pass() {
        let check = |price, quantity, code, passes| {
            let failure = refused_by_filter(price, quantity);
            assert_eq!(failure.reason(), Some(code), "{failure}");
            assert_eq!(failure.data["passes"], passes);
        };
        let prices = json!({ "price_below": "60000", "price_above": "60000.01" });
        check("60000.001", "0.001", "FILTER_PRICE_FILTER", prices);
        check("60000", "0.000015", "FILTER_LOT_SIZE", json!({ "quantity_below": "0.00001" }));
        let range = json!({ "quantity_min": "0.00001", "quantity_max": "9000" });
        check("60000", "9001", "FILTER_LOT_SIZE", range);
        let smallest = json!({ "quantity_min": "0.00009", "notional_min": "5" });
        check("60000", "0.00008", "FILTER_NOTIONAL", smallest);
    }
}
