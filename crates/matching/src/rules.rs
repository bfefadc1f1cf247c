//! The rules of a symbol: its filters, and what it permits.
//!
//! These are the words alone; the `filters` module decides whether an order keeps them.

use crate::money::{ATOMS_MAX, Atoms};
use crate::{OrderKind, StpMode};

/// Least and greatest, both allowed; a zero end is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuantityRange {
    /// Least number of lots.
    pub min_lots: i64,
    /// Greatest number of lots.
    pub max_lots: i64,
    /// Quantities are whole multiples of so many lots; zero or one allows every lot.
    pub multiple: i64,
}

/// How far a price may lie from the average, in parts of 10^-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PercentPrice {
    /// Price at most average times this; zero is no limit.
    pub up_parts: i64,
    /// Price at least average times this.
    pub down_parts: i64,
    /// Minutes of the average; zero takes the last price.
    pub average_minutes: u32,
}

/// How far a price may lie from the average, for each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PercentBySide {
    /// For buy orders.
    pub bid: PercentPrice,
    /// For sell orders; its minutes are those of `bid`.
    pub ask: PercentPrice,
}

/// Least and greatest value of an order in the quote asset; a zero is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotionalFilter {
    /// Least value.
    pub min: Atoms,
    /// Greatest value.
    pub max: Atoms,
    /// Whether the least holds for market orders.
    pub min_applies_to_market: bool,
    /// Whether the greatest holds for market orders.
    pub max_applies_to_market: bool,
    /// Minutes of the average price that values market orders; zero takes the last price.
    pub average_minutes: u32,
}

/// Least and greatest trailing distance in 0.01 %; a zero is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrailingRange {
    /// Least for stops above the market.
    pub above_min: u32,
    /// Greatest for stops above the market.
    pub above_max: u32,
    /// Least for stops below the market.
    pub below_min: u32,
    /// Greatest for stops below the market.
    pub below_max: u32,
}

/// The rules that the protocol calls filters; zero and `None` disable a rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters {
    /// `PRICE_FILTER`: least price or stop price.
    pub min_ticks: i64,
    /// `PRICE_FILTER`: greatest price or stop price.
    pub max_ticks: i64,
    /// `PRICE_FILTER`: prices are whole multiples of so many ticks.
    pub tick_multiple: i64,
    /// `PERCENT_PRICE`.
    pub percent_price: Option<PercentPrice>,
    /// `PERCENT_PRICE_BY_SIDE`.
    pub percent_by_side: Option<PercentBySide>,
    /// `LOT_SIZE`.
    pub lot_size: QuantityRange,
    /// `MARKET_LOT_SIZE`.
    pub market_lot_size: QuantityRange,
    /// `MIN_NOTIONAL`; its greatest value is ignored.
    pub min_notional: Option<NotionalFilter>,
    /// `NOTIONAL`.
    pub notional: Option<NotionalFilter>,
    /// `ICEBERG_PARTS`; a thousand at most, also when it is zero.
    pub iceberg_parts_max: u32,
    /// `MAX_NUM_ORDERS`.
    pub orders_max: u32,
    /// `MAX_NUM_ALGO_ORDERS`.
    pub algo_orders_max: u32,
    /// `MAX_NUM_ICEBERG_ORDERS`.
    pub iceberg_orders_max: u32,
    /// `MAX_POSITION`, in lots of the base asset.
    pub position_max_lots: i64,
    /// `TRAILING_DELTA`.
    pub trailing: TrailingRange,
    /// `MAX_NUM_ORDER_AMENDS`.
    pub amends_max: u32,
    /// `MAX_NUM_ORDER_LISTS`.
    pub lists_max: u32,
}

