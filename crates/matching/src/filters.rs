//! Decides whether an order keeps the rules that the protocol calls filters.
//!
//! Every function is pure: the filters and the numbers of the order in, the first broken filter
//! out. A zero number in a filter disables that rule, as the protocol says.

use domain::Side;

use crate::exchange::{Average, Counts, VenueLimits};
use crate::money::{Atoms, RATE_ONE};
use crate::{
    Filter, Filters, NotionalFilter, OrderKind, OrderRequest, PercentPrice, QuantityRange, Refusal,
};

/// The largest number of ticks or lots of an order, so that sums and products cannot overflow.
pub(crate) const UNITS_MAX: i64 = 1_000_000_000_000_000;

/// An order in the numbers that filters look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) request: &'a OrderRequest,
    /// How many lots, which a market order by quote quantity does not say itself.
    pub(crate) lots: i64,
    /// Atoms of the quote asset that a lot costs at one tick.
    pub(crate) tick_lot_atoms: Atoms,
}

/// The parts of an iceberg in any market: each may be a trade of its own, so one order that takes
/// them all makes this many events.
const PARTS_MAX: i64 = 1_000;

const fn fails<T>(filter: Filter) -> Result<T, Refusal> {
    Err(Refusal::Filter(filter))
}

/// Checks the prices of one order.
///
/// `average` gives the average price of the last minutes, or the last price for zero.
pub(crate) fn check_prices(
    filters: &Filters,
    request: &OrderRequest,
    average: &dyn Fn(u32) -> Option<Average>,
) -> Result<(), Refusal> {
    if request.kind.has_price() && !request.is_unpriced() {
        check_price(filters, request.ticks)?;
        check_percent(filters, request, average)?;
    }
    if request.stop_ticks > 0 {
        check_price(filters, request.stop_ticks)?;
    }
    check_trailing(filters, request)
}

/// Checks quantities and values of one order; `average` as in [`check_prices`].
pub(crate) fn check_amounts(
    filters: &Filters,
    candidate: &Candidate<'_>,
    average: &dyn Fn(u32) -> Option<Average>,
) -> Result<(), Refusal> {
    let request = candidate.request;
    check_quantity(&filters.lot_size, candidate.lots, Filter::LotSize)?;
    if request.kind == OrderKind::Market {
        check_quantity(&filters.market_lot_size, candidate.lots, Filter::MarketLotSize)?;
    }
    check_iceberg(filters, request)?;
    check_value(filters, candidate, average)
}

fn check_price(filters: &Filters, ticks: i64) -> Result<(), Refusal> {
    let is_low = ticks < filters.min_ticks;
    let is_high = ticks > UNITS_MAX || (filters.max_ticks > 0 && ticks > filters.max_ticks);
    let is_off = ticks.checked_rem(filters.tick_multiple).is_some_and(|rest| rest != 0);
    if ticks < 1 || is_low || is_high || is_off { fails(Filter::Price) } else { Ok(()) }
}

fn check_quantity(range: &QuantityRange, lots: i64, filter: Filter) -> Result<(), Refusal> {
    let is_high = lots > UNITS_MAX || (range.max_lots > 0 && lots > range.max_lots);
    let is_off = lots.checked_rem(range.multiple).is_some_and(|rest| rest != 0);
    if lots < 1 || lots < range.min_lots || is_high || is_off { fails(filter) } else { Ok(()) }
}

fn check_percent(
    filters: &Filters,
    request: &OrderRequest,
    average: &dyn Fn(u32) -> Option<Average>,
) -> Result<(), Refusal> {
    let check = |band: &PercentPrice, minutes: u32, filter: Filter| {
        // Before the first trade there is no average to measure by.
        let Some(average) = average(minutes) else { return Ok(()) };
        let price = i128::from(request.ticks).saturating_mul(average.lots);
        let price = price.saturating_mul(i128::from(RATE_ONE));
        let bound = |parts: i64| average.ticks_lots.saturating_mul(i128::from(parts));
        let is_high = band.up_parts > 0 && price > bound(band.up_parts);
        if is_high || price < bound(band.down_parts) { fails(filter) } else { Ok(()) }
    };
    if let Some(band) = &filters.percent_price {
        check(band, band.average_minutes, Filter::PercentPrice)?;
    }
    if let Some(by_side) = &filters.percent_by_side {
        let band = match request.side {
            Side::Buy => &by_side.bid,
            Side::Sell => &by_side.ask,
        };
        check(band, by_side.bid.average_minutes, Filter::PercentPriceBySide)?;
    }
    Ok(())
}

