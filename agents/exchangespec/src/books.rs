//! What the account has: money by asset, positions, the day, and the orders still alive.
//!
//! Pure: fills and orders go in, sums come out. Money is the sum of deposits and fills, so it is
//! what the journal says; where the venue counts otherwise, the difference is recorded as a deposit
//! and never simply overwritten.
//!
//! # Invariants
//!
//! * An order that is settled is kept for a while only, since most of what is heard of it afterwards
//!   is known already; the journal has it.
//! * A fill moves money once, however often it is told: [`ledger::Positions`] knows its number.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use domain::{
    Amount, Asset, ClientOrderId, Decimal, Fill, Instrument, Overflow, Side, Symbol, Timestamp,
};
use ledger::{Counted, DayBook, PositionError, Positions};
use orders::{Order, OrderState};
use risk::{Exposure, Market, OrderRate, PortfolioRisk, RiskModel, RoundTrips, Stakes};

/// What the account has.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) instruments: Arc<[Instrument]>,
    /// Where an instrument stands among them: a venue lists thousands.
    places: BTreeMap<Symbol, usize>,
    /// What everything is valued in.
    quote: Asset,
    /// The symbol that values an asset.
    valued: BTreeMap<Asset, Symbol>,
    totals: BTreeMap<Asset, Amount>,
    positions: Positions,
    /// The day's first equity; `None` until the account could be valued once.
    pub(crate) day: Option<DayBook>,
    /// The week's first equity.
    pub(crate) week: Option<Week>,
    /// The highest equity; `None` until the account could be valued once.
    peak: Option<Peak>,
    /// What the fills have earned, one round trip after another.
    pub(crate) trips: RoundTrips,
    /// When the latest orders were sent.
    pub(crate) rate: OrderRate,
    open: BTreeMap<ClientOrderId, Order>,
    /// What of totals and open orders is at stake.
    stakes: Stakes,
    /// The same as the model saw it last.
    portfolio: Option<PortfolioRisk>,
    /// The orders that were settled last, the latest at the end.
    settled: VecDeque<Order>,
}

/// The equity at the start of a week, which is a Monday in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Week {
    /// Its Monday, counted in days from 1970-01-01.
    pub(crate) monday: i64,
    start: DayBook,
}

/// The highest equity, and what of it is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Peak {
    highest: Amount,
    recorded: Amount,
}

/// How many settled orders are kept.
const SETTLED_MAX: usize = 64;

/// The best prices of the symbols that were asked for and have some.
pub(crate) type Prices = BTreeMap<Symbol, Market>;

// === impl Books ===

impl Books {
    pub(crate) fn new(instruments: Arc<[Instrument]>, quote: Asset) -> Self {
        let (totals, positions, open, settled) = Default::default();
        let (day, week, peak, trips, rate) = Default::default();
        let (stakes, portfolio) = Default::default();
        let place = |(place, listed): (usize, &Instrument)| (listed.symbol.clone(), place);
        let places = instruments.iter().enumerate().map(place).collect();
        let valued = instruments.iter().filter(|listed| listed.quote == quote);
        let valued = valued.map(|listed| (listed.base.clone(), listed.symbol.clone())).collect();
        Self {
            instruments,
            places,
            quote,
            valued,
            totals,
            positions,
            day,
            week,
            peak,
            trips,
            rate,
            open,
            stakes,
            portfolio,
            settled,
        }
    }

    /// Forgets what losses are measured from: it has changed on record.
    pub(crate) fn forget_starts(&mut self) {
        (self.day, self.week, self.peak) = (None, None, None);
    }

    /// Takes in an equity; gives the highest that was known before.
    pub(crate) fn observe_peak(&mut self, equity: Amount) -> Option<Amount> {
        let peak = self.peak.as_mut()?;
        let before = peak.highest;
        peak.highest = before.max(equity);
        Some(before)
    }

    /// Takes in that this highest equity is on record.
    pub(crate) fn peak_recorded(&mut self, recorded: Amount) {
        let highest = self.peak.map_or(recorded, |peak| peak.highest.max(recorded));
        self.peak = Some(Peak { highest, recorded });
    }