/// What the symbol allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    kinds: u8,
    stp_modes: u8,
    /// The self-trade prevention of orders that name none.
    pub stp_default: StpMode,
    /// Iceberg orders.
    pub icebergs: bool,
    /// Market orders by quote quantity.
    pub quote_market: bool,
    /// Trailing stops.
    pub trailing: bool,
    /// Pairs of which one cancels the other.
    pub oco: bool,
    /// Lists whose working order triggers the rest.
    pub oto: bool,
    /// Lists whose working order pays the rest; they need `oto` too.
    pub opo: bool,
    /// Orders that take their price from the book.
    pub pegs: bool,
    /// Cancelling and replacing in one command.
    pub cancel_replace: bool,
    /// Making an order smaller where it stands.
    pub amend: bool,
}

// === impl Permissions ===

impl Permissions {
    /// Everything is allowed; self-trade prevention expires the resting order by default.
    #[must_use]
    pub fn all() -> Self {
        Self {
            kinds: OrderKind::ALL.iter().fold(0, |set, kind| set | kind.bit()),
            stp_modes: StpMode::ALL.iter().fold(0, |set, mode| set | mode.bit()),
            stp_default: StpMode::ExpireMaker,
            icebergs: true,
            quote_market: true,
            trailing: true,
            oco: true,
            oto: true,
            opo: true,
            pegs: true,
            cancel_replace: true,
            amend: true,
        }
    }

    /// The same with these kinds of order only.
    #[must_use]
    pub fn with_kinds(self, kinds: &[OrderKind]) -> Self {
        Self { kinds: kinds.iter().fold(0, |set, kind| set | kind.bit()), ..self }
    }

    /// The same with these modes of self-trade prevention only, and their default.
    #[must_use]
    pub fn with_stp(self, modes: &[StpMode], default: StpMode) -> Self {
        let stp_modes = modes.iter().fold(default.bit(), |set, mode| set | mode.bit());
        Self { stp_modes, stp_default: default, ..self }
    }

    /// Whether orders of this kind are taken.
    #[must_use]
    pub const fn has_kind(&self, kind: OrderKind) -> bool {
        self.kinds & kind.bit() != 0
    }

    /// Whether this mode of self-trade prevention may be asked for.
    #[must_use]
    pub const fn has_stp(&self, mode: StpMode) -> bool {
        self.stp_modes & mode.bit() != 0
    }
}

// === impl Filters ===

impl Filters {
    /// Every number at least zero.
    pub(crate) fn is_legal(&self) -> bool {
        let ranges = [self.lot_size, self.market_lot_size];
        let mut numbers = vec![self.min_ticks, self.max_ticks, self.tick_multiple];
        numbers.push(self.position_max_lots);
        numbers.extend(ranges.iter().flat_map(|r| [r.min_lots, r.max_lots, r.multiple]));
        let bands = self.percent_by_side.iter().flat_map(|by| [by.bid, by.ask]);
        let bands = bands.chain(self.percent_price);
        numbers.extend(bands.flat_map(|band| [band.up_parts, band.down_parts]));
        let values = self.min_notional.iter().chain(&self.notional);
        let is_value = |atoms: Atoms| (0..=ATOMS_MAX).contains(&atoms);
        numbers.iter().all(|number| *number >= 0)
            && values.into_iter().all(|value| is_value(value.min) && is_value(value.max))
    }

    /// Market orders come in whole multiples of so many lots.
    pub(crate) fn market_multiple(&self) -> i64 {
        let (a, b) = (self.lot_size.multiple.max(1), self.market_lot_size.multiple.max(1));
        // One is a multiple of the other on every venue; else the coarser one decides.
        a.max(b)
    }

    /// The minutes of every average that these filters ask for.
    pub(crate) fn average_minutes(&self) -> impl Iterator<Item = u32> {
        let percent = self.percent_price.map(|band| band.average_minutes);
        let by_side = self.percent_by_side.map(|by| by.bid.average_minutes);
        let min = self.min_notional.map(|value| value.average_minutes);
        let range = self.notional.map(|value| value.average_minutes);
        [percent, by_side, min, range].into_iter().flatten().filter(|minutes| *minutes > 0)
    }
}
