//! The one gate: every order that leaves the house has passed [`check`].
//!
//! The first failing rule refuses, in this order: halt, instrument, price there, price fresh, price
//! band; then, unless the order only reduces what is held: unknown outcomes, the day's loss, the
//! equity, and the four limits on size.
//!
//! An order is valued at the most it can be worth: a buy at its limit price or the ask, a sell at
//! the higher of its limit price and the bid. A sell of more than can be given away counts whole as
//! new exposure.

use domain::{Amount, Decimal, NewOrder, Overflow, Price, Quantity, Rate, Side};
use rust_decimal::RoundingStrategy;

use crate::{Approved, Context, DayLossLevel, Halt, Market, Refusal};

/// Places that a share of the equity is rounded down to.
const SHARE_PLACES: u32 = 8;

/// One limit on size: what counts already, what may count, and how a refusal is worded.
struct Size {
    used: Amount,
    max: Amount,
    refuse: fn(Amount, Amount, Option<Quantity>) -> Refusal,
}

/// Decides whether the order may leave the house.
///
/// # Errors
/// The first [`Refusal`] in the order above.
pub fn check(order: NewOrder, ctx: &Context<'_>) -> Result<Approved<NewOrder>, Refusal> {
    check_halt(ctx.halt)?;
    if order.symbol != ctx.instrument.symbol {
        let (ordered, instrument) = (order.symbol, ctx.instrument.symbol.clone());
        return Err(Refusal::Instrument { ordered, instrument });
    }
    let Some(market) = ctx.market else {
        return Err(Refusal::NoPrice { symbol: order.symbol });
    };
    let (age_ms, age_ms_max) = (market.age_ms(ctx.now), ctx.limits.price_age_ms_max);
    if age_ms > age_ms_max {
        return Err(Refusal::StalePrice { age_ms, age_ms_max });
    }
    check_band(price_of(&order, market), market, ctx)?;
    if !ctx.reduces(order.side, order.quantity) {
        check_new_exposure(&order, market, ctx)?;
    }
    Ok(Approved::new(order))
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

fn check_band(price: Price, market: &Market, ctx: &Context<'_>) -> Result<(), Refusal> {
    let mid = market.mid();
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

fn check_new_exposure(order: &NewOrder, market: &Market, ctx: &Context<'_>) -> Result<(), Refusal> {
    let reducing = || quantity_max(order, market, ctx, None);
    if ctx.exposure.unknown_orders > 0 {
        let (symbol, orders) = (order.symbol.clone(), ctx.exposure.unknown_orders);
        return Err(Refusal::OutcomeUnknown { symbol, orders, passes: reducing() });
    }
    let Some(loss) = ctx.day_loss else {
        return Err(Refusal::DailyLossUnknown { passes: reducing() });
    };
    if ctx.limits.day_loss_level(loss) == DayLossLevel::Stop {
        let max = ctx.limits.max_daily_loss.decimal();
        return Err(Refusal::DailyLoss { loss, max, passes: reducing() });
    }
    let Some(equity) = ctx.equity else {
        return Err(Refusal::EquityUnknown { passes: reducing() });
    };
    let sizes = sizes(equity, ctx).or(Err(Refusal::Unrepresentable))?;
    let notional =
        value_price(order, market).notional(order.quantity).or(Err(Refusal::Unrepresentable))?;
    for size in &sizes {
        let value = size.used.try_add(notional).or(Err(Refusal::Unrepresentable))?;
        if value > size.max {
            let room = room(&sizes);
            let passes = quantity_max(order, market, ctx, room);
            return Err((size.refuse)(value, size.max, passes));
        }
    }
    Ok(())
}

fn sizes(equity: Amount, ctx: &Context<'_>) -> Result<[Size; 4], Overflow> {
    let (limits, exposure) = (ctx.limits, ctx.exposure);
    let portfolio = exposure.portfolio_value.try_add(exposure.portfolio_open_buys_value)?;
    Ok([
        Size {
            used: Amount::ZERO,
            max: limits.max_order_notional,
            refuse: |value, max, passes| Refusal::OrderNotional { value, max, passes },
        },
        Size {
            used: exposure.position_value.try_add(exposure.open_buys_value)?,
            max: share(equity, limits.max_position_size)?,
            refuse: |value, max, passes| Refusal::PositionSize { value, max, passes },
        },
        Size {
            used: portfolio,
            max: share(equity, limits.max_portfolio_risk)?,
            refuse: |value, max, passes| Refusal::PortfolioExposure { value, max, passes },
        },
        Size {
            used: portfolio,
            max: times(equity, limits.max_leverage)?,
            refuse: |value, max, passes| Refusal::Leverage { value, max, passes },
        },
    ])
}

fn share(equity: Amount, share: Rate) -> Result<Amount, Overflow> {
    times(equity, share.decimal())
}

fn times(equity: Amount, factor: Decimal) -> Result<Amount, Overflow> {
    let product = equity.decimal().checked_mul(factor).ok_or(Overflow)?;
    let floor = RoundingStrategy::ToNegativeInfinity;
    Ok(Amount::new(product.round_dp_with_strategy(SHARE_PLACES, floor)))
}

/// What every limit leaves for one more order, in quote asset.
fn room(sizes: &[Size]) -> Option<Amount> {
    sizes.iter().filter_map(|size| size.max.try_sub(size.used).ok()).min()
}

/// The largest quantity in whole steps that would be approved: worth at most `room`, or only
/// reducing. `None` when the venue's smallest order is more than that.
fn quantity_max(
    order: &NewOrder,
    market: &Market,
    ctx: &Context<'_>,
    room: Option<Amount>,
) -> Option<Quantity> {
    let step = ctx.instrument.step_size.decimal();
    let whole_steps = |quantity: Decimal| {
        quantity
            .checked_div(step)?
            .floor()
            .checked_mul(step)
            .and_then(|q| Quantity::try_new(q).ok())
    };
    let price = value_price(order, market);
    let sized = room.and_then(|room| {
        let quantity = whole_steps(room.decimal().checked_div(price.decimal())?)?;
        let fits = |q: &Quantity| price.notional(*q).is_ok_and(|value| value <= room);
        // The division may have rounded up to a whole step.
        if fits(&quantity) { Some(quantity) } else { quantity.try_sub(ctx.instrument.step_size) }
    });
    let reducing = match order.side {
        Side::Buy => None,
        Side::Sell => whole_steps(ctx.exposure.sellable().decimal()),
    };
    let quantity = sized.max(reducing)?.min(ctx.instrument.quantity_max);
    let notional = price_of(order, market).notional(quantity).ok()?;
    let sendable =
        quantity >= ctx.instrument.quantity_min && notional >= ctx.instrument.notional_min;
    sendable.then_some(quantity)
}

#[cfg(test)]
mod tests;
