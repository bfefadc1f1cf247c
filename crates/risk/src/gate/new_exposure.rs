//! What is asked of an order that does not only reduce what is held.
//!
//! First the account's conduct, which no quantity changes; then the limits on size. Every limit on
//! size that an order passes is passed by the same order with less quantity, so the largest quantity
//! that passes is found by halving.

use domain::{Amount, Decimal, NewOrder, Overflow, Price, Quantity, Rate, Side};
use rust_decimal::RoundingStrategy;
use rust_decimal::prelude::ToPrimitive;

use super::{price_of, value_price};
use crate::{Bet, Context, DayLossLevel, Market, ModelError, Phase, PortfolioRisk, Refusal};

/// Places that a share of the equity is rounded down to.
const SHARE_PLACES: u32 = 8;

/// One limit on size: what counts already, what may count, and how a refusal is worded.
struct Size {
    used: Amount,
    max: Amount,
    refuse: fn(Amount, Amount) -> Refusal,
}

/// All limits on size of one order.
struct Sizes<'a> {
    order: &'a NewOrder,
    ctx: &'a Context<'a>,
    equity: Amount,
    linear: [Option<Size>; 6],
    /// What is at stake in the symbol, and in all.
    own: Amount,
    total: Amount,
    /// What the order is valued at.
    price: Price,
}

/// Decides whether an order may add to what is at stake; `count` orders would be sent with it.
pub(super) fn check_new_exposure(
    order: &NewOrder,
    count: u32,
    market: &Market,
    ctx: &Context<'_>,
) -> Result<(), Refusal> {
    let unrepresentable = |_overflow| Refusal::Unrepresentable;
    let of_conduct = check_known(order, ctx)
        .and_then(|()| check_losses(ctx))
        .and_then(|()| check_breaker(ctx))
        .and_then(|()| check_pace(count, ctx));
    let equity =
        of_conduct.and_then(|()| ctx.equity.ok_or(Refusal::EquityUnknown { passes: None }));
    let equity = match equity {
        Ok(equity) => equity,
        Err(refusal) => return Err(refusal.with_passes(quantity_max(order, market, ctx, None))),
    };
    let sizes = Sizes::of(order, market, equity, ctx).map_err(unrepresentable)?;
    let notional = sizes.price.notional(order.quantity).map_err(unrepresentable)?;
    sizes.judge(notional).map_err(|refusal| {
        let passes = quantity_max(order, market, ctx, sizes.largest());
        refusal.with_passes(passes)
    })
}

fn check_known(order: &NewOrder, ctx: &Context<'_>) -> Result<(), Refusal> {
    let orders = ctx.exposure.unknown_orders;
    if orders > 0 {
        let symbol = order.symbol.clone();
        return Err(Refusal::OutcomeUnknown { symbol, orders, passes: None });
    }
    Ok(())
}

fn check_breaker(ctx: &Context<'_>) -> Result<(), Refusal> {
    let passes = None;
    match ctx.breaker.phase(ctx.now) {
        Phase::Closed | Phase::HalfOpen { .. } => Ok(()),
        Phase::Open { code, since, until } => {
            Err(Refusal::BreakerOpen { code, since, until, passes })
        }
        Phase::NeedsPerson { code, since } => {
            Err(Refusal::BreakerNeedsPerson { code, since, passes })
        }
        Phase::Missing => Err(Refusal::BreakerStateMissing { passes }),
        Phase::Unreadable { why } => Err(Refusal::BreakerStateUnreadable { why, passes }),
    }
}

fn check_losses(ctx: &Context<'_>) -> Result<(), Refusal> {
    let (limits, standing, passes) = (ctx.limits, ctx.standing, None);
    let Some(loss) = ctx.day_loss else {
        return Err(Refusal::DailyLossUnknown { passes });
    };
    if limits.day_loss_level(loss) == DayLossLevel::Stop {
        let max = limits.max_daily_loss.decimal();
        return Err(Refusal::DailyLoss { loss, max, passes });
    }
    let Some(loss) = standing.week_loss else {
        return Err(Refusal::WeeklyLossUnknown { passes });
    };
    let max = limits.max_weekly_loss.decimal();
    if loss >= max {
        return Err(Refusal::WeeklyLoss { loss, max, passes });
    }
    let Some(drawdown) = standing.drawdown else {
        return Err(Refusal::DrawdownUnknown { passes });
    };
    let max = limits.max_drawdown.decimal();
    if drawdown >= max {
        return Err(Refusal::Drawdown { drawdown, max, passes });
    }
    if let Some(until) = standing.streak.cools_until(limits, ctx.now) {
        let (losses, max) = (standing.streak.losses(), limits.loss_streak_max);
        return Err(Refusal::LossStreak { losses, max, until, passes });
    }
    Ok(())
}