    /// The highest equity, when it is not on record yet.
    pub(crate) fn risen_peak(&self) -> Option<Amount> {
        self.peak.filter(|peak| peak.highest > peak.recorded).map(|peak| peak.highest)
    }

    /// What is lost since the highest equity, as a share of it; `None` while that is not known or
    /// not above zero.
    pub(crate) fn drawdown(&self, equity: Amount) -> Option<Decimal> {
        let highest = self.peak?.highest;
        DayBook::open(Timestamp::from_unix_nanos(0), highest).loss_share(equity)
    }

    /// Takes in the present prices of what is at stake.
    pub(crate) fn mark(&mut self, prices: &Prices) {
        self.stakes.mark(prices.iter().map(|(symbol, market)| (symbol, market.mid())));
    }

    /// What all of it may lose as the model sees it, at the prices that were taken in last; `None`
    /// when it cannot judge something that is at stake. An order that is about to be replaced is left
    /// out.
    pub(crate) fn portfolio(
        &mut self,
        model: &Arc<RiskModel>,
        replaced: Option<&ClientOrderId>,
    ) -> Option<&PortfolioRisk> {
        let at_stake = self.stakes.at_stake(replaced).ok()?;
        let kept = self.portfolio.take().filter(|kept| Arc::ptr_eq(kept.model(), model));
        let brought = match kept {
            Some(kept) => kept.at(at_stake),
            None => PortfolioRisk::try_new(Arc::clone(model), at_stake),
        };
        self.portfolio = brought
            .inspect_err(|why| tracing::warn!(%why, "the risk model cannot judge what is at stake"))
            .ok();
        self.portfolio.as_ref()
    }

    /// Books money that was paid in or taken out.
    pub(crate) fn deposit(&mut self, asset: &Asset, amount: Amount) -> Result<(), Overflow> {
        let total = self.total(asset).try_add(amount)?;
        self.set_total(asset.clone(), total);
        Ok(())
    }

    /// Books a fill, once.
    ///
    /// # Errors
    /// When it is of no instrument that is traded here or its sums cannot be held; nothing has
    /// changed then.
    pub(crate) fn fill(&mut self, fill: &Fill) -> Result<(), String> {
        let instrument = self.instrument(&fill.symbol);
        let instrument = instrument.ok_or_else(|| format!("{} is not traded here", fill.symbol))?;
        let instrument = instrument.clone();
        let after = self
            .after(&instrument, fill)
            .map_err(|error| PositionError::from(error).to_string())?;
        let before = self.realised(&fill.symbol);
        let counted = self.positions.apply(&instrument, fill).map_err(|error| error.to_string())?;
        if counted == Counted::Duplicate {
            return Ok(());
        }
        after.into_iter().for_each(|(asset, total)| self.set_total(asset, total));
        let result = self.realised(&fill.symbol).try_sub(before).map_err(|e| e.to_string())?;
        if result == Amount::ZERO {
            return Ok(());
        }
        let trip = self.trips.realised(&fill.client_order_id, result, fill.at);
        trip.map_err(|error| error.to_string())
    }

    /// An asset that is paid in several is held once: by the symbol that values it.
    fn set_total(&mut self, asset: Asset, total: Amount) {
        if let Some(symbol) = self.valued.get(&asset) {
            self.stakes.hold(symbol, total);
        }
        self.totals.insert(asset, total);
    }

    fn realised(&self, symbol: &Symbol) -> Amount {
        self.positions.position(symbol).map(ledger::Position::realised).unwrap_or_default()
    }

    /// The totals that a fill changes, as they are after it. Its fee may be in a third asset.
    fn after(&self, listed: &Instrument, fill: &Fill) -> Result<BTreeMap<Asset, Amount>, Overflow> {
        let (size, value) = (fill.quantity.amount(), fill.price.notional(fill.quantity)?);
        let (received, paid) = match fill.side {
            Side::Buy => ((&listed.base, size), (&listed.quote, value)),
            Side::Sell => ((&listed.quote, value), (&listed.base, size)),
        };
        let mut after = BTreeMap::new();
        for (asset, amount) in
            [received, (paid.0, negative(paid.1)?), (&fill.fee_asset, negative(fill.fee)?)]
        {
            let total = after.entry(asset.clone()).or_insert_with(|| self.total(asset));
            *total = total.try_add(amount)?;
        }
        Ok(after)
    }

