//! What an order would do, if it were placed now and traded whole.
//!
//! The verdict is the gate's own, on the books that the next order is decided by. The effects are
//! measured as the gate measures them: what is held and all that open buy orders may add, each in
//! full. A sell takes off what it gives away, valued at the mid.

use std::sync::Arc;

use agent::{Effect, Run, ToolDef};
use domain::{Amount, Decimal, NewOrder, OrderKind, Price, Quantity, Side, Symbol, TimeInForce};
use futures_util::FutureExt;
use risk::{Confidence, Context, Limits, Market, Passes, PortfolioRisk};
use serde_json::Value;
use wire::house::{
    CorrelationView, EffectView, ModelView, OrderAsked, OrderRiskView, OrderSide, RISK_OF_ORDER,
    RefusalView,
};
use wire::money::{AmountText, QuantityText, TimeText};
use wire::{Failure, schema};

use crate::Exchange;
use crate::books::Books;
use crate::desk::Desk;
use crate::place::check_filters;
use crate::risk_model::Made;
use crate::situation::Situation;
use crate::tools::listed;
use crate::{refusals, risk_model};

/// Places that measures are rounded to.
const PLACES: u32 = 8;

pub(super) const QUESTION: ToolDef<Exchange> = ToolDef {
    name: RISK_OF_ORDER,
    title: "What an order would do",
    description: "Gives what an order would do to what is at stake, and whether the gate lets it \
                  pass. Places nothing.",
    effect: Effect::Reads,
    open_world: true,
    input: schema::input_of::<OrderAsked>,
    output: schema::output_of::<OrderRiskView>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&risk_of_order(&exchange, args.read()?).await?) }.boxed()
    }),
};

/// What is measured with.
struct Measure<'a> {
    situation: &'a Situation,
    books: &'a Books,
    order: &'a NewOrder,
    market: &'a Market,
    /// What the order adds to what is at stake; negative when it takes off.
    delta: Amount,
    equity: Amount,
}

async fn risk_of_order(exchange: &Exchange, asked: OrderAsked) -> Result<OrderRiskView, Failure> {
    let desk = exchange.desk(&asked.exchange)?;
    let listed = listed(&desk, &asked.symbol)?;
    let order = order_of(&asked, listed.symbol.clone());
    let model = model_of(&desk, &order).await;
    let mut books = desk.books().await;
    let situation = desk.situation(&mut books, listed, None).await;
    let halt = desk.journal.read_halt().await;
    let now = desk.clock.now();
    let portfolio =
        model.as_ref().ok().and_then(|made| books.portfolio(&made.model, None)).cloned();
    let portfolio = portfolio.as_ref();
    let needed = portfolio.filter(|_| situation.limits.limits.needs_model());
    let context = situation.context(&desk.quote, &halt, now, needed);
    let judged = judge(&desk, &order, &situation, &context);
    let market = situation
        .market()
        .ok_or_else(|| Failure::unavailable(format!("there is no price for {}", order.symbol)))?;
    let price = order.kind.named_price().unwrap_or(market.touch(order.side));
    let too_large = |_| Failure::unavailable("a value of the order cannot be held");
    let notional = price.notional(order.quantity).map_err(too_large)?;
    let reduces = context.reduces(order.side, order.quantity);
    let delta = match order.side {
        Side::Buy => notional,
        Side::Sell => taken_off(&situation, market, order.quantity).map_err(too_large)?,
    };
    let effects = match situation.equity.filter(|equity| *equity > Amount::ZERO) {
        None => Vec::new(),
        Some(equity) => {
            let order = &order;
            let measure =
                Measure { situation: &situation, books: &books, order, market, delta, equity };
            let effects = measure.sizes().and_then(|mut sizes| {
                sizes.extend(measure.with_model(portfolio)?);
                Some(sizes)
            });
            effects.ok_or_else(|| Failure::unavailable("a measure cannot be held"))?
        }
    };
    let closest = portfolio.and_then(|portfolio| portfolio.closest(&order.symbol));
    let confidence = situation.limits.limits.var_confidence.share();
    let view = |made: &Arc<Made>| ModelView {
        as_of: TimeText(made.model.as_of()),
        returns_over: made.returns_over,
        confidence,
    };
    let quantity_passing = judged.as_ref().err().and_then(|(_, passing)| *passing);
    Ok(OrderRiskView {
        as_of: TimeText(now),
        notional: AmountText(notional),
        reduces,
        passes: judged.is_ok(),
        quantity_passing: quantity_passing.map(QuantityText),
        refusal: judged.err().map(|(failure, _)| refusal_view(failure)),
        effects,
        closest: closest.map(|(symbol, correlation)| CorrelationView {
            symbol: symbol.to_string(),
            correlation: AmountText(Amount::new(correlation)),
        }),
        model: model.as_ref().ok().map(view),
        no_model: model.err(),
    })
}

