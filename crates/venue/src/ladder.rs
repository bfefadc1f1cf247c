//! The levels of one book as integers, best price at hand.
//!
//! Prices and quantities are counted in units of the instrument's last decimal place, so a change
//! costs no decimal arithmetic. Both sides lie in one order, worst level first: most changes are
//! near the best price, where nothing has to move. Changes come sorted from the best price on, so
//! each is searched for from where the last one was found.

use domain::{BookLevel, Decimal, Instrument, LevelChange, Price, Quantity};

/// A price and a quantity in units of their last places.
pub(crate) type Level = (i64, i64);

/// How many decimal places an instrument's numbers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Of prices.
    pub price_places: u32,
    /// Of quantities.
    pub quantity_places: u32,
}

/// Changes of a book that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Changes {
    /// When, by the venue's clock, in milliseconds.
    pub(crate) at_ms: i64,
    /// The first update in it.
    pub(crate) first: u64,
    /// The last one.
    pub(crate) last: u64,
    /// Price and quantity of buyers, in units of the last places; zero removes the level.
    pub(crate) bids: Vec<(i64, i64)>,
    /// The same of sellers.
    pub(crate) asks: Vec<(i64, i64)>,
}

/// Both sides of a book.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ladder {
    bids: Half,
    /// With the prices negated, so that the best is the largest here too.
    asks: Half,
}

/// Levels in ascending order of their keys; the best is the last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Half(Vec<Level>);

/// Decimal places that assets have.
const ASSET_PLACES: u32 = 8;
/// Digits that always fit.
const DIGITS_MAX: u32 = 18;
/// Levels that are looked at one by one before the search halves.
const STEPS: usize = 8;

// === impl Grid ===

impl Grid {
    /// The places that prices and quantities of the instrument may have.
    ///
    /// Orders from before a grid was made coarser, and what self-trade prevention has left of
    /// others, lie between the steps of today, so a level has the places of its asset, as far as
    /// the largest level still fits.
    pub(crate) fn of(instrument: &Instrument) -> Self {
        let tick_places = instrument.tick_size.decimal().scale();
        let step_places = instrument.step_size.decimal().scale();
        // A level of a thousand of the largest orders.
        let whole = whole_digits(instrument.quantity_max.decimal()).saturating_add(3);
        let room = DIGITS_MAX.saturating_sub(whole).min(ASSET_PLACES);
        Self { price_places: tick_places.max(ASSET_PLACES), quantity_places: step_places.max(room) }
    }

    /// The price of a number of units; `None` for zero or less.
    pub(crate) fn price(self, units: i64) -> Option<Price> {
        Price::try_new(Decimal::try_new(units, self.price_places).ok()?).ok()
    }

    /// The quantity of a number of units; `None` for zero or less.
    pub(crate) fn quantity(self, units: i64) -> Option<Quantity> {
        Quantity::try_new(Decimal::try_new(units, self.quantity_places).ok()?).ok()
    }

    fn level(self, (price, quantity): Level) -> Option<BookLevel> {
        Some(BookLevel { price: self.price(price)?, quantity: self.quantity(quantity)? })
    }

    /// The same changes in words of the domain.
    pub(crate) fn changes(self, levels: &[Level]) -> Vec<LevelChange> {
        let change = |&(price, quantity): &Level| {
            Some(LevelChange { price: self.price(price)?, quantity: self.quantity(quantity) })
        };
        levels.iter().filter_map(change).collect()
    }
}

/// How many digits stand before the point.
fn whole_digits(value: Decimal) -> u32 {
    value.trunc().mantissa().checked_ilog10().map_or(1, |log| log.saturating_add(1))
}

/// Reads a plain decimal as units of its `places`-th decimal place.
///
/// `None` for anything else: a sign, an exponent, digits beyond the places that are not zero, more
/// than 18 digits.
pub(crate) fn units(text: &[u8], places: u32) -> Option<i64> {
    let (value, rest) = leading_units(text, places)?;
    rest.is_empty().then_some(value)
}

/// Reads a plain decimal at the beginning of a text; gives the rest, which begins with no digit.
#[inline]
pub(crate) fn leading_units(text: &[u8], places: u32) -> Option<(i64, &[u8])> {
    let mut value = 0_i64;
    let mut at = 0;
    while let Some(digit) = text.get(at).and_then(|byte| digit(*byte)) {
        // Eighteen digits fit; more are refused below, before they are used.
        value = value.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    let whole = at;
    let mut missing = places;
    if text.get(at) == Some(&b'.') {
        at += 1;
        let point = at;
        while let Some(digit) = text.get(at).and_then(|byte| digit(*byte)) {
            if missing > 0 {
                value = value.wrapping_mul(10).wrapping_add(digit);
                missing -= 1;
            } else if digit != 0 {
                return None;
            }
            at += 1;
        }
        if at == point {
            return None;
        }
    }
    if whole == 0 || whole.saturating_add(usize::try_from(places).ok()?) > 18 {
        return None;
    }
    Some((value.checked_mul(10_i64.checked_pow(missing)?)?, text.get(at..)?))
}

#[inline]
fn digit(byte: u8) -> Option<i64> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(i64::from(digit))
}

// === impl Ladder ===

impl Ladder {
    /// Forgets every level.
    pub(crate) fn clear(&mut self) {
        self.bids.0.clear();
        self.asks.0.clear();
    }

