//! One simulated symbol: its efficient price, and what its next trader does.

use domain::{OrderId, Side, TimeInForce};
use matching::{
    Cancel, CancelRestriction, ClientId, Command, Listing, OrderKind, OrderRef, OrderRequest,
    Reply, StpMode, SymbolId,
};

use super::{Floor, LEVELS_MIN, SimError, SimSymbol};
use crate::draws::Draws;

/// Resting orders of simulated traders that a side tends to.
const ORDERS_TYPICAL: usize = 220;

/// A taker acts once the efficient price is this share beyond the quote, its cost of trading.
const COST_OF_TAKING: f64 = 0.8e-4;

/// Tail exponent of sizes and of distances.
const TAIL: f64 = 1.5;

/// Sizes end here, as a multiple of the smallest.
const SIZE_MAX: f64 = 1_000.0;

/// Attempts to fill a side before giving up: a filter may refuse quotes far away.
const ATTEMPTS_MAX: usize = 4_000;

/// One simulated symbol.
#[derive(Debug)]
pub(super) struct Session {
    symbol: SymbolId,
    /// The efficient price in ticks.
    efficient: f64,
    volatility_annual: f64,
    events_per_second: f64,
    take_lots_min: f64,
    rest_lots_min: f64,
    distance_ticks: f64,
    lots_max: i64,
    /// Orders of simulated traders with their prices; some may have traded meanwhile.
    buys: Vec<(OrderId, i64)>,
    sells: Vec<(OrderId, i64)>,
}

/// Whole ticks or lots of a positive number, rounded down.
#[expect(clippy::cast_possible_truncation, reason = "clamped to what i64 holds exactly")]
pub(super) fn whole(value: f64) -> i64 {
    value.clamp(0.0, 4e15).floor() as i64
}

/// A count of ticks or lots as a statistic.
#[expect(clippy::cast_precision_loss, reason = "counts of ticks and lots stay below 2^53")]
const fn real(value: i64) -> f64 {
    value as f64
}

/// A price that a market may have.
const fn bounded(price: f64) -> f64 {
    price.clamp(1_000.0, 1e12)
}

// === impl Session ===

impl Session {
    pub(super) fn try_new(
        place: u32,
        symbol: &SimSymbol,
        listing: &Listing,
    ) -> Result<Self, SimError> {
        symbol.check()?;
        let grid = |field| SimError::Grid { symbol: symbol.name(), field };
        let lots = |field, value| listing.lots(value).ok_or_else(|| grid(field));
        let start = listing.ticks(symbol.start_price).ok_or_else(|| grid("start_price"))?;
        Ok(Self {
            symbol: SymbolId(place),
            efficient: real(start),
            volatility_annual: symbol.volatility_annual,
            events_per_second: symbol.events_per_second,
            take_lots_min: real(lots("take_quantity_min", symbol.take_quantity_min)?),
            rest_lots_min: real(lots("rest_quantity_min", symbol.rest_quantity_min)?),
            distance_ticks: symbol.distance_ticks,
            lots_max: lots("quantity_max", symbol.quantity_max)?,
            buys: Vec::new(),
            sells: Vec::new(),
        })
    }

    pub(super) const fn events_per_second(&self) -> f64 {
        self.events_per_second
    }

    pub(super) const fn set_efficient(&mut self, ticks: i64) {
        self.efficient = real(ticks);
    }

    pub(super) const fn efficient(&self) -> f64 {
        self.efficient
    }

    pub(super) const fn take_lots_min(&self) -> f64 {
        self.take_lots_min
    }

    /// Moves the efficient price by its volatility times `scale`.
    pub(super) fn diffuse(&mut self, scale: f64) {
        self.efficient = bounded(self.efficient * self.factor(scale));
    }

    /// The price that such a move has led to this one.
    pub(super) fn before(&self, price: f64, scale: f64) -> f64 {
        bounded(price / self.factor(scale))
    }

    fn factor(&self, scale: f64) -> f64 {
        1.0 + (self.volatility_annual * scale).clamp(-0.5, 0.5)
    }

    fn has_levels(&self, side: Side, count: usize, floor: &Floor<'_>) -> bool {
        floor.exchange.levels(self.symbol, side).nth(count.saturating_sub(1)).is_some()
    }

    /// Fills the book before the first event.
    pub(super) fn open(&mut self, draws: &mut Draws, floor: &mut Floor<'_>) {
        for side in [Side::Buy, Side::Sell] {
            let mut attempts = 0;
            while attempts < ATTEMPTS_MAX
                && (self.traders(side).len() < ORDERS_TYPICAL
                    || !self.has_levels(side, LEVELS_MIN * 2, floor))
            {
                self.rest(side, draws, floor);
                attempts += 1;
            }
        }
    }