/// The order that is asked about.
fn order_of(asked: &OrderAsked, symbol: Symbol) -> NewOrder {
    NewOrder {
        client_order_id: "b4-risk-of-order".parse().expect("invariant: a legal name"),
        symbol,
        side: match asked.side {
            OrderSide::Buy => Side::Buy,
            OrderSide::Sell => Side::Sell,
        },
        quantity: asked.quantity.0,
        kind: asked.price.map_or(OrderKind::Market, |price| OrderKind::Limit {
            price: price.0,
            time_in_force: TimeInForce::GoodTilCanceled,
            post_only: false,
        }),
    }
}

/// Why the order would not leave, and the largest quantity that would.
fn judge(
    desk: &Desk,
    order: &NewOrder,
    situation: &Situation,
    context: &Context<'_>,
) -> Result<(), (Failure, Option<Quantity>)> {
    let at_the_desk = desk.trouble().map_or_else(|| desk.lease.check(), Err);
    at_the_desk
        .map_err(Failure::unavailable)
        .and_then(|()| check_filters(order, &situation.listed, situation.market()))
        .map_err(|failure| (failure, None))?;
    risk::check(order.clone(), context).map(drop).map_err(|refusal| {
        let passing = match refusal.passes() {
            Some(Passes::QuantityMax(quantity)) => Some(quantity),
            _ => None,
        };
        (refusals::of_risk(&refusal), passing)
    })
}

fn refusal_view(failure: Failure) -> RefusalView {
    let reason = failure.data.get("reason").and_then(Value::as_str).map(str::to_owned);
    RefusalView {
        code: reason.unwrap_or_else(|| failure.code.word().to_uppercase()),
        message: failure.message,
    }
}

/// The account's model, or a new one with the symbol where that one is old or has it not.
async fn model_of(desk: &Desk, order: &NewOrder) -> Result<Arc<Made>, String> {
    let age_ms_max = desk.limits().limits.risk_model_age_ms_max;
    let known = desk.model();
    let fits = |made: &&Arc<Made>| {
        made.model.age_ms(desk.clock.now()) <= age_ms_max
            && made.model.symbols().any(|known| *known == order.symbol)
    };
    if let Some(made) = known.as_ref().filter(fits) {
        return Ok(Arc::clone(made));
    }
    let mut symbols = vec![order.symbol.clone()];
    symbols.extend(known.iter().flat_map(|made| made.model.symbols()).cloned());
    risk_model::renew(desk, &symbols).await
}

/// What a sell takes off what is at stake: what is held of it, at the mid. Not above zero.
fn taken_off(
    situation: &Situation,
    market: &Market,
    quantity: Quantity,
) -> Result<Amount, domain::Overflow> {
    let given = situation.exposure.held.max(Amount::ZERO).min(quantity.amount());
    Amount::ZERO.try_sub(market.mid().value_of(given)?)
}

// === impl Measure ===

