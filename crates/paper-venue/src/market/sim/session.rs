//! One simulated instrument: its book, its efficient price, and what its next trader does.

use domain::{Liquidity, OrderId, Side, TimeInForce, Timestamp};
use matching::{Book, BookStart, Event, Kind, Level, Order, Owner};

use super::random::Draws;
use super::{LEVELS_MIN, SimError, SimInstrument};
use crate::market::{Output, OutputKind, OwnOrder};

/// Ids from here on belong to simulated traders.
const TRADERS_FROM: u64 = 1 << 63;

/// Whose orders ours are, so that they never meet each other.
const OURS: Owner = Owner(1);

/// Resting orders of simulated traders that a side tends to.
const ORDERS_TYPICAL: usize = 220;

/// A taker acts once the efficient price is this share beyond the quote, its cost of trading.
const COST_OF_TAKING: f64 = 0.8e-4;

/// Tail exponent of sizes and of distances.
const TAIL: f64 = 1.5;

/// Sizes end here, as a multiple of the smallest.
const SIZE_MAX: f64 = 1_000.0;

/// One simulated instrument.
#[derive(Debug, Clone)]
pub(super) struct Session {
    place: usize,
    book: Book,
    /// The efficient price in ticks.
    efficient: f64,
    volatility_annual: f64,
    events_per_second: f64,
    take_lots_min: f64,
    rest_lots_min: f64,
    distance_ticks: f64,
    /// Orders of simulated traders; some may have traded meanwhile.
    buys: Vec<OrderId>,
    sells: Vec<OrderId>,
    next_id: u64,
    top: (Option<Level>, Option<Level>),
    events: Vec<Event>,
}

/// Whole ticks or lots of a positive number, rounded down.
#[expect(clippy::cast_possible_truncation, reason = "clamped to what i64 holds exactly")]
fn whole(value: f64) -> i64 {
    value.clamp(0.0, 4e15).floor() as i64
}

/// A count of ticks or lots as a statistic.
#[expect(clippy::cast_precision_loss, reason = "counts of ticks and lots stay below 2^53")]
const fn real(value: i64) -> f64 {
    value as f64
}

// === impl Session ===

impl Session {
    pub(super) fn try_new(
        place: usize,
        config: &SimInstrument,
        draws: Draws,
    ) -> Result<Self, SimError> {
        config.check()?;
        let ticks = config.instrument.ticks(config.start_price);
        let symbol = || config.instrument.symbol.to_string();
        let off_grid = || SimError::Grid { symbol: symbol(), field: "start_price" };
        let mut session = Self {
            place,
            book: Book::new(BookStart::default()),
            efficient: real(ticks.ok_or_else(off_grid)?),
            volatility_annual: config.volatility_annual,
            events_per_second: config.events_per_second,
            take_lots_min: real(config.lots("take_quantity_min", config.take_quantity_min)?),
            rest_lots_min: real(config.lots("rest_quantity_min", config.rest_quantity_min)?),
            distance_ticks: config.distance_ticks,
            buys: Vec::new(),
            sells: Vec::new(),
            next_id: TRADERS_FROM,
            top: (None, None),
            events: Vec::new(),
        };
        session.open(draws);
        Ok(session)
    }

    pub(super) const fn efficient_ticks(&self) -> f64 {
        self.efficient
    }

    pub(super) const fn events_per_second(&self) -> f64 {
        self.events_per_second
    }

    pub(super) const fn book(&self) -> &Book {
        &self.book
    }

    pub(super) fn set_next_trade_id(&mut self, trade_id: u64) {
        self.book.set_next_trade_id(trade_id);
    }

    /// Moves the efficient price by its volatility times `scale`.
    pub(super) fn diffuse(&mut self, scale: f64) {
        let change = (self.volatility_annual * scale).clamp(-0.5, 0.5);
        self.efficient = (self.efficient * (1.0 + change)).clamp(1_000.0, 1e12);
    }

    /// Fills the book before the first event.
    fn open(&mut self, mut draws: Draws) {
        for side in [Side::Buy, Side::Sell] {
            // Distances are unbounded, so new levels never run out.
            while self.book.level_count(side) < LEVELS_MIN * 2
                || self.traders(side).len() < ORDERS_TYPICAL
            {
                self.rest(side, &mut draws);
            }
        }
        self.events.clear();
        self.top = (self.book.best(Side::Buy), self.book.best(Side::Sell));
    }

    /// One trader acts.
    pub(super) fn act(&mut self, draws: &mut Draws, at: Timestamp, out: &mut Vec<Output>) {
        self.decide(draws);
        self.publish(at, out);
    }

    fn decide(&mut self, draws: &mut Draws) {
        for side in [Side::Buy, Side::Sell] {
            if self.book.level_count(side) < LEVELS_MIN {
                self.rest(side, draws);
                return;
            }
        }
        let (Some(bid), Some(ask)) = (self.book.best(Side::Buy), self.book.best(Side::Sell)) else {
            return;
        };
        let cost = self.efficient * COST_OF_TAKING;
        if self.efficient > real(ask.ticks) + cost {
            self.sweep(Side::Buy, draws);
        } else if self.efficient < real(bid.ticks) - cost {
            self.sweep(Side::Sell, draws);
        } else if ask.ticks > bid.ticks.saturating_add(1) && draws.chance(0.75) {
            self.quote_inside(bid.ticks, ask.ticks, draws);
        } else {
            self.trade_without_knowledge(draws);
        }
    }