    /// Keeps what is known of an order now.
    pub(crate) fn put(&mut self, order: Order) {
        let id = order.request().client_order_id.clone();
        if order.is_settled() {
            self.open.remove(&id);
            self.stakes.drop_order(&order);
            self.settled.retain(|other| other.request().client_order_id != id);
            if self.settled.len() >= SETTLED_MAX {
                self.settled.pop_front();
            }
            self.settled.push_back(order);
        } else {
            self.keep(order);
        }
    }

    /// Keeps an order again that was settled, because more is heard of it.
    pub(crate) fn revive(&mut self, order: Order) {
        self.keep(order);
    }

    fn keep(&mut self, order: Order) {
        self.stakes.put(&order);
        self.open.insert(order.request().client_order_id.clone(), order);
    }

    /// An order that is not settled.
    pub(crate) fn order(&self, id: &ClientOrderId) -> Option<&Order> {
        self.open.get(id)
    }

    /// An order that was settled lately.
    pub(crate) fn settled(&self, id: &ClientOrderId) -> Option<&Order> {
        self.settled.iter().rev().find(|order| order.request().client_order_id == *id)
    }

    /// Every order that is not settled.
    pub(crate) fn orders(&self) -> impl Iterator<Item = &Order> {
        self.open.values()
    }

    pub(crate) fn unknown_orders(&self) -> usize {
        self.orders().filter(|o| matches!(o.state(), OrderState::Unknown { .. })).count()
    }

    pub(crate) fn instrument(&self, symbol: &Symbol) -> Option<&Instrument> {
        self.instruments.get(*self.places.get(symbol)?)
    }

    pub(crate) const fn positions(&self) -> &Positions {
        &self.positions
    }

    /// What there is of an asset, free and locked together.
    pub(crate) fn total(&self, asset: &Asset) -> Amount {
        self.totals.get(asset).copied().unwrap_or_default()
    }

    /// Every asset ever seen.
    pub(crate) fn totals(&self) -> &BTreeMap<Asset, Amount> {
        &self.totals
    }

    /// What open orders hold, by asset: a buy its price times what has not traded, a sell what has
    /// not traded; of the exits of a list the dearest. A market order ends at once and holds nothing
    /// that could be seen.
    pub(crate) fn locked(&self) -> Result<BTreeMap<Asset, Amount>, Overflow> {
        let mut of_lists: BTreeMap<(&ClientOrderId, &Asset), Amount> = BTreeMap::new();
        let mut locked: BTreeMap<Asset, Amount> = BTreeMap::new();
        for order in self.orders().filter(|order| !order.state().is_final()) {
            let request = order.request();
            let Some(price) = request.kind.named_price() else { continue };
            let Some(listed) = self.instrument(&request.symbol) else { continue };
            let rest = order.remaining();
            let (asset, amount) = match request.side {
                Side::Buy => (&listed.quote, price.value_of(rest)?),
                Side::Sell => (&listed.base, rest),
            };
            if let Some(list) = order.list() {
                let known = of_lists.entry((list, asset)).or_default();
                *known = (*known).max(amount);
            } else {
                let sum = locked.entry(asset.clone()).or_default();
                *sum = sum.try_add(amount)?;
            }
        }
        for ((_, asset), amount) in of_lists {
            let sum = locked.entry(asset.clone()).or_default();
            *sum = sum.try_add(amount)?;
        }
        Ok(locked)
    }

    /// The symbols without whose price the account cannot be judged.
    pub(crate) fn symbols_at_stake(&self) -> Vec<Symbol> {
        self.stakes.symbols().cloned().collect()
    }

