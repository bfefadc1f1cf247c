//! Decides whether a client asks too much: request weight, raw requests and connections per
//! address, orders per account.
//!
//! Windows are aligned to the calendar: a one-minute window starts at second zero, a day at 00:00
//! UTC. Whoever goes on after being told to stop is banned, for two minutes at first and longer
//! each time, up to three days.
//!
//! # Invariants
//!
//! * At most [`ADDRESSES_MAX`] addresses are remembered; the oldest make room.

use std::collections::BTreeMap;
use std::net::IpAddr;

use domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::protocol::{ApiError, Array, Object};

/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 10_000;
/// Refused requests after which an address is banned.
const REFUSED_MAX: u32 = 10;
/// The first ban, in milliseconds; each further one is twice as long.
const BAN_MILLIS: i64 = 120_000;
/// The longest ban, in milliseconds.
const BAN_MILLIS_MAX: i64 = 3 * 86_400_000;

const TEN_SECONDS: i64 = 10_000;
const MINUTE: i64 = 60_000;
const FIVE_MINUTES: i64 = 300_000;
const DAY: i64 = 86_400_000;

/// How much one client may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Request weight per address and minute.
    pub request_weight_1m: u32,
    /// Unfilled orders per account and ten seconds.
    pub orders_10s: u32,
    /// Unfilled orders per account and day.
    pub orders_1d: u32,
    /// Requests per address and five minutes.
    pub raw_requests_5m: u32,
    /// Stream connections per address and five minutes.
    pub connections_5m: u32,
    /// Messages per second that a stream connection may send.
    pub messages_per_second: u32,
    /// Streams per connection.
    pub streams_per_connection: u32,
}

/// What each address and account has used of its limits.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    addresses: BTreeMap<IpAddr, Address>,
    accounts: BTreeMap<u32, Orders>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Address {
    weight: Window,
    raw: Window,
    connections: Window,
    refused: u32,
    banned_until: i64,
    bans: u32,
}

#[derive(Debug, Default, Clone, Copy)]
struct Orders {
    ten_seconds: Window,
    day: Window,
}

/// A count in the present window.
#[derive(Debug, Default, Clone, Copy)]
struct Window {
    start: i64,
    count: u32,
}

/// What an answer says about the limits.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) weight_1m: u32,
    /// Orders of ten seconds and of the day, when the request was one of an account's orders.
    pub(crate) orders: Option<(u32, u32)>,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_weight_1m: 6_000,
            orders_10s: 100,
            orders_1d: 200_000,
            raw_requests_5m: 300_000,
            connections_5m: 300,
            messages_per_second: 5,
            streams_per_connection: 1_024,
        }
    }
}

impl Limits {
    /// Limits that a test or a load measurement never meets.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self {
            request_weight_1m: u32::MAX,
            orders_10s: u32::MAX,
            orders_1d: u32::MAX,
            raw_requests_5m: u32::MAX,
            connections_5m: u32::MAX,
            messages_per_second: u32::MAX,
            streams_per_connection: 1_024,
        }
    }

    /// The JSON of `exchangeInfo.rateLimits`.
    pub(crate) fn json(&self) -> String {
        Array::of([
            rule("REQUEST_WEIGHT", "MINUTE", 1, self.request_weight_1m).end(),
            rule("ORDERS", "SECOND", 10, self.orders_10s).end(),
            rule("ORDERS", "DAY", 1, self.orders_1d).end(),
            rule("RAW_REQUESTS", "MINUTE", 5, self.raw_requests_5m).end(),
        ])
    }
}

fn rule(kind: &str, interval: &str, count: u32, limit: u32) -> Object {
    Object::new()
        .str("rateLimitType", kind)
        .str("interval", interval)
        .int("intervalNum", count)
        .int("limit", limit)
}

// === impl Window ===

impl Window {
    fn at(&mut self, now: i64, length: i64) -> &mut u32 {
        let start = now.saturating_sub(now.rem_euclid(length));
        if start != self.start {
            *self = Self { start, count: 0 };
        }
        &mut self.count
    }

    fn add(&mut self, now: i64, length: i64, count: u32) -> u32 {
        let total = self.at(now, length);
        *total = total.saturating_add(count);
        *total
    }
}

/// Seconds until the window that contains `now` ends, at least one.
fn seconds_left(now: i64, length: i64) -> u64 {
    let left = length.saturating_sub(now.rem_euclid(length));
    u64::try_from(left.saturating_add(999) / 1_000).unwrap_or(1).max(1)
}

fn too_much(now: i64, length: i64, message: String) -> ApiError {
    let mut error = ApiError::new(-1003, message).with_status(429);
    error.retry_after = Some(seconds_left(now, length));
    error
}

// === impl Usage ===