    /// An informed taker buys or sells up to the efficient price; slower makers quote anew.
    fn sweep(&mut self, side: Side, draws: &mut Draws) {
        let makers = side.opposite();
        let fair = match side {
            Side::Buy => whole(self.efficient),
            Side::Sell => whole(self.efficient).saturating_add(1),
        };
        if let Some(limit) = self.limit(makers) {
            let lots = self.take_lots(draws);
            let limit = if side == Side::Buy { limit.min(fair) } else { limit.max(fair) };
            self.take(side, lots, limit);
        }
        let is_stale = |ticks: i64| match makers {
            Side::Sell => ticks <= fair,
            Side::Buy => ticks >= fair,
        };
        let stale: Vec<OrderId> = self
            .book
            .orders(makers)
            .take_while(|(_, level)| is_stale(level.ticks))
            .map(|(id, _)| id)
            .filter(|id| id.0 >= TRADERS_FROM)
            .collect();
        for id in &stale {
            self.book.cancel(*id, &mut self.events);
        }
        self.traders_mut(makers).retain(|id| !stale.contains(id));
        for _ in stale {
            self.rest(makers, draws);
        }
        // Several stale prices may have become one new price. Distances are unbounded, so new
        // levels never run out.
        while self.book.level_count(makers) < LEVELS_MIN {
            self.rest(makers, draws);
        }
    }

    /// Somebody quotes inside the spread, near the efficient price, on the side that is far.
    fn quote_inside(&mut self, bid: i64, ask: i64, draws: &mut Draws) {
        let to_bid = (self.efficient - real(bid)).max(0.0);
        let to_ask = (real(ask) - self.efficient).max(0.0);
        let side = if draws.unit() * (to_bid + to_ask) < to_bid { Side::Buy } else { Side::Sell };
        let away = whole(draws.exponential());
        let ticks = match side {
            Side::Buy => whole(self.efficient).saturating_sub(away),
            Side::Sell => whole(self.efficient).saturating_add(1).saturating_add(away),
        };
        let ticks = ticks.clamp(bid.saturating_add(1), ask.saturating_sub(1));
        self.quote(side, ticks, draws);
    }

    /// Cancel, take or rest, without regard to the efficient price but as the place to rest at.
    fn trade_without_knowledge(&mut self, draws: &mut Draws) {
        let side = if draws.chance(0.5) { Side::Buy } else { Side::Sell };
        if draws.chance(0.15) {
            if let Some(limit) = self.limit(side.opposite()) {
                let lots = self.take_lots(draws);
                self.take(side, lots, limit);
            }
            return;
        }
        // Half of the rest are cancellations when there are as many orders as typical.
        let orders = real(i64::try_from(self.traders(side).len()).unwrap_or(i64::MAX));
        let typical = real(i64::try_from(ORDERS_TYPICAL).unwrap_or(i64::MAX));
        if draws.chance((0.5 * orders / typical).min(0.9)) {
            self.withdraw(side, draws);
        } else {
            self.rest(side, draws);
        }
    }

    /// Takes a random order of a simulated trader out.
    fn withdraw(&mut self, side: Side, draws: &mut Draws) {
        if self.book.level_count(side) <= LEVELS_MIN {
            return;
        }
        loop {
            let traders = self.traders_mut(side);
            if traders.is_empty() {
                return;
            }
            let place = draws.below(traders.len());
            let id = traders.swap_remove(place);
            if self.book.resting_lots(id).is_some() {
                self.book.cancel(id, &mut self.events);
                return;
            }
        }
    }

    /// A limit order at a power-law distance from the efficient price, never crossing.
    fn rest(&mut self, side: Side, draws: &mut Draws) {
        let distance = self.distance_ticks * (draws.pareto(TAIL, 1e6) - 1.0);
        let ticks = match side {
            Side::Buy => {
                let ask = self.book.best(Side::Sell).map_or(i64::MAX, |level| level.ticks);
                whole(self.efficient - distance).min(ask.saturating_sub(1))
            }
            Side::Sell => {
                let bid = self.book.best(Side::Buy).map_or(0, |level| level.ticks);
                whole(self.efficient + distance).saturating_add(1).max(bid.saturating_add(1))
            }
        };
        self.quote(side, ticks.max(1), draws);
    }

    fn quote(&mut self, side: Side, ticks: i64, draws: &mut Draws) {
        let lots = whole(self.rest_lots_min * draws.pareto(TAIL, SIZE_MAX)).max(1);
        let time_in_force = TimeInForce::GoodTilCanceled;
        let id = self.submit(side, lots, Kind::Limit { ticks, time_in_force, post_only: true });
        self.traders_mut(side).push(id);
        // Orders that traded leave their ids behind; now and then they are swept out.
        if self.traders(side).len() > ORDERS_TYPICAL * 3 {
            let mut ids = std::mem::take(self.traders_mut(side));
            ids.retain(|id| self.book.resting_lots(*id).is_some());
            *self.traders_mut(side) = ids;
        }
    }