impl Measure<'_> {
    fn limits(&self) -> &Limits {
        &self.situation.limits.limits
    }

    fn share(&self, value: Amount) -> Option<Decimal> {
        value.decimal().checked_div(self.equity.decimal())
    }

    fn effect(
        &self,
        (measure, unit): (&'static str, &'static str),
        before: Decimal,
        after: Decimal,
        limit: Option<Decimal>,
    ) -> EffectView {
        let text = |value: Decimal| AmountText(Amount::new(value.round_dp(PLACES).normalize()));
        let (before, after, limit) = (text(before), text(after), limit.map(text));
        EffectView { measure, unit, before, after, limit }
    }

    /// What is at stake in the symbol and in all, before the order and after it.
    fn at_stake(&self) -> Option<[(Amount, Amount); 2]> {
        let exposure = &self.situation.exposure;
        let own = exposure.position_value.try_add(exposure.open_buys_value).ok()?;
        let all = exposure.portfolio_value.try_add(exposure.portfolio_open_buys_value).ok()?;
        Some([(own, own.try_add(self.delta).ok()?), (all, all.try_add(self.delta).ok()?)])
    }

    fn sizes(&self) -> Option<Vec<EffectView>> {
        let limits = self.limits();
        let [own, all] = self.at_stake()?;
        let open = Decimal::from(self.situation.exposure.open_orders);
        let rests = self.order.kind.limit_price().is_some_and(|price| self.rests_at(price));
        let mut effects = vec![
            self.effect(
                ("position", "share_of_equity"),
                self.share(own.0)?,
                self.share(own.1)?,
                Some(limits.max_position_size.decimal()),
            ),
            self.effect(
                ("exposure", "share_of_equity"),
                self.share(all.0)?,
                self.share(all.1)?,
                Some(limits.max_portfolio_risk.decimal()),
            ),
            self.effect(
                ("leverage", "times_equity"),
                self.share(all.0)?,
                self.share(all.1)?,
                Some(limits.max_leverage),
            ),
            self.effect(
                ("open_orders", "count"),
                open,
                open.checked_add(Decimal::from(u8::from(rests)))?,
                Some(Decimal::from(limits.open_orders_max)),
            ),
        ];
        let part = |(own, all): (Amount, Amount)| {
            own.decimal().checked_div(all.decimal()).unwrap_or(Decimal::ZERO)
        };
        effects.push(self.effect(
            ("concentration", "share_of_exposure"),
            part((own.0, all.0)),
            part((own.1, all.1)),
            limits.max_concentration.map(|max| max.decimal()),
        ));
        Some(effects)
    }

    /// Whether a limit order waits in the book.
    fn rests_at(&self, price: Price) -> bool {
        match self.order.side {
            Side::Buy => price < self.market.ask(),
            Side::Sell => price > self.market.bid(),
        }
    }

    /// What needs a model; nothing without one.
    fn with_model(&self, portfolio: Option<&PortfolioRisk>) -> Option<Vec<EffectView>> {
        let Some(portfolio) = portfolio else { return Some(Vec::new()) };
        let (limits, symbol) = (self.limits(), &self.order.symbol);
        let Ok(after) = portfolio.clone().with(symbol, self.delta) else { return Some(Vec::new()) };
        let (was, will) = (portfolio.deviation().ok()?, after.deviation().ok()?);
        let confidence = limits.var_confidence;
        let var = |deviation| self.share(confidence.var_of(deviation)?);
        let shortfall = |deviation| self.share(confidence.shortfall_of(deviation)?);
        let max = limits.max_correlation.decimal();
        let bet = |of: &PortfolioRisk| self.share(of.bet(symbol, max).ok()?);
        let mut effects = vec![
            self.effect(
                ("value_at_risk", "share_of_equity"),
                var(was)?,
                var(will)?,
                limits.max_var.map(|max| max.decimal()),
            ),
            self.effect(
                ("expected_shortfall", "share_of_equity"),
                shortfall(was)?,
                shortfall(will)?,
                limits.max_expected_shortfall.map(|max| max.decimal()),
            ),
            self.effect(
                ("correlated_exposure", "share_of_equity"),
                bet(portfolio)?,
                bet(&after)?,
                limits.max_correlated_exposure.map(|max| max.decimal()),
            ),
        ];
        // What is lost from the top if the day loses what it loses on average beyond the quantile.
        let drawdown = |deviation| self.drawdown_after(confidence, deviation);
        if let (Some(was), Some(will)) = (drawdown(was), drawdown(will)) {
            let max = Some(limits.max_drawdown.decimal());
            effects.push(self.effect(
                ("drawdown_after_shortfall", "share_of_peak"),
                was,
                will,
                max,
            ));
        }
        Some(effects)
    }

    fn drawdown_after(&self, confidence: Confidence, deviation: Amount) -> Option<Decimal> {
        let left = self.equity.try_sub(confidence.shortfall_of(deviation)?).ok()?;
        self.books.drawdown(left)
    }
}