    /// What everything is worth, at mid prices; `None` when something that is held has no price, or
    /// one older than `age_ms_max`.
    pub(crate) fn equity(
        &self,
        prices: &Prices,
        now: Timestamp,
        age_ms_max: u64,
    ) -> Option<Amount> {
        let quote = &self.quote;
        let mut equity = Amount::ZERO;
        for (asset, amount) in &self.totals {
            let value = if asset == quote || *amount == Amount::ZERO {
                *amount
            } else {
                let market = prices.get(self.valued.get(asset)?)?;
                if market.age_ms(now) > age_ms_max {
                    return None;
                }
                market.mid().value_of(*amount).ok()?
            };
            equity = equity.try_add(value).ok()?;
        }
        Some(equity)
    }

    /// What is at stake, seen from one symbol, at the prices that were taken in last. Without a price
    /// of something else that is at stake, only the symbol itself is looked at and `false` says that
    /// new exposure cannot be judged.
    ///
    /// An order that is about to be replaced is left out.
    pub(crate) fn exposure(
        &self,
        symbol: &Symbol,
        replaced: Option<&ClientOrderId>,
    ) -> (Exposure, bool) {
        match self.stakes.exposure(symbol, replaced) {
            Ok(all) => (all, true),
            Err(_) => (self.stakes.own_exposure(symbol, replaced).unwrap_or_default(), false),
        }
    }
}

// === impl Week ===

impl Week {
    /// The week of this moment, which began with this equity.
    pub(crate) const fn open(now: Timestamp, equity: Amount) -> Self {
        Self { monday: Self::monday_of(now), start: DayBook::open(now, equity) }
    }

    /// The Monday of a moment's week, counted in days from 1970-01-01, which was a Thursday.
    pub(crate) const fn monday_of(now: Timestamp) -> i64 {
        let day = now.unix_day();
        day - (day + 3).rem_euclid(7)
    }

    /// What the week has lost, as a share of its first equity.
    pub(crate) fn loss_share(&self, equity: Amount) -> Option<Decimal> {
        self.start.loss_share(equity)
    }
}