impl Usage {
    fn address(&mut self, address: IpAddr) -> &mut Address {
        if self.addresses.len() >= ADDRESSES_MAX && !self.addresses.contains_key(&address) {
            let oldest = self.addresses.iter().min_by_key(|(_, used)| used.raw.start);
            let oldest = oldest.map(|(address, _)| *address);
            if let Some(oldest) = oldest {
                self.addresses.remove(&oldest);
            }
        }
        self.addresses.entry(address).or_default()
    }

    /// Counts a request of this weight; refuses it when that is too much.
    pub(crate) fn request(
        &mut self,
        limits: &Limits,
        now: Timestamp,
        address: IpAddr,
        weight: u32,
    ) -> Result<u32, ApiError> {
        let now = now.unix_millis();
        let used = self.address(address);
        if now < used.banned_until {
            return Err(banned(now, used.banned_until));
        }
        let raw = used.raw.add(now, FIVE_MINUTES, 1);
        let total = used.weight.add(now, MINUTE, weight);
        let error = if raw > limits.raw_requests_5m {
            too_much(
                now,
                FIVE_MINUTES,
                format!(
                    "Too many requests; current limit is {} requests per 5 MINUTE. Please use the websocket for live updates to avoid polling the API.",
                    limits.raw_requests_5m
                ),
            )
        } else if total > limits.request_weight_1m {
            too_much(
                now,
                MINUTE,
                format!(
                    "Too much request weight used; current limit is {} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
                    limits.request_weight_1m
                ),
            )
        } else {
            used.refused = 0;
            return Ok(total);
        };
        used.refused = used.refused.saturating_add(1);
        if used.refused > REFUSED_MAX {
            used.refused = 0;
            let length = BAN_MILLIS.saturating_mul(1_i64 << used.bans.min(20)).min(BAN_MILLIS_MAX);
            used.bans = used.bans.saturating_add(1);
            used.banned_until = now.saturating_add(length);
            return Err(banned(now, used.banned_until));
        }
        Err(error)
    }

    /// Gives weight back: successful orders and cancellations cost none.
    pub(crate) fn refund(&mut self, now: Timestamp, address: IpAddr, weight: u32) {
        let count = self.address(address).weight.at(now.unix_millis(), MINUTE);
        *count = count.saturating_sub(weight);
    }

    /// Weight that the address has used in this minute.
    pub(crate) fn weight(&mut self, now: Timestamp, address: IpAddr) -> u32 {
        *self.address(address).weight.at(now.unix_millis(), MINUTE)
    }

    /// Counts a connection to the streams.
    pub(crate) fn connection(
        &mut self,
        limits: &Limits,
        now: Timestamp,
        address: IpAddr,
    ) -> Result<(), ApiError> {
        let now = now.unix_millis();
        let count = self.address(address).connections.add(now, FIVE_MINUTES, 1);
        if count > limits.connections_5m {
            let limit = limits.connections_5m;
            let message = format!("Too many connections; current limit is {limit} per 5 MINUTE.");
            return Err(too_much(now, FIVE_MINUTES, message));
        }
        Ok(())
    }

    /// Counts new orders of an account; refuses them when that is too many.
    pub(crate) fn orders(
        &mut self,
        limits: &Limits,
        now: Timestamp,
        account: u32,
        count: u32,
    ) -> Result<(), ApiError> {
        let now = now.unix_millis();
        let used = self.accounts.entry(account).or_default();
        let ten_seconds = used.ten_seconds.at(now, TEN_SECONDS).saturating_add(count);
        let day = used.day.at(now, DAY).saturating_add(count);
        let (limit, words, length) = if ten_seconds > limits.orders_10s {
            (limits.orders_10s, "10 SECOND", TEN_SECONDS)
        } else if day > limits.orders_1d {
            (limits.orders_1d, "1 DAY", DAY)
        } else {
            used.ten_seconds.add(now, TEN_SECONDS, count);
            used.day.add(now, DAY, count);
            return Ok(());
        };
        let message = format!("Too many new orders; current limit is {limit} orders per {words}.");
        let mut error = ApiError::new(-1015, message).with_status(429);
        error.retry_after = Some(seconds_left(now, length));
        Err(error)
    }

    /// A fill of an order that was unfilled until now takes one from the counts.
    pub(crate) fn first_fill(&mut self, now: Timestamp, account: u32) {
        let now = now.unix_millis();
        let used = self.accounts.entry(account).or_default();
        for count in [used.ten_seconds.at(now, TEN_SECONDS), used.day.at(now, DAY)] {
            *count = count.saturating_sub(1);
        }
    }

    /// Unfilled orders of ten seconds and of the day.
    pub(crate) fn order_counts(&mut self, now: Timestamp, account: u32) -> (u32, u32) {
        let now = now.unix_millis();
        let used = self.accounts.entry(account).or_default();
        (*used.ten_seconds.at(now, TEN_SECONDS), *used.day.at(now, DAY))
    }

