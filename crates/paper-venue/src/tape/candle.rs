//! Candles of one second and one minute, and all longer ones made of them.

use std::collections::VecDeque;
use std::ops::Range;

use domain::Side;

use super::{Interval, TapeTrade};

/// Candles of a second that are kept: two hours.
const SECONDS_MAX: usize = 7_200;
/// Candles of a minute that are kept: sixty days.
const MINUTES_MAX: usize = 86_400;

/// Prices and sums over a stretch of time, in 1e-8 units; times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candle {
    pub(crate) start: i64,
    pub(crate) open: i128,
    pub(crate) high: i128,
    pub(crate) low: i128,
    pub(crate) close: i128,
    pub(crate) volume: i128,
    pub(crate) quote: i128,
    pub(crate) taker_volume: i128,
    pub(crate) taker_quote: i128,
    pub(crate) trades: u64,
    /// First and last trade; `None` when there was none.
    pub(crate) ids: Option<(u64, u64)>,
}

/// The candles of one symbol; only those with trades are stored.
#[derive(Debug, Default)]
pub(crate) struct Candles {
    seconds: Row,
    minutes: Row,
}

/// Candles of one length, the oldest first.
#[derive(Debug, Default)]
struct Row(VecDeque<Candle>);

// === impl Candle ===

impl Candle {
    /// A candle in which nothing traded.
    pub(crate) const fn flat(start: i64, price: i128) -> Self {
        Self {
            start,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0,
            quote: 0,
            taker_volume: 0,
            taker_quote: 0,
            trades: 0,
            ids: None,
        }
    }

    fn of(start: i64, trade: &TapeTrade) -> Self {
        let is_buy = trade.taker == Side::Buy;
        Self {
            volume: trade.quantity,
            quote: trade.quote,
            taker_volume: if is_buy { trade.quantity } else { 0 },
            taker_quote: if is_buy { trade.quote } else { 0 },
            trades: 1,
            ids: Some((trade.id, trade.id)),
            ..Self::flat(start, trade.price)
        }
    }

    /// Takes a later candle in.
    pub(crate) fn absorb(&mut self, later: &Self) {
        if later.trades == 0 {
            return;
        }
        if self.trades == 0 {
            (self.open, self.high, self.low) = (later.open, later.high, later.low);
        }
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume = self.volume.saturating_add(later.volume);
        self.quote = self.quote.saturating_add(later.quote);
        self.taker_volume = self.taker_volume.saturating_add(later.taker_volume);
        self.taker_quote = self.taker_quote.saturating_add(later.taker_quote);
        self.trades = self.trades.saturating_add(later.trades);
        self.ids = match (self.ids, later.ids) {
            (Some((first, _)), Some((_, last))) => Some((first, last)),
            (own, other) => own.or(other),
        };
    }

    /// Quote over base volume; the close when nothing traded.
    pub(crate) fn average(&self) -> i128 {
        let scaled = self.quote.checked_mul(crate::protocol::number::ONE_E8);
        scaled.and_then(|quote| quote.checked_div(self.volume)).unwrap_or(self.close)
    }
}

// === impl Row ===

impl Row {
    /// Takes in what traded last.
    fn add(&mut self, new: Candle, max: usize) {
        match self.0.back_mut() {
            Some(last) if last.start >= new.start => return last.absorb(&new),
            _ => self.0.push_back(new),
        }
        if self.0.len() > max {
            self.0.pop_front();
        }
    }

    /// Those that begin in this stretch of time.
    fn range(&self, span: Range<i64>) -> impl Iterator<Item = &Candle> {
        let place = |millis| self.0.partition_point(|candle| candle.start < millis);
        self.0.range(place(span.start)..place(span.end.max(span.start)))
    }

    fn last_before(&self, millis: i64) -> Option<&Candle> {
        let place = self.0.partition_point(|candle| candle.start < millis);
        self.0.get(place.checked_sub(1)?)
    }
}

// === impl Candles ===

impl Candles {
    pub(super) fn trade(&mut self, trade: &TapeTrade) {
        let millis = trade.at.unix_millis();
        for (row, length, max) in
            [(&mut self.seconds, 1_000, SECONDS_MAX), (&mut self.minutes, 60_000, MINUTES_MAX)]
        {
            let start = millis.saturating_sub(millis.rem_euclid(length));
            row.add(Candle::of(start, trade), max);
        }
    }

    /// Takes in what traded in a part of a minute before there was a tape; later parts come later.
    pub(crate) fn before(&mut self, part: &Candle) {
        let start = part.start.saturating_sub(part.start.rem_euclid(60_000));
        self.minutes.add(Candle { start, ..*part }, MINUTES_MAX);
    }

