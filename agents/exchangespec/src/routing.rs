//! Reads what the router decides by: the live books of a symbol at every venue that is reached from
//! here, with fees and measured latency.

use std::sync::Arc;

use domain::{Amount, BookSnapshot, Decimal, Instrument, Symbol};
use orders::route::Source;
use serde_json::json;
use wire::Failure;

use crate::Exchange;
use crate::desk::Desk;

/// Levels of each book that are looked at.
const LEVELS_MAX: usize = 1_000;

/// The books of a symbol.
#[derive(Debug)]
pub(crate) struct Books {
    /// The symbol.
    pub(crate) symbol: Symbol,
    /// Venues that were left out, with the reason.
    pub(crate) left_out: Vec<String>,
    found: Vec<Found>,
}

#[derive(Debug)]
struct Found {
    venue: String,
    instrument: Instrument,
    book: BookSnapshot,
    taker_fee: Decimal,
    penalty: Decimal,
}

/// A book cannot be routed by, because nothing can be done with the answer.
pub(crate) fn unreachable(books: &Books, why: &str) -> Failure {
    let message = format!("{why} for {}: {}", books.symbol, books.left_out.join("; "));
    Failure::refused("NO_LIVE_BOOK", message).with("left_out", json!(books.left_out))
}

// === impl Books ===

impl Books {
    /// Reads the books of a symbol at every account that this instance has.
    ///
    /// # Errors
    /// `invalid_params` for a symbol that is none.
    pub(crate) async fn read(
        exchange: &Exchange,
        symbol: &str,
        penalty_bips_per_ms: Amount,
    ) -> Result<Self, Failure> {
        let symbol: Symbol = symbol.parse().map_err(|error: domain::SymbolError| {
            let rule = error.to_string();
            Failure::invalid("symbol", json!(symbol), &rule, json!("BTCUSDT"))
        })?;
        let (mut found, mut left_out) = (Vec::new(), Vec::new());
        for name in exchange.names() {
            let read = match exchange.desk(&name) {
                Ok(desk) => read(&desk, &symbol, penalty_bips_per_ms).await,
                Err(failure) => Err(failure.to_string()),
            };
            match read {
                Ok(book) => found.push(book),
                Err(why) => left_out.push(format!("{name}: {why}")),
            }
        }
        Ok(Self { symbol, left_out, found })
    }

    /// The venues whose books were read.
    pub(crate) fn venues(&self) -> Vec<String> {
        self.found.iter().map(|found| found.venue.clone()).collect()
    }

    /// What the router decides by.
    pub(crate) fn sources(&self) -> Vec<Source<'_>> {
        self.found
            .iter()
            .map(|found| Source {
                venue: &found.venue,
                instrument: &found.instrument,
                book: &found.book,
                taker_fee: found.taker_fee,
                penalty: found.penalty,
            })
            .collect()
    }
}

async fn read(desk: &Arc<Desk>, symbol: &Symbol, bips_per_ms: Amount) -> Result<Found, String> {
    let instruments = desk.venue.instruments();
    let listed = instruments.iter().find(|listed| listed.symbol == *symbol);
    let instrument = listed.ok_or_else(|| format!("{symbol} is not traded there"))?.clone();
    if let Some(why) = desk.trouble() {
        return Err(why);
    }
    let book = desk.venue.book(symbol.clone(), LEVELS_MAX).await;
    let book = book.map_err(|error| error.to_string())?;
    let age_ms = desk.clock.now().since(book.as_of).as_millis();
    let age_ms_max = desk.limits().limits.price_age_ms_max;
    if age_ms > u128::from(age_ms_max) {
        return Err(format!("its book is {age_ms} ms old and may be {age_ms_max} ms"));
    }
    let fees = desk.venue.fees(symbol.clone()).await.map_err(|error| error.to_string())?;
    let penalty = penalty(desk, bips_per_ms).await?;
    let (venue, taker_fee) = (desk.name.clone(), fees.taker.decimal());
    Ok(Found { venue, instrument, book, taker_fee, penalty })
}

/// What the measured latency counts against a venue, as a share of the price.
async fn penalty(desk: &Desk, bips_per_ms: Amount) -> Result<Decimal, String> {
    const BIPS: Decimal = Decimal::ONE_HUNDRED;
    let status = desk.venue.status().await;
    let Some(p50) = status.round_trips.p50.filter(|_| bips_per_ms != Amount::ZERO) else {
        return Ok(Decimal::ZERO);
    };
    let micros = Decimal::from(u64::try_from(p50.as_micros()).unwrap_or(u64::MAX));
    let bips = micros.checked_div(Decimal::ONE_THOUSAND);
    let bips = bips.and_then(|ms| ms.checked_mul(bips_per_ms.decimal()));
    let share = bips.and_then(|bips| bips.checked_div(BIPS)?.checked_div(BIPS));
    share.filter(|share| *share < Decimal::ONE).ok_or_else(|| {
        format!("its latency of {} ms counts for more than its price", p50.as_millis())
    })
}
