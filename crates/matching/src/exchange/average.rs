//! The last trade and the average price of the last minutes, weighted by quantity.
//!
//! Trades are summed by second, so a window is at most a second longer than its minutes, and a
//! window of five minutes holds three hundred sums however many trades there are.

use std::collections::VecDeque;

use domain::{Side, Timestamp};

/// The window that every symbol keeps, which the protocol's average price endpoint shows.
const STANDARD_MINUTES: u32 = 5;

/// The trade that happened last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastTrade {
    /// Its number.
    pub trade_id: u64,
    /// Its price.
    pub ticks: i64,
    /// How many lots.
    pub lots: i64,
    /// What the order did that came second.
    pub taker_side: Side,
    /// When.
    pub at: Timestamp,
}

/// An average price as an exact fraction: `ticks_lots / lots` ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Average {
    /// The sum of price times quantity.
    pub ticks_lots: i128,
    /// The sum of quantities; more than zero.
    pub lots: i128,
}

#[derive(Debug, Clone)]
struct Window {
    minutes: u32,
    /// Second, sum of price times quantity, sum of quantities.
    buckets: VecDeque<(i64, i128, i128)>,
    sum: Average,
}

/// The last trade and the averages of a symbol.
#[derive(Debug, Clone)]
pub(super) struct Averages {
    pub(super) last: Option<LastTrade>,
    windows: Vec<Window>,
}

const fn second(at: Timestamp) -> i64 {
    at.unix_nanos().div_euclid(1_000_000_000)
}

// === impl Average ===

impl Average {
    /// The nearest whole number of ticks at or below.
    #[must_use]
    pub fn ticks(self) -> i64 {
        let ticks = self.ticks_lots.checked_div(self.lots).unwrap_or(0);
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }
}

// === impl Averages ===

impl Averages {
    pub(super) fn new(minutes: impl Iterator<Item = u32>) -> Self {
        let mut averages = Self { last: None, windows: Vec::new() };
        averages.watch(minutes);
        averages
    }

    /// Keeps these windows too, from now on.
    pub(super) fn watch(&mut self, minutes: impl Iterator<Item = u32>) {
        for minutes in minutes.chain([STANDARD_MINUTES]) {
            if self.windows.iter().all(|window| window.minutes != minutes) {
                let sum = Average { ticks_lots: 0, lots: 0 };
                self.windows.push(Window { minutes, buckets: VecDeque::new(), sum });
            }
        }
    }

    pub(super) fn note(&mut self, trade: LastTrade) {
        self.last = Some(trade);
        let now = second(trade.at);
        let lots = i128::from(trade.lots);
        let value = i128::from(trade.ticks).saturating_mul(lots);
        for window in &mut self.windows {
            window.evict(now);
            window.sum.ticks_lots = window.sum.ticks_lots.saturating_add(value);
            window.sum.lots = window.sum.lots.saturating_add(lots);
            match window.buckets.back_mut() {
                Some((at, values, quantities)) if *at == now => {
                    *values = values.saturating_add(value);
                    *quantities = quantities.saturating_add(lots);
                }
                Some(_) | None => window.buckets.push_back((now, value, lots)),
            }
        }
    }

    /// The average of the last minutes; of the last trade when there was none in them, or when
    /// `minutes` is zero. `None` before the first trade, or for minutes that nobody watches.
    pub(super) fn average(&self, minutes: u32, at: Timestamp) -> Option<Average> {
        let last = self.last?;
        let of_last = Average { ticks_lots: i128::from(last.ticks), lots: 1 };
        if minutes == 0 {
            return Some(of_last);
        }
        let window = self.windows.iter().find(|window| window.minutes == minutes)?;
        let start = window.start(second(at));
        let mut sum = window.sum;
        for (_, value, lots) in window.buckets.iter().take_while(|bucket| bucket.0 < start) {
            sum.ticks_lots = sum.ticks_lots.saturating_sub(*value);
            sum.lots = sum.lots.saturating_sub(*lots);
        }
        Some(if sum.lots > 0 { sum } else { of_last })
    }
}

// === impl Window ===

impl Window {
    fn start(&self, now: i64) -> i64 {
        now.saturating_sub(i64::from(self.minutes).saturating_mul(60))
    }

    fn evict(&mut self, now: i64) {
        let start = self.start(now);
        while let Some((_, value, lots)) = self.buckets.pop_front_if(|bucket| bucket.0 < start) {
            self.sum.ticks_lots = self.sum.ticks_lots.saturating_sub(value);
            self.sum.lots = self.sum.lots.saturating_sub(lots);
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may fail on an overflow")]
mod tests {
    use super::*;

    fn trade(seconds: i64, ticks: i64, lots: i64) -> LastTrade {
        let at = Timestamp::from_unix_millis(seconds * 1000);
        LastTrade { trade_id: 1, ticks, lots, taker_side: Side::Buy, at }
    }

    #[test]
    fn old_trades_leave_the_average_and_the_last_one_stands_in() {
        let mut averages = Averages::new([1].into_iter());
        let at = |seconds: i64| Timestamp::from_unix_millis(seconds * 1000);
        assert_eq!(averages.average(1, at(0)), None);
        averages.note(trade(0, 100, 1));
        averages.note(trade(0, 100, 1));
        averages.note(trade(30, 130, 1));
        assert_eq!(averages.average(1, at(30)).unwrap().ticks(), 110);
        assert_eq!(averages.average(1, at(61)).unwrap().ticks(), 130);
        assert_eq!(averages.average(5, at(61)).unwrap().ticks(), 110);
        assert_eq!(averages.average(1, at(10_000)).unwrap().ticks(), 130);
        assert_eq!(averages.average(0, at(30)).unwrap().ticks(), 130);
        assert_eq!(averages.average(7, at(30)), None, "nobody watches seven minutes");
    }
}