    fn take(&mut self, side: Side, lots: i64, ticks: i64) {
        let time_in_force = TimeInForce::ImmediateOrCancel;
        self.submit(side, lots, Kind::Limit { ticks, time_in_force, post_only: false });
    }

    fn submit(&mut self, side: Side, lots: i64, kind: Kind) -> OrderId {
        let id = OrderId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1).max(TRADERS_FROM);
        self.book.submit(Order { id, owner: None, side, lots, kind }, &mut self.events);
        id
    }

    fn take_lots(&self, draws: &mut Draws) -> i64 {
        whole(self.take_lots_min * draws.pareto(TAIL, SIZE_MAX)).max(1)
    }

    /// The worst price that leaves [`LEVELS_MIN`] levels of a side; `None` when there are fewer.
    fn limit(&self, side: Side) -> Option<i64> {
        self.book.levels(side).nth_back(LEVELS_MIN).map(|level| level.ticks)
    }

    const fn traders(&self, side: Side) -> &Vec<OrderId> {
        match side {
            Side::Buy => &self.buys,
            Side::Sell => &self.sells,
        }
    }

    const fn traders_mut(&mut self, side: Side) -> &mut Vec<OrderId> {
        match side {
            Side::Buy => &mut self.buys,
            Side::Sell => &mut self.sells,
        }
    }

    pub(super) fn place(&mut self, order: &OwnOrder, at: Timestamp, out: &mut Vec<Output>) {
        self.book.submit(ours(order), &mut self.events);
        self.publish(at, out);
    }

    pub(super) fn cancel(&mut self, id: OrderId, at: Timestamp, out: &mut Vec<Output>) {
        if self.book.resting_lots(id).is_some() {
            self.book.cancel(id, &mut self.events);
            self.publish(at, out);
        }
    }

    pub(super) fn preview(&self, order: &OwnOrder) -> Vec<Level> {
        self.book.preview(&ours(order))
    }

    /// Turns what the book did into what the market says: our side, trades, top, depth.
    fn publish(&mut self, at: Timestamp, out: &mut Vec<Output>) {
        let (mut bids, mut asks) = (Vec::new(), Vec::new());
        let mut updates: Option<(u64, u64)> = None;
        let instrument = self.place;
        let mut push = |kind| out.push(Output { instrument, at, kind });
        for event in self.events.drain(..) {
            let change = match event {
                Event::Trade(t) => {
                    let (trade_id, ticks, lots) = (t.trade_id, t.ticks, t.lots);
                    for (id, liquidity) in
                        [(t.maker, Liquidity::Maker), (t.taker, Liquidity::Taker)]
                    {
                        if id.0 < TRADERS_FROM {
                            push(OutputKind::OwnTrade { id, trade_id, ticks, lots, liquidity });
                        }
                    }
                    push(OutputKind::Trade { trade_id, ticks, lots, taker: t.taker_side });
                    Some((t.update_id, t.taker_side.opposite(), ticks, t.level_lots))
                }
                Event::Rested { update_id, side, ticks, level_lots, .. }
                | Event::Reduced { update_id, side, ticks, level_lots, .. } => {
                    Some((update_id, side, ticks, level_lots))
                }
                Event::Removed { id, update_id, side, ticks, level_lots, why, .. } => {
                    if id.0 < TRADERS_FROM {
                        push(OutputKind::OwnEnded { id, why });
                    }
                    Some((update_id, side, ticks, level_lots))
                }
                Event::Expired { id, why, .. } if id.0 < TRADERS_FROM => {
                    push(OutputKind::OwnEnded { id, why });
                    None
                }
                Event::Rejected { id, why } if id.0 < TRADERS_FROM => {
                    push(OutputKind::OwnRejected { id, why });
                    None
                }
                Event::Accepted { .. } | Event::Expired { .. } | Event::Rejected { .. } => None,
            };
            let Some((update_id, side, ticks, lots)) = change else { continue };
            updates = Some((updates.map_or(update_id, |(first, _)| first), update_id));
            let levels: &mut Vec<Level> = if side == Side::Buy { &mut bids } else { &mut asks };
            match levels.iter_mut().find(|level| level.ticks == ticks) {
                Some(level) => level.lots = lots,
                None => levels.push(Level { ticks, lots }),
            }
        }
        let Some((update_id_first, update_id_last)) = updates else { return };
        let top = (self.book.best(Side::Buy), self.book.best(Side::Sell));
        if top != self.top {
            self.top = top;
            push(OutputKind::Top { update_id: update_id_last, bid: top.0, ask: top.1 });
        }
        push(OutputKind::Depth { update_id_first, update_id_last, bids, asks });
    }
}

const fn ours(order: &OwnOrder) -> Order {
    let OwnOrder { id, side, lots, kind, .. } = *order;
    Order { id, owner: Some(OURS), side, lots, kind }
}
