//! The way of an order, part by part, each against the least that this part can cost.

mod by_hand;
mod depth;
mod engine;
mod gate;
mod path;
mod post;
mod random;
mod server;
mod signing;
mod tap;

use crate::Make;

pub(crate) use gate::benchmark as gate;

/// The benchmarks, from the smallest part to the whole.
pub(crate) const ALL: [Make; 7] = [
    signing::benchmark,
    depth::benchmark,
    gate::benchmark,
    engine::benchmark,
    post::benchmark,
    server::benchmark,
    path::benchmark,
];

/// The order that is signed and sent where nothing is to be traded.
fn order() -> Result<domain::NewOrder, crate::Error> {
    Ok(domain::NewOrder {
        client_order_id: "a1-7f3c2b9e".parse()?,
        symbol: "BTCUSDT".parse()?,
        side: domain::Side::Buy,
        quantity: "0.015".parse()?,
        kind: domain::OrderKind::Limit {
            price: "91234.1".parse()?,
            time_in_force: domain::TimeInForce::GoodTilCanceled,
            post_only: false,
        },
    })
}

/// A key of the usual length that opens nothing.
const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";

/// The moment at which it is signed, in milliseconds.
const SIGNED_AT_MS: i64 = 1_763_600_000_456;

/// Appends bytes as lower-case hexadecimal digits.
fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}
