//! What traded before the first event, in sums of a quarter of a minute.
//!
//! The same latent prices as after it, without the traders: a Brownian motion looks the same in both
//! directions, and so does a volatility that reverts to its mean, so both are followed backwards from
//! where the market opens. What trades in a stretch is drawn with the mean and the spread that the
//! simulated traders have.
//!
//! # Invariants
//!
//! * A stretch draws from the seed and its own time alone, so its returns are there again after a
//!   restart; the prices hang on the present one.

use std::time::Duration;

use domain::Timestamp;

use super::session::whole;
use super::{SimMarket, Stretch};
use crate::draws::Draws;

/// The length of a stretch.
const STRETCH: Duration = Duration::from_secs(15);

/// The seed of the past is another one than that of the events.
const SALT: u64 = 0x70_61_73_74;

/// Trades that an arrival leads to, on average.
const TRADES_PER_EVENT: f64 = 0.19;

/// The size of a trade, on average, as a multiple of the smallest of an incoming market order.
const TAKES_PER_TRADE: f64 = 2.75;

/// Standard deviations of a stretch: of its count of trades, of its volume beyond that, and of the
/// share that buyers took, each as a share.
const COUNT_SPREAD: f64 = 0.16;
const VOLUME_SPREAD: f64 = 0.35;
const TAKER_SPREAD: f64 = 0.16;

// === impl SimMarket ===

impl SimMarket {
    /// The past of each symbol, the oldest first; it ends at the present prices.
    pub(super) fn past_until(&self, until: Timestamp, span: Duration) -> Vec<Vec<Stretch>> {
        let length = i64::try_from(STRETCH.as_millis()).unwrap_or(i64::MAX);
        let newest = until.unix_millis().div_euclid(length);
        let count = i64::try_from(span.as_millis() / STRETCH.as_millis()).unwrap_or(i64::MAX);
        let mut past = vec![Vec::new(); self.sessions.len()];
        let mut prices: Vec<f64> = self.sessions.iter().map(|s| s.efficient()).collect();
        let mut log_volatility = self.log_volatility;
        for number in (newest.saturating_sub(count)..newest).rev() {
            let mut draws = Draws::new(self.seed ^ SALT, number.unsigned_abs());
            let changes = self.changes(STRETCH.as_secs_f64(), &mut log_volatility, &mut draws);
            let symbols = self.sessions.iter().zip(changes).zip(&mut prices).zip(&mut past);
            for (((session, change), price), past) in symbols {
                let close = whole(*price);
                *price = session.before(*price, change);
                let events = session.events_per_second() * STRETCH.as_secs_f64();
                let spread = |spread: f64, draw: f64| (1.0 + spread * draw).clamp(0.1, 10.0);
                let trades = events * TRADES_PER_EVENT * spread(COUNT_SPREAD, draws.normal());
                let size = session.take_lots_min() * TAKES_PER_TRADE;
                let lots = trades * size * spread(VOLUME_SPREAD, draws.normal());
                let share = (0.5 + TAKER_SPREAD * draws.normal()).clamp(0.0, 1.0);
                let trades = whole(trades).max(1);
                past.push(Stretch {
                    start_millis: number.saturating_mul(length),
                    open: whole(*price),
                    close,
                    lots: whole(lots).max(trades),
                    taker_lots: whole(lots * share),
                    trades: trades.unsigned_abs(),
                });
            }
        }
        past.iter_mut().for_each(|past| past.reverse());
        past
    }
}