    fn best(&self, side: Side, floor: &Floor<'_>) -> Option<i64> {
        floor.exchange.best(self.symbol, side).map(|level| level.ticks)
    }

    /// One trader acts.
    pub(super) fn act(&mut self, draws: &mut Draws, floor: &mut Floor<'_>) {
        for side in [Side::Buy, Side::Sell] {
            if !self.has_levels(side, LEVELS_MIN, floor) {
                self.rest(side, draws, floor);
                return;
            }
        }
        let (bid, ask) = (self.best(Side::Buy, floor), self.best(Side::Sell, floor));
        let (Some(bid), Some(ask)) = (bid, ask) else { return };
        let cost = self.efficient * COST_OF_TAKING;
        if self.efficient > real(ask) + cost {
            self.sweep(Side::Buy, draws, floor);
        } else if self.efficient < real(bid) - cost {
            self.sweep(Side::Sell, draws, floor);
        } else if ask > bid.saturating_add(1) && draws.chance(0.75) {
            self.quote_inside((bid, ask), draws, floor);
        } else {
            self.trade_without_knowledge(draws, floor);
        }
    }

    /// An informed taker buys or sells up to the efficient price; slower makers quote anew.
    fn sweep(&mut self, side: Side, draws: &mut Draws, floor: &mut Floor<'_>) {
        let makers = side.opposite();
        let fair = match side {
            Side::Buy => whole(self.efficient),
            Side::Sell => whole(self.efficient).saturating_add(1),
        };
        if let Some(limit) = self.limit(makers, floor) {
            let lots = self.take_lots(draws);
            let limit = if side == Side::Buy { limit.min(fair) } else { limit.max(fair) };
            self.take(side, lots, limit, floor);
        }
        let is_stale = |ticks: i64| match makers {
            Side::Sell => ticks <= fair,
            Side::Buy => ticks >= fair,
        };
        let stale: Vec<OrderId> = self
            .traders(makers)
            .iter()
            .filter(|(_, at)| is_stale(*at))
            .map(|(id, _)| *id)
            .collect();
        self.traders_mut(makers).retain(|(_, ticks)| !is_stale(*ticks));
        let mut withdrawn = 0;
        for id in stale {
            if self.cancel(id, floor) {
                withdrawn += 1;
            }
        }
        for _ in 0..withdrawn {
            self.rest(makers, draws, floor);
        }
    }

    /// Somebody quotes inside the spread, near the efficient price, on the side that is far.
    fn quote_inside(&mut self, spread: (i64, i64), draws: &mut Draws, floor: &mut Floor<'_>) {
        let (bid, ask) = spread;
        let to_bid = (self.efficient - real(bid)).max(0.0);
        let to_ask = (real(ask) - self.efficient).max(0.0);
        let side = if draws.unit() * (to_bid + to_ask) < to_bid { Side::Buy } else { Side::Sell };
        let away = whole(draws.exponential());
        let ticks = match side {
            Side::Buy => whole(self.efficient).saturating_sub(away),
            Side::Sell => whole(self.efficient).saturating_add(1).saturating_add(away),
        };
        let ticks = ticks.clamp(bid.saturating_add(1), ask.saturating_sub(1));
        self.quote(side, ticks, draws, floor);
    }

    /// Cancel, take or rest, without regard to the efficient price but as the place to rest at.
    fn trade_without_knowledge(&mut self, draws: &mut Draws, floor: &mut Floor<'_>) {
        let side = if draws.chance(0.5) { Side::Buy } else { Side::Sell };
        if draws.chance(0.15) {
            if let Some(limit) = self.limit(side.opposite(), floor) {
                let lots = self.take_lots(draws);
                self.take(side, lots, limit, floor);
            }
            return;
        }
        // Half of the rest are cancellations when there are as many orders as typical.
        let orders = real(i64::try_from(self.traders(side).len()).unwrap_or(i64::MAX));
        let typical = real(i64::try_from(ORDERS_TYPICAL).unwrap_or(i64::MAX));
        if draws.chance((0.5 * orders / typical).min(0.9)) {
            self.withdraw(side, draws, floor);
        } else {
            self.rest(side, draws, floor);
        }
    }