fn negative(amount: Amount) -> Result<Amount, Overflow> {
    Amount::ZERO.try_sub(amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::quote;
    use crate::listed::btcusdt;
    use domain::{Liquidity, NewOrder, OrderKind, TimeInForce};

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    fn books() -> Books {
        let mut books = Books::new([btcusdt()].into(), quote());
        books.deposit(&"USDT".parse().unwrap(), amount("100000")).unwrap();
        books
    }

    fn fill(trade_id: u64, side: Side, price: &str, quantity: &str, fee: &str) -> Fill {
        Fill {
            trade_id,
            client_order_id: "b4-1".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            side,
            price: price.parse().unwrap(),
            quantity: quantity.parse().unwrap(),
            fee: amount(fee),
            fee_asset: if side == Side::Buy { "BTC" } else { "USDT" }.parse().unwrap(),
            liquidity: Liquidity::Taker,
            at: Timestamp::from_unix_millis(0),
        }
    }

    fn prices(mid: &str, at_ms: i64) -> Prices {
        let at = Timestamp::from_unix_millis(at_ms);
        let market = Market::try_new(mid.parse().unwrap(), mid.parse().unwrap(), at).unwrap();
        Prices::from([("BTCUSDT".parse().unwrap(), market)])
    }

    #[test]
    fn a_fill_moves_money_once_and_to_the_last_digit() {
        let mut books = books();
        let buy = fill(1, Side::Buy, "60000", "0.03", "0.00003");
        books.fill(&buy).unwrap();
        books.fill(&buy).unwrap();
        assert_eq!(books.total(&"USDT".parse().unwrap()), amount("98200"));
        assert_eq!(books.total(&"BTC".parse().unwrap()), amount("0.02997"));
        books.fill(&fill(2, Side::Sell, "61000", "0.02997", "1.82817")).unwrap();
        assert_eq!(books.total(&"USDT".parse().unwrap()), amount("100026.34183"));
        assert_eq!(books.symbols_at_stake(), []);
    }

    #[test]
    fn a_fill_of_something_else_changes_nothing() {
        let mut books = books();
        let strange =
            Fill { symbol: "XRPUSDT".parse().unwrap(), ..fill(1, Side::Buy, "1", "1", "0") };
        assert_eq!(books.fill(&strange).unwrap_err(), "XRPUSDT is not traded here");
        assert_eq!(books.total(&"USDT".parse().unwrap()), amount("100000"));
    }

    #[test]
    fn a_week_begins_on_monday() {
        let monday = |day: i64| Week::monday_of(Timestamp::from_unix_millis(day * 86_400_000));
        // 1970-01-05 was a Monday, and so was 2026-11-16.
        assert_eq!([monday(0), monday(3), monday(4), monday(10), monday(11)], [-3, -3, 4, 4, 11]);
        assert_eq!(monday(20_777), 20_773);
    }

    #[test]
    fn a_loss_from_the_top_is_measured_from_the_highest_equity_ever_seen() {
        let mut books = books();
        assert_eq!((books.drawdown(amount("1")), books.observe_peak(amount("1"))), (None, None));
        books.peak_recorded(amount("100"));
        assert_eq!(
            (books.drawdown(amount("90")), books.risen_peak()),
            (Some(Decimal::new(1, 1)), None)
        );
        assert_eq!(books.observe_peak(amount("200")), Some(amount("100")));
        assert_eq!(books.observe_peak(amount("150")), Some(amount("200")));
        assert_eq!(books.risen_peak(), Some(amount("200")));
        assert_eq!(books.drawdown(amount("150")), Some(Decimal::new(25, 2)));
        books.peak_recorded(amount("200"));
        assert_eq!(books.risen_peak(), None);
        books.forget_starts();
        assert_eq!(books.drawdown(amount("150")), None);
    }

    #[test]
    fn each_order_that_sells_at_a_loss_lengthens_the_streak_once() {
        let mut books = books();
        books.fill(&fill(1, Side::Buy, "60000", "0.03", "0")).unwrap();
        assert_eq!(books.trips.streak().losses(), 0, "a purchase realises nothing");
        let sell = |trade, order: &str, price| Fill {
            client_order_id: order.parse().unwrap(),
            ..fill(trade, Side::Sell, price, "0.005", "0")
        };
        for (trade, order, price, losses) in [
            (2, "a", "59000", 1),
            (3, "a", "59000", 1),
            (3, "a", "59000", 1),
            (4, "b", "59999", 2),
            (5, "c", "61000", 0),
        ] {
            books.fill(&sell(trade, order, price)).unwrap();
            assert_eq!(books.trips.streak().losses(), losses, "trade {trade}");
        }
    }

    #[test]
    fn an_old_price_values_nothing() {
        let mut books = books();
        books.fill(&fill(1, Side::Buy, "60000", "1", "0")).unwrap();
        let now = Timestamp::from_unix_millis(6_000);
        assert_eq!(books.equity(&prices("61000", 999), now, 5_000), None);
        assert_eq!(books.equity(&prices("61000", 1_000), now, 5_000), Some(amount("101000")));
        assert_eq!(books.equity(&Prices::new(), now, 5_000), None);
    }

    #[test]
    fn what_open_orders_hold_is_their_rest() {
        let mut books = books();
        let kind = OrderKind::Limit {
            price: "59000".parse().unwrap(),
            time_in_force: TimeInForce::GoodTilCanceled,
            post_only: false,
        };
        let request = NewOrder {
            client_order_id: "b4-1".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            side: Side::Buy,
            quantity: "0.03".parse().unwrap(),
            kind,
        };
        let now = Timestamp::from_unix_millis(0);
        let mut order = Order::new(request, "c-1".parse().unwrap(), now);
        let part = orders::OrderEvent::Filled(fill(1, Side::Buy, "59000", "0.01", "0.00001"));
        order.apply(&part, now).unwrap();
        books.put(order);
        let locked = books.locked().unwrap();
        assert_eq!(locked, BTreeMap::from([("USDT".parse().unwrap(), amount("1180"))]));
        assert_eq!(books.symbols_at_stake(), ["BTCUSDT".parse().unwrap()]);
        books.mark(&prices("60000", 0));
        let (exposure, complete) = books.exposure(&"BTCUSDT".parse().unwrap(), None);
        assert!(complete);
        assert_eq!(exposure.open_buys_value, amount("1180"));
    }
}
