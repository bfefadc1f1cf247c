//! The one gate: every order that leaves the house has passed [`check`] or [`check_list`].
//!
//! The first failing rule refuses, in this order: halt, age of the limits, instrument, its quote asset,
//! price there, price fresh, price band, side of the trigger; then, unless the order only reduces what is held: unknown outcomes,
//! the losses of the day, of the week, from the top and in a row, the trading breaker, the rate of
//! orders, open orders, the equity, the limits on size, concentration, and at last what needs a risk
//! model: what is correlated, value at risk, expected shortfall.
//!
//! An order is valued at the most it can be worth: a buy at its limit price, its trigger or the ask,
//! a sell at the higher of its own price and the bid. A sell of more than can be given away counts
//! whole as new exposure. The limit of a sleeping order is judged around its trigger, because that
//! is where the market will be when it wakes.

use domain::{
    Amount, Decimal, ListShape, NewOrder, NewOrderList, OrderKind, Overflow, Price, Side,
};

use self::new_exposure::check_new_exposure;
use crate::{Approved, Context, Halt, Market, PortfolioRisk, Refusal};

/// Decides whether the order may leave the house.
///
/// # Errors
/// The first [`Refusal`] in the order above.
pub fn check(order: NewOrder, ctx: &Context<'_>) -> Result<Approved<NewOrder>, Refusal> {
    let market = check_frame(&order, ctx)?;
    check_prices(&order, market, ctx)?;
    if !ctx.reduces(order.side, order.quantity) {
        check_new_exposure(&order, 1, market, ctx)?;
    }
    Ok(Approved::new(order))
}

/// Decides whether a list of orders may leave the house.
///
/// What is sent in at once is judged as an order of its own. An exit is judged as if the order that
/// it follows had traded whole, and counts once, because only one of a pair can trade.
///
/// # Errors
/// As for [`check`]; [`Refusal::ListShape`] for orders that do not belong together.
pub fn check_list(
    list: NewOrderList,
    ctx: &Context<'_>,
) -> Result<Approved<NewOrderList>, Refusal> {
    check_shape(&list.shape)?;
    for order in list.orders() {
        let market = check_frame(order, ctx)?;
        check_prices(order, market, ctx)?;
    }
    let (working, exits) = match &list.shape {
        ListShape::Oco { above, below } => (None, [above, below]),
        ListShape::Oto { working, pending } => (Some(working), [pending, pending]),
        ListShape::Otoco { working, above, below } => (Some(working), [above, below]),
    };
    let count = u32::try_from(list.orders().len()).unwrap_or(u32::MAX);
    let (mut exposure, mut portfolio) = (ctx.exposure.clone(), None);
    if let Some(working) = working {
        let market = check_frame(working, ctx)?;
        if !ctx.reduces(working.side, working.quantity) {
            check_new_exposure(working, count, market, ctx)?;
        }
        exposure = exposure.with_traded(working, market).or(Err(Refusal::Unrepresentable))?;
        portfolio = portfolio_after(working, market, ctx)?;
    }
    let portfolio = portfolio.as_ref().or(ctx.portfolio);
    let after = Context { exposure: &exposure, portfolio, ..*ctx };
    for exit in exits {
        let market = check_frame(exit, &after)?;
        if !after.reduces(exit.side, exit.quantity) {
            check_new_exposure(exit, count, market, &after)?;
        }
    }
    Ok(Approved::new(list))
}

/// The portfolio after an order has traded whole. What is sold stays counted, which is on the safe
/// side. Without a model of the symbol there is none; whatever needs one has refused by then.
fn portfolio_after(
    order: &NewOrder,
    market: &Market,
    ctx: &Context<'_>,
) -> Result<Option<PortfolioRisk>, Refusal> {
    let (Some(portfolio), Side::Buy) = (ctx.portfolio, order.side) else { return Ok(None) };
    let value = value_price(order, market).notional(order.quantity);
    let value: Amount = value.or(Err(Refusal::Unrepresentable))?;
    Ok(portfolio.clone().with(&order.symbol, value).ok())
}

/// What every order needs before its numbers are looked at.
fn check_frame<'a>(order: &NewOrder, ctx: &Context<'a>) -> Result<&'a Market, Refusal> {
    check_halt(ctx.halt)?;
    let (age_ms, age_ms_max) = (ctx.limits_age_ms, ctx.limits.limits_age_ms_max);
    if age_ms > age_ms_max {
        return Err(Refusal::LimitsStale { age_ms, age_ms_max });
    }
    if order.symbol != ctx.instrument.symbol {
        let (ordered, instrument) = (order.symbol.clone(), ctx.instrument.symbol.clone());
        return Err(Refusal::Instrument { ordered, instrument });
    }
    if ctx.instrument.quote != *ctx.quote {
        let (quote, expected) = (ctx.instrument.quote.clone(), ctx.quote.clone());
        return Err(Refusal::QuoteAsset { symbol: order.symbol.clone(), quote, expected });
    }
    let Some(market) = ctx.market else {
        return Err(Refusal::NoPrice { symbol: order.symbol.clone() });
    };
    let (age_ms, age_ms_max) = (market.age_ms(ctx.now), ctx.limits.price_age_ms_max);
    if age_ms > age_ms_max {
        return Err(Refusal::StalePrice { age_ms, age_ms_max });
    }
    Ok(market)
}