fn check_pace(count: u32, ctx: &Context<'_>) -> Result<(), Refusal> {
    let (limits, passes) = (ctx.limits, None);
    let orders = ctx.standing.orders_in_window.saturating_add(count);
    if orders > limits.order_rate_max {
        let (window_ms, max) = (limits.order_rate_window_ms, limits.order_rate_max);
        return Err(Refusal::OrderRate { orders, window_ms, max, passes });
    }
    let orders = ctx.exposure.open_orders.saturating_add(count);
    if orders > limits.open_orders_max {
        return Err(Refusal::OpenOrders { orders, max: limits.open_orders_max, passes });
    }
    Ok(())
}

// === impl Sizes ===

impl<'a> Sizes<'a> {
    fn of(
        order: &'a NewOrder,
        market: &Market,
        equity: Amount,
        ctx: &'a Context<'a>,
    ) -> Result<Self, Overflow> {
        let (limits, exposure) = (ctx.limits, ctx.exposure);
        let own = exposure.position_value.try_add(exposure.open_buys_value)?;
        let total = exposure.portfolio_value.try_add(exposure.portfolio_open_buys_value)?;
        let linear = [
            Some(Size {
                used: Amount::ZERO,
                max: limits.max_order_notional,
                refuse: |value, max| Refusal::OrderNotional { value, max, passes: None },
            }),
            Some(Size {
                used: own,
                max: share(equity, limits.max_position_size)?,
                refuse: |value, max| Refusal::PositionSize { value, max, passes: None },
            }),
            limits.max_symbol_notional.map(|max| Size {
                used: own,
                max,
                refuse: |value, max| Refusal::SymbolNotional { value, max, passes: None },
            }),
            Some(Size {
                used: total,
                max: share(equity, limits.max_portfolio_risk)?,
                refuse: |value, max| Refusal::PortfolioExposure { value, max, passes: None },
            }),
            Some(Size {
                used: total,
                max: times(equity, limits.max_leverage)?,
                refuse: |value, max| Refusal::Leverage { value, max, passes: None },
            }),
            limits.max_total_notional.map(|max| Size {
                used: total,
                max,
                refuse: |value, max| Refusal::TotalNotional { value, max, passes: None },
            }),
        ];
        Ok(Self { order, ctx, equity, linear, own, total, price: value_price(order, market) })
    }

    /// Whether the order may be worth so much.
    fn judge(&self, notional: Amount) -> Result<(), Refusal> {
        let overflow = |_overflow| Refusal::Unrepresentable;
        for size in self.linear.iter().flatten() {
            let value = size.used.try_add(notional).map_err(overflow)?;
            if value > size.max {
                return Err((size.refuse)(value, size.max));
            }
        }
        self.judge_concentration(notional).map_err(overflow)?.map_or(Ok(()), Err)?;
        self.judge_model(notional)
    }

    fn judge_concentration(&self, notional: Amount) -> Result<Option<Refusal>, Overflow> {
        let (limits, passes) = (self.ctx.limits, None);
        let Some(max) = limits.max_concentration else { return Ok(None) };
        let (own, total) = (self.own.try_add(notional)?, self.total.try_add(notional)?);
        if total <= share(self.equity, limits.concentration_from)? {
            return Ok(None);
        }
        let max = max.decimal();
        if own.decimal() <= total.decimal().checked_mul(max).ok_or(Overflow)? {
            return Ok(None);
        }
        let share = own.decimal().checked_div(total.decimal()).ok_or(Overflow)?;
        let up = RoundingStrategy::ToPositiveInfinity;
        let share = share.round_dp_with_strategy(SHARE_PLACES, up).normalize();
        let symbol = self.order.symbol.clone();
        let herfindahl = self.ctx.portfolio.and_then(PortfolioRisk::herfindahl);
        Ok(Some(Refusal::Concentration { symbol, share, max, total, herfindahl, passes }))
    }

    /// The limits that a model of risk is needed for.
    fn judge_model(&self, notional: Amount) -> Result<(), Refusal> {
        let (limits, passes) = (self.ctx.limits, None);
        if !limits.needs_model() {
            return Ok(());
        }
        let Some(portfolio) = self.ctx.portfolio else {
            return Err(Refusal::RiskModelMissing { passes });
        };
        let version = portfolio.model().version();
        let age_ms = portfolio.model().age_ms(self.ctx.now);
        let age_ms_max = limits.risk_model_age_ms_max;
        if age_ms > age_ms_max {
            return Err(Refusal::RiskModelStale { version, age_ms, age_ms_max, passes });
        }
        let unfit = |why| Refusal::RiskModelUnfit { version, why, passes: None };
        self.judge_bet(portfolio, notional).map_err(unfit)?.map_or(Ok(()), Err)?;
        self.judge_tail(portfolio, notional).map_err(unfit)?.map_or(Ok(()), Err)
    }

    fn judge_bet(
        &self,
        portfolio: &PortfolioRisk,
        notional: Amount,
    ) -> Result<Option<Refusal>, ModelError> {
        let (limits, symbol) = (self.ctx.limits, &self.order.symbol);
        let Some(max) = limits.max_correlated_exposure else { return Ok(None) };
        let correlation_max = limits.max_correlation.decimal();
        let own = portfolio.bet(symbol, correlation_max)?;
        let too_large = |_overflow| ModelError::TooLarge;
        let value = own.try_add(notional).map_err(too_large)?;
        let max = share(self.equity, max).map_err(too_large)?;
        if value <= max {
            return Ok(None);
        }
        let closest = portfolio.closest(symbol).map(|(of, found)| (of.clone(), found));
        let bet = Box::new(Bet { symbol: symbol.clone(), correlation_max, closest });
        Ok(Some(Refusal::CorrelatedExposure { bet, value, max, passes: None }))
    }