    /// Bans an address for so many milliseconds.
    pub(crate) fn ban(&mut self, now: Timestamp, address: IpAddr, millis: i64) -> ApiError {
        let now = now.unix_millis();
        let used = self.address(address);
        used.banned_until = now.saturating_add(millis);
        banned(now, used.banned_until)
    }
}

fn banned(now: i64, until: i64) -> ApiError {
    let mut error = ApiError::new(-1003, format!(
        "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live updates to avoid bans."
    ))
    .with_status(418);
    let left = until.saturating_sub(now).saturating_add(999) / 1_000;
    error.retry_after = Some(u64::try_from(left).unwrap_or(1).max(1));
    error
}

// === impl Used ===

impl Used {
    /// The array `rateLimits` of an answer over a socket.
    pub(crate) fn json(&self, limits: &Limits) -> String {
        let weight = rule("REQUEST_WEIGHT", "MINUTE", 1, limits.request_weight_1m);
        let mut array = Array::new();
        if let Some((ten_seconds, day)) = self.orders {
            array.raw(
                &rule("ORDERS", "SECOND", 10, limits.orders_10s).int("count", ten_seconds).end(),
            );
            array.raw(&rule("ORDERS", "DAY", 1, limits.orders_1d).int("count", day).end());
        }
        array.raw(&weight.int("count", self.weight_1m).end());
        array.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn at(millis: i64) -> Timestamp {
        // 2023-11-14 22:13:20 UTC.
        Timestamp::from_unix_millis(1_700_000_000_000 + millis)
    }

    fn small() -> Limits {
        Limits { request_weight_1m: 10, orders_10s: 2, orders_1d: 3, ..Limits::default() }
    }

    #[test]
    fn weight_is_counted_by_the_calendar_minute() {
        let (limits, mut usage) = (small(), Usage::default());
        assert_eq!(usage.request(&limits, at(0), HERE, 6), Ok(6));
        let error = usage.request(&limits, at(0), HERE, 6).unwrap_err();
        assert_eq!((error.status, error.code, error.retry_after), (429, -1003, Some(40)));
        assert!(error.message.contains("current limit is 10 request weight per 1 MINUTE"));
        // Second zero of the next minute starts anew.
        assert_eq!(usage.request(&limits, at(39_999), HERE, 1).unwrap_err().retry_after, Some(1));
        assert_eq!(usage.request(&limits, at(40_000), HERE, 6), Ok(6));
    }

    #[test]
    fn going_on_after_429_is_answered_with_418_and_each_ban_is_longer() {
        let (limits, mut usage) = (small(), Usage::default());
        let knock = |usage: &mut Usage, millis| {
            let mut last = 0;
            for _ in 0..=REFUSED_MAX {
                last = usage.request(&limits, at(millis), HERE, 11).unwrap_err().status;
            }
            last
        };
        assert_eq!(knock(&mut usage, 0), 418);
        let error = usage.request(&limits, at(1_000), HERE, 1).unwrap_err();
        assert_eq!((error.status, error.retry_after), (418, Some(119)));
        assert!(error.message.contains("IP banned until 1700000120000"), "{}", error.message);
        assert_eq!(usage.request(&limits, at(120_000), HERE, 1), Ok(1));
        assert_eq!(knock(&mut usage, 120_000), 418);
        assert_eq!(
            usage.request(&limits, at(120_000), HERE, 1).unwrap_err().retry_after,
            Some(240)
        );
    }

    #[test]
    fn orders_are_counted_per_account_and_a_fill_gives_one_back() {
        let (limits, mut usage) = (small(), Usage::default());
        assert_eq!(usage.orders(&limits, at(0), 1, 2), Ok(()));
        let error = usage.orders(&limits, at(0), 1, 1).unwrap_err();
        assert_eq!((error.status, error.code), (429, -1015));
        assert_eq!(error.message, "Too many new orders; current limit is 2 orders per 10 SECOND.");
        assert_eq!(usage.orders(&limits, at(0), 2, 1), Ok(()), "another account");
        usage.first_fill(at(0), 1);
        assert_eq!(usage.orders(&limits, at(0), 1, 1), Ok(()));
        assert_eq!(usage.order_counts(at(10_000), 1), (0, 2));
        assert_eq!(usage.orders(&limits, at(10_000), 1, 1), Ok(()));
        let error = usage.orders(&limits, at(20_000), 1, 1).unwrap_err();
        assert!(error.message.ends_with("3 orders per 1 DAY."));
    }

    #[test]
    fn what_is_given_back_can_be_used_again() {
        let (limits, mut usage) = (small(), Usage::default());
        assert_eq!(usage.request(&limits, at(0), HERE, 10), Ok(10));
        usage.refund(at(0), HERE, 1);
        assert_eq!(usage.request(&limits, at(0), HERE, 1), Ok(10));
        assert_eq!(usage.weight(at(0), HERE), 10);
    }
}
