//! From the parameters of an order to the signed bytes of its request.

use std::hint::black_box;

use ring::hmac;
use venue::binance::Credentials;
use venue::binance::scan::sign_order;

use super::{KEY, SIGNED_AT_MS, order, push_hex};
use crate::Error;
use crate::cpu::least_ns;
use crate::row::{Benchmark, Bound, Figures, Row, Target};

/// The parameters as text.
const TEXTS: [(&str, &str); 8] = [
    ("symbol", "BTCUSDT"),
    ("side", "BUY"),
    ("type", "LIMIT"),
    ("timeInForce", "GTC"),
    ("quantity", "0.015"),
    ("price", "91234.1"),
    ("newClientOrderId", "a1-7f3c2b9e"),
    ("newOrderRespType", "FULL"),
];

/// The rows.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let (order, credentials) = (order()?, Credentials::hmac(KEY, KEY)?);
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let (mut by_hand, mut ours) = (Vec::with_capacity(512), Vec::with_capacity(512));
    let rows = vec![
        Row {
            name: "floor",
            what: "parameters that are text already, joined, HMAC-SHA256, hexadecimal; by hand",
            measure: Box::new(move || {
                let cost = least_ns(|| {
                    sign_by_hand(black_box(&TEXTS), &key, &mut by_hand);
                    black_box(&by_hand);
                });
                Ok(Figures::from([("signed_ns", cost)]))
            }),
        },
        Row {
            name: "order_bytes",
            what: "a typed order to the signed body of its request, as the venue adapter makes it",
            measure: Box::new(move || {
                sign_order(&order, SIGNED_AT_MS, &credentials, &mut ours)?;
                let cost = least_ns(|| {
                    let order = black_box(&order);
                    drop(black_box(sign_order(order, SIGNED_AT_MS, &credentials, &mut ours)));
                });
                Ok(Figures::from([("signed_ns", cost)]))
            }),
        },
    ];
    let targets =
        vec![Target { row: "order_bytes", figure: "signed_ns", bound: Bound::AtMost(400.0) }];
    Ok(Benchmark { name: "signing", rows, targets })
}

/// The body of a request, signed.
fn sign_by_hand(params: &[(&str, &str)], key: &hmac::Key, out: &mut Vec<u8>) {
    out.clear();
    for (name, value) in params {
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
        out.push(b'&');
    }
    out.extend_from_slice(b"recvWindow=5000&timestamp=");
    push_number(SIGNED_AT_MS.unsigned_abs(), out);
    let tag = hmac::sign(key, out);
    out.extend_from_slice(b"&signature=");
    push_hex(tag.as_ref(), out);
}

fn push_number(mut number: u64, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        out.push(b'0' + u8::try_from(number % 10).unwrap_or_default());
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_and_the_adapter_sign_the_same_bytes() {
        let credentials = Credentials::hmac(KEY, KEY).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
        let (mut by_hand, mut ours) = (Vec::new(), Vec::new());
        sign_by_hand(&TEXTS, &key, &mut by_hand);
        sign_order(&order().unwrap(), SIGNED_AT_MS, &credentials, &mut ours).unwrap();
        let pairs = |body: &[u8]| {
            let text = String::from_utf8(body.to_vec()).unwrap();
            let (query, _signature) = text.rsplit_once("&signature=").unwrap();
            let mut pairs: Vec<String> = query.split('&').map(str::to_owned).collect();
            pairs.sort_unstable();
            pairs
        };
        assert_eq!(pairs(&by_hand), pairs(&ours));
    }
}