    /// An order that does not add to the tail is not refused for it, so that a portfolio over its
    /// limit can still be hedged.
    fn judge_tail(
        &self,
        portfolio: &PortfolioRisk,
        notional: Amount,
    ) -> Result<Option<Refusal>, ModelError> {
        let limits = self.ctx.limits;
        if limits.max_var.is_none() && limits.max_expected_shortfall.is_none() {
            return Ok(None);
        }
        let before = portfolio.deviation()?;
        let after = portfolio.deviation_with(&self.order.symbol, notional)?;
        if after <= before {
            return Ok(None);
        }
        let (level, too_large) = (limits.var_confidence, |_overflow| ModelError::TooLarge);
        let (confidence, model_version) = (level.share(), portfolio.model().version());
        let passes = None;
        if let Some(max) = limits.max_var {
            let max = share(self.equity, max).map_err(too_large)?;
            let value = level.var_of(after).ok_or(ModelError::TooLarge)?;
            if value > max {
                let before = level.var_of(before).ok_or(ModelError::TooLarge)?;
                return Ok(Some(Refusal::ValueAtRisk {
                    value,
                    before,
                    max,
                    confidence,
                    model_version,
                    passes,
                }));
            }
        }
        if let Some(max) = limits.max_expected_shortfall {
            let max = share(self.equity, max).map_err(too_large)?;
            let value = level.shortfall_of(after).ok_or(ModelError::TooLarge)?;
            if value > max {
                let before = level.shortfall_of(before).ok_or(ModelError::TooLarge)?;
                return Ok(Some(Refusal::ExpectedShortfall {
                    value,
                    before,
                    max,
                    confidence,
                    model_version,
                    passes,
                }));
            }
        }
        Ok(None)
    }

    /// The largest quantity in whole steps, at most the order's own, that every limit allows.
    fn largest(&self) -> Option<Quantity> {
        let step = self.ctx.instrument.step_size.decimal();
        let quantity = |steps: u64| Quantity::try_new(Decimal::from(steps).checked_mul(step)?).ok();
        let passes = |steps: u64| {
            let notional = quantity(steps).and_then(|q| self.price.notional(q).ok());
            notional.is_some_and(|notional| self.judge(notional).is_ok())
        };
        let of_order = self.order.quantity.decimal();
        let most = match self.room()? {
            room if room <= Amount::ZERO => return None,
            room => room.decimal().checked_div(self.price.decimal())?.min(of_order),
        };
        let first = most.checked_div(step)?.floor().to_u64()?;
        // What the limits on size leave is most often the answer itself.
        if first > 0 && passes(first) {
            return quantity(first);
        }
        let (mut passed, mut refused) = (0, first);
        while let Some(gap) = refused.checked_sub(passed)
            && gap > 1
        {
            let middle = passed.checked_add(gap >> 1)?;
            if passes(middle) { passed = middle } else { refused = middle }
        }
        if passed == 0 { None } else { quantity(passed) }
    }

    /// What the limits on size leave for one more order, in quote asset.
    fn room(&self) -> Option<Amount> {
        let left = |size: &Size| size.max.try_sub(size.used).ok();
        self.linear.iter().flatten().filter_map(left).min()
    }
}

fn share(equity: Amount, share: Rate) -> Result<Amount, Overflow> {
    times(equity, share.decimal())
}

fn times(equity: Amount, factor: Decimal) -> Result<Amount, Overflow> {
    let product = equity.decimal().checked_mul(factor).ok_or(Overflow)?;
    let floor = RoundingStrategy::ToNegativeInfinity;
    Ok(Amount::new(product.round_dp_with_strategy(SHARE_PLACES, floor)))
}

/// The largest quantity in whole steps that would be approved: what is sized already, or what only
/// reduces. `None` when the venue's smallest order is more than that.
fn quantity_max(
    order: &NewOrder,
    market: &Market,
    ctx: &Context<'_>,
    sized: Option<Quantity>,
) -> Option<Quantity> {
    let step = ctx.instrument.step_size.decimal();
    let reducing = match order.side {
        Side::Buy => None,
        Side::Sell => {
            let steps = ctx.exposure.sellable().decimal().checked_div(step)?.floor();
            steps.checked_mul(step).and_then(|quantity| Quantity::try_new(quantity).ok())
        }
    };
    let quantity = sized.max(reducing)?.min(ctx.instrument.quantity_max);
    let notional = price_of(order, market).notional(quantity).ok()?;
    let sendable =
        quantity >= ctx.instrument.quantity_min && notional >= ctx.instrument.notional_min;
    sendable.then_some(quantity)
}