    const fn base(&self, is_seconds: bool) -> &Row {
        if is_seconds { &self.seconds } else { &self.minutes }
    }

    /// The price at which the last trade before a time happened.
    fn close_before(&self, millis: i64) -> Option<i128> {
        let last = self.seconds.last_before(millis).or_else(|| self.minutes.last_before(millis));
        last.map(|candle| candle.close)
    }

    /// The candle of this length that begins at `start`; flat at the last price without trades.
    pub(crate) fn at(&self, interval: Interval, start: i64, shift: i64) -> Option<Candle> {
        let end = interval.next(start, shift);
        let mut sum: Option<Candle> = None;
        for candle in self.base(interval.is_seconds()).range(start..end) {
            match &mut sum {
                Some(sum) => sum.absorb(candle),
                None => sum = Some(Candle { start, ..*candle }),
            }
        }
        sum.or_else(|| self.close_before(start).map(|price| Candle::flat(start, price)))
    }

    /// Candles from the one that contains `from` to the one that contains `to`, at most `limit`,
    /// the oldest first; without `from` the newest ones.
    pub(crate) fn range(
        &self,
        interval: Interval,
        shift: i64,
        span: (Option<i64>, i64),
        limit: usize,
    ) -> Vec<Candle> {
        let Some(first) = self.base(interval.is_seconds()).0.front() else {
            return Vec::new();
        };
        let first = interval.start(first.start, shift);
        let (from, to) = span;
        let mut candles = Vec::new();
        if let Some(from) = from {
            let mut start = interval.start(from, shift).max(first);
            if start < from {
                start = interval.next(start, shift);
            }
            while start <= to && candles.len() < limit {
                candles.extend(self.at(interval, start, shift));
                start = interval.next(start, shift);
            }
            return candles;
        }
        let mut start = interval.start(to, shift);
        while start >= first && candles.len() < limit {
            candles.extend(self.at(interval, start, shift));
            start = interval.start(start.saturating_sub(1), shift);
        }
        candles.reverse();
        candles
    }

    /// Everything from a time on up to another, as one candle.
    pub(crate) fn sum(&self, from: i64, to: i64) -> Option<Candle> {
        let mut sum: Option<Candle> = None;
        for candle in self.minutes.range(from..to.saturating_add(1)) {
            match &mut sum {
                Some(sum) => sum.absorb(candle),
                None => sum = Some(*candle),
            }
        }
        sum.or_else(|| {
            self.close_before(to.saturating_add(1)).map(|price| Candle::flat(from, price))
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    fn candles(trades: &[(i64, i128)]) -> Candles {
        let mut candles = Candles::default();
        for (id, (millis, price)) in (1..).zip(trades) {
            let at = Timestamp::from_unix_millis(*millis);
            let (quantity, quote, taker) = (100_000_000, *price, Side::Buy);
            candles.trade(&TapeTrade { id, price: *price, quantity, quote, at, taker });
        }
        candles
    }

    #[test]
    fn a_candle_has_open_high_low_close_and_sums() {
        let candles = candles(&[(60_000, 10), (61_000, 30), (62_500, 5), (119_999, 20)]);
        let minute = candles.at(Interval::Fixed(60_000), 60_000, 0).unwrap();
        assert_eq!((minute.open, minute.high, minute.low, minute.close), (10, 30, 5, 20));
        assert_eq!((minute.trades, minute.ids), (4, Some((1, 4))));
        assert_eq!(minute.quote, 65);
        assert_eq!(minute.average(), 16);
    }

    #[test]
    fn minutes_without_trades_are_flat_at_the_last_close() {
        let candles = candles(&[(0, 10), (180_000, 40)]);
        let minute = Interval::Fixed(60_000);
        let all = candles.range(minute, 0, (Some(0), 200_000), 10);
        assert_eq!(
            all.iter().map(|c| (c.start, c.close)).collect::<Vec<_>>(),
            [(0, 10), (60_000, 10), (120_000, 10), (180_000, 40)]
        );
        let newest = candles.range(minute, 0, (None, 200_000), 2);
        assert_eq!(newest.iter().map(|c| c.start).collect::<Vec<_>>(), [120_000, 180_000]);
        let inside = candles.range(minute, 0, (Some(1), 200_000), 1);
        assert_eq!(inside.first().map(|c| c.start), Some(60_000), "only whole ones after `from`");
        assert!(Candles::default().range(minute, 0, (None, 200_000), 5).is_empty());
    }
}