    /// Sets the levels to what they hold now.
    pub(crate) fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        self.bids.apply(bids.iter().copied());
        self.asks.apply(asks.iter().map(|&(price, quantity)| (-price, quantity)));
    }

    /// Whether somebody would buy for more than somebody asks: then updates are missing.
    pub(crate) fn is_crossed(&self) -> bool {
        match (self.bids.0.last(), self.asks.0.last()) {
            (Some(&(bid, _)), Some(&(ask, _))) => bid >= -ask,
            _ => false,
        }
    }

    /// The best levels of both sides.
    pub(crate) fn best(&self, count: usize, grid: Grid) -> (Vec<BookLevel>, Vec<BookLevel>) {
        let bids = self.bids.0.iter().rev().take(count);
        let asks = self.asks.0.iter().rev().take(count).map(|&(key, quantity)| (-key, quantity));
        (
            bids.filter_map(|level| grid.level(*level)).collect(),
            asks.filter_map(|level| grid.level(level)).collect(),
        )
    }
}

// === impl Half ===

impl Half {
    #[inline]
    fn apply(&mut self, changes: impl Iterator<Item = Level>) {
        let levels = &mut self.0;
        // No level from here on is below the change that is looked for.
        let mut at = levels.len();
        for (key, quantity) in changes {
            if levels.get(at).is_some_and(|level| level.0 <= key) {
                at = levels.len();
            }
            at = position(levels, at, key);
            let below = at.checked_sub(1).and_then(|below| Some((below, levels.get_mut(below)?)));
            match below {
                Some((below, level)) if level.0 == key => {
                    if quantity == 0 {
                        levels.remove(below);
                    } else {
                        level.1 = quantity;
                    }
                    at = below;
                }
                _ if quantity != 0 => levels.insert(at, (key, quantity)),
                _ => {}
            }
        }
    }
}

/// How many of the first `end` levels have keys that are not above this one.
#[inline]
fn position(levels: &[Level], end: usize, key: i64) -> usize {
    let mut at = end;
    for _ in 0..STEPS {
        match at.checked_sub(1).and_then(|below| levels.get(below)) {
            Some(level) if level.0 > key => at -= 1,
            _ => return at,
        }
    }
    levels.get(..at).map_or(0, |levels| levels.partition_point(|level| level.0 <= key))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_decimals_are_read_as_units() {
        let cases: [(&str, u32, Option<i64>); 14] = [
            ("61583.22000000", 2, Some(6_158_322)),
            ("0.00001", 5, Some(1)),
            ("7", 3, Some(7_000)),
            ("0", 0, Some(0)),
            ("160000000000.00000000", 0, Some(160_000_000_000)),
            ("61583.221", 2, None),
            ("-1", 2, None),
            ("1e5", 2, None),
            ("1.", 2, None),
            (".5", 2, None),
            ("", 2, None),
            ("NaN", 2, None),
            ("999999999999999999", 0, Some(999_999_999_999_999_999)),
            ("9999999999999999999", 0, None),
        ];
        for (text, places, expect) in cases {
            assert_eq!(units(text.as_bytes(), places), expect, "{text:?} at {places}");
        }
    }

    #[test]
    fn a_level_has_the_places_of_its_asset_as_far_as_the_largest_one_fits() {
        let mut instrument = Instrument {
            symbol: "BTCUSDT".parse().unwrap(),
            base: "BTC".parse().unwrap(),
            quote: "USDT".parse().unwrap(),
            tick_size: "0.01".parse().unwrap(),
            step_size: "0.00001".parse().unwrap(),
            quantity_min: "0.00001".parse().unwrap(),
            quantity_max: "9000".parse().unwrap(),
            notional_min: "5".parse().unwrap(),
            maker_fee: domain::Rate::ZERO,
            taker_fee: domain::Rate::ZERO,
            filters: domain::Filters::default(),
        };
        assert_eq!(Grid::of(&instrument), Grid { price_places: 8, quantity_places: 8 });
        instrument.step_size = "1".parse().unwrap();
        instrument.quantity_max = "92141578736".parse().unwrap();
        assert_eq!(Grid::of(&instrument).quantity_places, 4);
        instrument.quantity_max = Quantity::try_new(Decimal::MAX).unwrap();
        assert_eq!(Grid::of(&instrument).quantity_places, 0);
    }

    fn key() -> impl Strategy<Value = i64> {
        1_i64..60
    }

    proptest! {
        #[test]
        fn it_holds_what_a_map_holds_whatever_the_order_of_changes(
            batches in prop::collection::vec(
                (prop::collection::vec((key(), 0_i64..4), 0..30), any::<bool>()), 0..20)
        ) {
            let mut half = Half::default();
            let mut map = BTreeMap::new();
            for (mut batch, sorted) in batches {
                if sorted {
                    batch.sort_by(|a, b| b.cmp(a));
                }
                half.apply(batch.iter().copied());
                for (key, quantity) in batch {
                    if quantity == 0 { map.remove(&key); } else { map.insert(key, quantity); }
                }
                prop_assert_eq!(&half.0, &map.iter().map(|(k, q)| (*k, *q)).collect::<Vec<_>>());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..40),
                                         places in 0_u32..30) {
            let _: Option<i64> = units(&text, places);
        }
    }
}