fn check_prices(order: &NewOrder, market: &Market, ctx: &Context<'_>) -> Result<(), Refusal> {
    match order.kind.trigger_price() {
        None => check_band(price_of(order, market), market.mid(), ctx),
        Some(trigger) => {
            check_trigger(order, trigger, market, ctx)?;
            match order.kind.limit_price() {
                Some(price) => check_band(price, trigger, ctx),
                None => Ok(()),
            }
        }
    }
}

/// A trigger that the market has passed already would fire at once.
fn check_trigger(
    order: &NewOrder,
    trigger: Price,
    market: &Market,
    ctx: &Context<'_>,
) -> Result<(), Refusal> {
    let OrderKind::Stop { role, .. } = order.kind else { return Ok(()) };
    let next = |from: Price, ticks: i64| {
        let tick = ctx.instrument.tick_size.decimal();
        let beyond = tick.checked_mul(Decimal::from(ticks))?;
        Price::try_new(from.decimal().checked_add(beyond)?).ok()
    };
    if role.wakes_above(order.side) {
        let bid = market.bid();
        if trigger <= bid {
            return Err(Refusal::TriggerSide {
                trigger,
                market: bid,
                min: next(bid, 1),
                max: None,
            });
        }
    } else {
        let ask = market.ask();
        if trigger >= ask {
            return Err(Refusal::TriggerSide {
                trigger,
                market: ask,
                min: None,
                max: next(ask, -1),
            });
        }
    }
    Ok(())
}

/// An exit is two orders of one side and size, one above the market and one below it.
fn check_shape(shape: &ListShape) -> Result<(), Refusal> {
    let wrong = |why| Err(Refusal::ListShape { why });
    let (working, pair) = match shape {
        ListShape::Oco { above, below } => (None, Some((above, below))),
        ListShape::Oto { working, pending } => {
            if working.symbol != pending.symbol {
                return wrong("both must be of one symbol");
            }
            (Some(working), None)
        }
        ListShape::Otoco { working, above, below } => (Some(working), Some((above, below))),
    };
    if let Some(working) = working
        && !matches!(working.kind, OrderKind::Limit { .. })
    {
        return wrong("the order that is sent in first must be a limit order");
    }
    let Some((above, below)) = pair else { return Ok(()) };
    if above.side != below.side || above.quantity != below.quantity {
        return wrong("the orders above and below must have one side and one quantity");
    }
    let of_others = |order: &NewOrder| order.symbol != above.symbol;
    if of_others(below) || working.is_some_and(of_others) {
        return wrong("all must be of one symbol");
    }
    let wakes = |order: &NewOrder| match order.kind {
        OrderKind::Stop { role, .. } => Some(role.wakes_above(order.side)),
        OrderKind::Limit { post_only: true, .. } => Some(order.side == Side::Sell),
        OrderKind::Limit { post_only: false, .. } | OrderKind::Market => None,
    };
    match (wakes(above), wakes(below)) {
        (Some(true), Some(false)) => Ok(()),
        _ => wrong(
            "above must be a stop that wakes above the market or a resting sell, below a stop that \
             wakes below it or a resting buy",
        ),
    }
}

fn check_halt(halt: &Halt) -> Result<(), Refusal> {
    match halt {
        Halt::Running { .. } => Ok(()),
        Halt::Halted { version, reason, since, by } => Err(Refusal::Halted {
            version: *version,
            reason: reason.clone(),
            since: *since,
            by: by.clone(),
        }),
        Halt::Missing => Err(Refusal::HaltStateMissing),
        Halt::Unreadable { why } => Err(Refusal::HaltStateUnreadable { why: why.clone() }),
    }
}

/// The price that the order names, or would trade at.
const fn price_of(order: &NewOrder, market: &Market) -> Price {
    match order.kind.named_price() {
        Some(price) => price,
        None => market.touch(order.side),
    }
}

/// The price that the order is valued at.
fn value_price(order: &NewOrder, market: &Market) -> Price {
    let price = price_of(order, market);
    match order.side {
        Side::Buy => price,
        Side::Sell => price.max(market.bid()),
    }
}

/// The price is within the band around `mid`: the market's, or the trigger's.
fn check_band(price: Price, mid: Price, ctx: &Context<'_>) -> Result<(), Refusal> {
    let Ok((min, max)) = band(mid, ctx) else {
        return Err(Refusal::Unrepresentable);
    };
    if price < min || price > max {
        return Err(Refusal::PriceBand { price, mid, min, max });
    }
    Ok(())
}

/// The lowest and highest price of the instrument's grid within the band around the mid.
fn band(mid: Price, ctx: &Context<'_>) -> Result<(Price, Price), Overflow> {
    let width = mid.decimal().checked_mul(ctx.limits.price_band.decimal()).ok_or(Overflow)?;
    let tick = ctx.instrument.tick_size.decimal();
    let low = mid.decimal().checked_sub(width).ok_or(Overflow)?;
    let high = mid.decimal().checked_add(width).ok_or(Overflow)?;
    let low = low.checked_div(tick).ok_or(Overflow)?.ceil().max(Decimal::ONE);
    let high = high.checked_div(tick).ok_or(Overflow)?.floor();
    let price = |ticks: Decimal| {
        let value = ticks.checked_mul(tick).ok_or(Overflow)?;
        Price::try_new(value).or(Err(Overflow))
    };
    Ok((price(low)?, price(high)?))
}

mod new_exposure;

#[cfg(test)]
mod tests;