fn check_iceberg(filters: &Filters, request: &OrderRequest) -> Result<(), Refusal> {
    if request.iceberg_lots == 0 {
        return Ok(());
    }
    check_quantity(&filters.lot_size, request.iceberg_lots, Filter::LotSize)?;
    let whole = request.lots.checked_div(request.iceberg_lots).unwrap_or(0);
    let rest = request.lots.checked_rem(request.iceberg_lots).unwrap_or(0);
    let parts = whole.saturating_add(i64::from(rest > 0));
    let limit = match i64::from(filters.iceberg_parts_max) {
        0 => PARTS_MAX,
        limit => limit.min(PARTS_MAX),
    };
    if parts > limit { fails(Filter::IcebergParts) } else { Ok(()) }
}

fn check_trailing(filters: &Filters, request: &OrderRequest) -> Result<(), Refusal> {
    let bips = request.trailing_bips;
    if bips == 0 {
        return Ok(());
    }
    let range = filters.trailing;
    let (min, max) = if request.kind.triggers_above(request.side) {
        (range.above_min, range.above_max)
    } else {
        (range.below_min, range.below_max)
    };
    if bips < min || (max > 0 && bips > max) { fails(Filter::TrailingDelta) } else { Ok(()) }
}

fn check_value(
    filters: &Filters,
    candidate: &Candidate<'_>,
    average: &dyn Fn(u32) -> Option<Average>,
) -> Result<(), Refusal> {
    let request = candidate.request;
    let per_tick = i128::from(candidate.lots).saturating_mul(candidate.tick_lot_atoms);
    let is_market = request.kind == OrderKind::Market;
    let value = |filter: &NotionalFilter| {
        if request.quote_atoms > 0 {
            return Some(request.quote_atoms);
        }
        if is_market {
            let average = average(filter.average_minutes)?;
            return per_tick.saturating_mul(average.ticks_lots).checked_div(average.lots);
        }
        let ticks = if request.kind.has_price() { request.ticks } else { request.stop_ticks };
        (ticks > 0).then(|| per_tick.saturating_mul(i128::from(ticks)))
    };
    if let Some(filter) = &filters.min_notional
        && (!is_market || filter.min_applies_to_market)
        && value(filter).is_some_and(|value| value < filter.min)
    {
        return fails(Filter::MinNotional);
    }
    let Some(filter) = &filters.notional else { return Ok(()) };
    let Some(value) = value(filter) else { return Ok(()) };
    let is_low = (!is_market || filter.min_applies_to_market) && value < filter.min;
    let has_max = filter.max > 0 && (!is_market || filter.max_applies_to_market);
    if is_low || (has_max && value > filter.max) { fails(Filter::Notional) } else { Ok(()) }
}

/// Checks how many open orders and lists there would be: in the symbol and in the whole venue.
pub(crate) fn check_counts(
    filters: &Filters,
    limits: &VenueLimits,
    symbol: &Counts,
    venue: &Counts,
    adds: &Counts,
) -> Result<(), Refusal> {
    let rules = [
        (symbol.orders, adds.orders, filters.orders_max, Filter::Orders),
        (symbol.algo, adds.algo, filters.algo_orders_max, Filter::AlgoOrders),
        (symbol.iceberg, adds.iceberg, filters.iceberg_orders_max, Filter::IcebergOrders),
        (symbol.lists, adds.lists, filters.lists_max, Filter::OrderLists),
        (venue.orders, adds.orders, limits.orders_max, Filter::ExchangeOrders),
        (venue.algo, adds.algo, limits.algo_orders_max, Filter::ExchangeAlgoOrders),
        (venue.iceberg, adds.iceberg, limits.iceberg_orders_max, Filter::ExchangeIcebergOrders),
        (venue.lists, adds.lists, limits.lists_max, Filter::ExchangeOrderLists),
    ];
    for (open, more, limit, filter) in rules {
        if limit > 0 && more > 0 && open.saturating_add(more) > limit {
            return fails(filter);
        }
    }
    Ok(())
}
