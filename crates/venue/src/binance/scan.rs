//! What outside bytes go through first, open to fuzzers and measurements.
//!
//! Every function takes any bytes and never panics.

use std::sync::Arc;

use domain::Clock;

use super::parse::{ParseError, account, depth, instruments, json, market, orders, streams};
use super::{Credentials, KeyError, outcome, params};
use crate::Fees;
use crate::ladder::{Changes, Grid, Ladder};

/// A local book that takes the bytes of updates, without the rule that joins them.
#[derive(Debug, Default)]
pub struct RawBook {
    changes: Changes,
    ladder: Ladder,
}

// === impl RawBook ===

impl RawBook {
    /// Reads an update and applies it; says whether it was one in the usual form.
    pub fn apply(&mut self, message: &[u8], grid: Grid) -> bool {
        if depth::scan(message, |_| Some(grid), &mut self.changes).is_none() {
            return false;
        }
        self.ladder.apply(&self.changes.bids, &self.changes.asks);
        true
    }
}

/// Reads the bytes by every reader of answers.
pub fn read_answer(bytes: &[u8]) -> Vec<Result<(), ParseError>> {
    let fees = Fees { maker: domain::Rate::ZERO, taker: domain::Rate::ZERO };
    let grid = Grid { price_places: 2, quantity_places: 5 };
    drop(outcome::judge(400, bytes));
    vec![
        orders::Report::read(bytes).and_then(|report| report.order()).map(drop),
        orders::orders(bytes).map(drop),
        orders::trades(bytes).map(drop),
        orders::amended(bytes).map(drop),
        json::<orders::Canceled<'_>>("a cancel", bytes).and_then(|one| one.orders()).map(drop),
        instruments::exchange(bytes, fees).map(drop),
        market::trades(bytes).map(drop),
        market::candles(bytes).map(drop),
        market::ticker(bytes).map(drop),
        market::time(bytes).map(drop),
        account::account(bytes).map(drop),
        account::commission(bytes).map(drop),
        account::key_powers(bytes).map(drop),
        depth::snapshot(bytes, grid).map(drop),
    ]
}

/// Reads the bytes by every reader of streams and sessions.
pub fn read_event(bytes: &[u8]) -> Vec<Result<(), ParseError>> {
    let grid = Grid { price_places: 2, quantity_places: 5 };
    let mut changes = Changes::default();
    depth::scan(bytes, |_| Some(grid), &mut changes);
    let execution = json::<orders::Execution<'_>>("a report", bytes);
    vec![
        depth::update(bytes, |_| Some(grid), &mut changes).map(drop),
        streams::market(bytes).map(drop),
        streams::session(bytes).map(drop),
        streams::event_name(bytes).map(drop),
        account::position(bytes).map(drop),
        execution.and_then(|report| {
            report.fill(None)?;
            report.order().map(drop)
        }),
    ]
}

/// Writes the signed body of an order into `out`, which is emptied first: what a request costs
/// before it leaves.
///
/// # Errors
/// [`KeyError`] when the key could not sign.
pub fn sign_order(
    order: &domain::NewOrder,
    timestamp_ms: i64,
    credentials: &Credentials,
    out: &mut Vec<u8>,
) -> Result<(), KeyError> {
    out.clear();
    let timing = params::Timing { timestamp_ms, recv_window_ms: 5_000 };
    params::write_signed_query(&params::order(order), timing, credentials, out)
}

/// Sends orders to a server that answers anything, to measure the way there and back.
#[derive(Debug)]
pub struct HttpProbe {
    rest: super::rest::Rest,
    url: String,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
}

// === impl HttpProbe ===

impl HttpProbe {
    /// Prepares for requests to the server at `url`; nothing is sent.
    ///
    /// # Errors
    /// Why the address is none.
    pub fn new(url: &str, credentials: Credentials, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let config = super::Config::at(url, credentials.clone());
        let budget = Arc::new(crate::LocalBudget::default());
        let rest = super::prepare(&config, &clock, budget).map_err(|e| e.to_string())?;
        Ok(Self { rest, url: url.to_owned(), credentials, clock })
    }

    /// The same without connections, for another runtime.
    ///
    /// # Errors
    /// As [`HttpProbe::new`].
    pub fn fresh(&self) -> Result<Self, String> {
        Self::new(&self.url, self.credentials.clone(), Arc::clone(&self.clock))
    }

    /// Sends an order and waits for the whole answer.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn post(&self, order: &domain::NewOrder) -> Result<(), String> {
        let call = super::rest::Call {
            method: hyper::Method::POST,
            path: "/api/v3/order",
            session_method: "order.place",
            params: params::order(order),
            access: super::rest::Access::Signed,
            cost: crate::Cost { weight: 1, orders: 1 },
            lane: crate::Lane::Order,
            patient: false,
            last: None,
        };
        self.rest.call(call).await.map(drop).map_err(|failure| failure.why())
    }
}