    /// Takes a random order of a simulated trader out.
    fn withdraw(&mut self, side: Side, draws: &mut Draws, floor: &mut Floor<'_>) {
        if !self.has_levels(side, LEVELS_MIN + 1, floor) {
            return;
        }
        loop {
            let traders = self.traders_mut(side);
            if traders.is_empty() {
                return;
            }
            let place = draws.below(traders.len());
            let (id, _) = traders.swap_remove(place);
            if self.cancel(id, floor) {
                return;
            }
        }
    }

    /// Takes an order out; false when it has traded meanwhile.
    fn cancel(&self, id: OrderId, floor: &mut Floor<'_>) -> bool {
        let cancel = Cancel {
            order: OrderRef::Id(id),
            restriction: CancelRestriction::None,
            cancel_id: ClientId::NONE,
        };
        let account = floor.house;
        floor.apply(Command::Cancel { account, symbol: self.symbol, cancel }).is_ok()
    }

    /// A limit order at a power-law distance from the efficient price, never crossing.
    fn rest(&mut self, side: Side, draws: &mut Draws, floor: &mut Floor<'_>) {
        let distance = self.distance_ticks * (draws.pareto(TAIL, 1e6) - 1.0);
        let ticks = match side {
            Side::Buy => {
                let ask = self.best(Side::Sell, floor).unwrap_or(i64::MAX);
                whole(self.efficient - distance).min(ask.saturating_sub(1))
            }
            Side::Sell => {
                let bid = self.best(Side::Buy, floor).unwrap_or(0);
                whole(self.efficient + distance).saturating_add(1).max(bid.saturating_add(1))
            }
        };
        self.quote(side, ticks.max(1), draws, floor);
    }

    fn quote(&mut self, side: Side, ticks: i64, draws: &mut Draws, floor: &mut Floor<'_>) {
        let lots = whole(self.rest_lots_min * draws.pareto(TAIL, SIZE_MAX)).clamp(1, self.lots_max);
        let order = (side, OrderKind::LimitMaker, TimeInForce::GoodTilCanceled);
        if let Some(id) = self.submit(order, lots, ticks, floor) {
            self.traders_mut(side).push((id, ticks));
        }
        // Orders that traded leave their ids behind; now and then they are swept out.
        if self.traders(side).len() > ORDERS_TYPICAL * 3 {
            let house = floor.house;
            let open: std::collections::BTreeSet<OrderId> = floor
                .exchange
                .resting(self.symbol, side)
                .filter(|order| order.account == house)
                .map(|order| order.id)
                .collect();
            self.traders_mut(side).retain(|(id, _)| open.contains(id));
        }
    }

    fn take(&self, side: Side, lots: i64, ticks: i64, floor: &mut Floor<'_>) {
        let order = (side, OrderKind::Limit, TimeInForce::ImmediateOrCancel);
        self.submit(order, lots.clamp(1, self.lots_max), ticks, floor);
    }

    /// Gives an order to the exchange; `None` when it is refused, as by a halt or a filter.
    fn submit(
        &self,
        order: (Side, OrderKind, TimeInForce),
        lots: i64,
        ticks: i64,
        floor: &mut Floor<'_>,
    ) -> Option<OrderId> {
        let (side, kind, time_in_force) = order;
        let order = OrderRequest {
            kind,
            time_in_force,
            stp: Some(StpMode::None),
            ..OrderRequest::limit(side, ticks, lots)
        };
        let account = floor.house;
        match floor.apply(Command::Place { account, symbol: self.symbol, order }) {
            Ok(Reply::Placed(id)) => Some(id),
            _ => None,
        }
    }

    fn take_lots(&self, draws: &mut Draws) -> i64 {
        whole(self.take_lots_min * draws.pareto(TAIL, SIZE_MAX)).max(1)
    }

    /// The worst price that leaves [`LEVELS_MIN`] levels of a side; `None` when there are fewer.
    fn limit(&self, side: Side, floor: &Floor<'_>) -> Option<i64> {
        let levels: Vec<i64> =
            floor.exchange.levels(self.symbol, side).map(|level| level.ticks).collect();
        levels.iter().rev().nth(LEVELS_MIN).copied()
    }

    const fn traders(&self, side: Side) -> &Vec<(OrderId, i64)> {
        match side {
            Side::Buy => &self.buys,
            Side::Sell => &self.sells,
        }
    }

    const fn traders_mut(&mut self, side: Side) -> &mut Vec<(OrderId, i64)> {
        match side {
            Side::Buy => &mut self.buys,
            Side::Sell => &mut self.sells,
        }
    }
}
