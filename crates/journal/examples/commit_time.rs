//! Measures how long it takes to make an intent durable: `commit_time ADDRESS [INTENTS]`.
//!
//! Prints the time of one intent at the median, the 99th percentile and the maximum. The journal at
//! the address should be new; the orders stay in it.

use std::error::Error;
use std::io::Write;

use domain::{NewOrder, OrderKind, Side, TimeInForce, Timestamp};
use journal::{Journal, Sender};
use orders::Order;
use tokio::time::Instant;

fn intent(number: i64) -> Result<Order, Box<dyn Error>> {
    let kind = OrderKind::Limit {
        price: "61583.22".parse()?,
        time_in_force: TimeInForce::GoodTilCanceled,
        post_only: false,
    };
    let request = NewOrder {
        client_order_id: format!("b4-{number}").parse()?,
        symbol: "BTCUSDT".parse()?,
        side: Side::Buy,
        quantity: "0.015".parse()?,
        kind,
    };
    Ok(Order::new(request, format!("cmd-{number}").parse()?, Timestamp::from_unix_nanos(number)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("usage: commit_time ADDRESS [INTENTS]")?;
    let intents: i64 = arguments.next().as_deref().unwrap_or("2000").parse()?;
    let journal = Journal::open(&address).await?;
    journal.init_halt_running("commit_time", Timestamp::from_unix_nanos(0)).await?;
    let sender = Sender { account: "commit_time", fence: 0 };
    let mut micros = Vec::new();
    for number in 0..intents {
        let order = intent(number)?;
        let start = Instant::now();
        journal.record_intents(sender, std::slice::from_ref(&order)).await?;
        micros.push(start.elapsed().as_micros());
    }
    journal.close().await;
    micros.sort_unstable();
    let at = |percent: usize| micros.get((micros.len() * percent / 100).min(micros.len() - 1));
    let (median, tail, most) = (at(50), at(99), at(100));
    let line = format!("{intents} intents, µs each: p50 {median:?} p99 {tail:?} max {most:?}");
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
