//! The same seed twice: the same bytes in the venue's ledger and in the journal of orders.
//!
//! The venue runs by a clock that stands until it is moved by hand, and one client sends one request
//! at a time, so that nothing is left to the machine. What the ledger tells of orders goes through
//! the state machine of `orders` into a journal on SQLite, which is then read back. Covered are the
//! simulated market, the matching, the venue's core with its faults, the order states and the
//! journal. Not covered is the agent with its tasks and sockets: the order in which the machine
//! wakes them is not decided by a seed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::{
    Amount, ClientOrderId, Fill, Liquidity, ManualClock, NewOrder, OrderId, OrderKind, Side,
    TimeInForce, Timestamp,
};
use journal::{Intent, Journal, Sender};
use orders::{Order, OrderEvent};
use paper_venue::{Credentials, FaultKind, FaultSpec, Limits, MarketOptions, Options, PaperVenue};
use serde_json::Value;
use tempfile::TempDir;

use crate::audit::{ACCOUNT, Record};
use crate::draws::Draws;
use crate::house::{KEY, MONEY, SECRET};
use crate::orders::{SYMBOLS, cents, quantity};
use crate::person::Person;
use crate::{Breaches, Error, Tally};

/// What `--only` knows it by.
pub const NAME: &str = "repeated";

/// Requests of a run.
const REQUESTS: u64 = 120;

/// 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;

/// Faults that end a request at once: by a clock that stands nothing else would end.
const FAULTS: [FaultKind; 6] = [
    FaultKind::TimeoutAfter,
    FaultKind::TimeoutBefore,
    FaultKind::LostAck,
    FaultKind::GatewayAfter,
    FaultKind::Busy,
    FaultKind::FillBeforeCancel,
];

/// What a run leaves.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    ledger: String,
    journal: String,
    orders: usize,
    trades: usize,
    faults: u64,
}

/// Runs `seeds` seeds from `first` on, each twice.
///
/// # Errors
/// When something that is not on trial fails.
pub async fn run(first: u64, seeds: u64) -> Result<Tally, Error> {
    let mut tally = Tally::new(NAME, "pairs of runs");
    for seed in first..first.saturating_add(seeds) {
        let (one, other) = (trace(seed).await?, trace(seed).await?);
        let mut found = Breaches::default();
        for (what, one, other) in
            [("ledger", &one.ledger, &other.ledger), ("journal", &one.journal, &other.journal)]
        {
            if one != other {
                let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
                found.other.push(format!("the {what}s differ from byte {same} on"));
            }
        }
        tally.seeds += 1;
        tally.events += 1;
        tally.orders += one.orders;
        tally.trades += one.trades;
        tally.faults += one.faults;
        tally.breach(seed, found);
    }
    Ok(tally)
}

async fn trace(seed: u64) -> Result<Trace, Error> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(START_MS)));
    let market = MarketOptions::Sim { seed, symbols: Vec::new() };
    let options = Options { limits: Limits::unlimited(), ..Options::new(market) };
    let venue = PaperVenue::start_at(options, Arc::clone(&clock)).await?;
    let key = Credentials { api_key: KEY.to_owned(), secret: SECRET.to_owned() };
    let account = venue.admin.open_account_with(key, &MONEY).await?.id;
    for (number, kind) in (0..).zip(FAULTS) {
        let rate = Some(0.05);
        let spec = FaultSpec { once: false, rate, seed: seed + number, ..FaultSpec::once(kind) };
        venue.admin.add_fault(spec).await?;
    }
    let person = Person::by(clock, venue.address, KEY, SECRET);
    let mut draws = Draws::new(seed, 0);
    let mut open = Vec::new();
    for number in 0..REQUESTS {
        venue.admin.advance(Duration::from_millis(20 + draws.below(200))).await?;
        let at = usize::try_from(draws.below(3)).unwrap_or_default();
        let (Some(symbol), Some(size)) = (SYMBOLS.get(at), [40, 100, 200].get(at)) else {
            continue;
        };
        let side = if draws.below(2) == 0 { "BUY" } else { "SELL" };
        let base = format!(
            "symbol={symbol}&side={side}&quantity={}&newClientOrderId=rep-{number}",
            quantity(at, *size)
        );
        let near = [6_000_000, 260_000, 15_000].get(at).copied().unwrap_or_default();
        let price = cents(near - near / 500 + draws.below(near / 250));
        match draws.below(10) {
            0..3 => drop(person.place(&format!("{base}&type=MARKET")).await),
            3..8 => {
                let waits = if draws.below(3) == 0 { "IOC" } else { "GTC" };
                let params = format!("{base}&type=LIMIT&timeInForce={waits}&price={price}");
                if let Ok(number) = person.place(&params).await {
                    open.push((*symbol, number));
                }
            }
            _ => {
                if let Some((symbol, number)) = open.pop() {
                    // A refusal is a part of the trace, too.
                    drop(person.cancel(symbol, number).await);
                }
            }
        }
    }
    let ledger = venue.admin.ledger(0).await?;
    venue.stop().await;
    let truth = crate::truth::Truth::read(&ledger, account)?;
    let journal = journalled(&ledger, account).await?;
    let (orders, trades, faults) = (truth.orders.len(), truth.trades(), truth.struck());
    Ok(Trace { ledger, journal, orders, trades, faults })
}

/// Writes what the ledger tells of orders into a journal, and reads all of it back.
async fn journalled(ledger: &str, account: u32) -> Result<String, Error> {
    let dir = TempDir::new()?;
    let mut scribe = Scribe::open(dir.path()).await?;
    let ledger: Value = serde_json::from_str(ledger)?;
    for entry in ledger["entries"].as_array().into_iter().flatten() {
        if entry["entry"] == "order" && entry["account"] == account {
            scribe.write(entry).await?;
        }
    }
    let record = Record::read(&scribe.journal).await?;
    let mut out = String::new();
    for order in &record.orders {
        writeln!(out, "{order:?}")?;
    }
    scribe.journal.close().await;
    Ok(out)
}

/// Writes orders down as the ledger tells of them.
struct Scribe {
    journal: Journal,
    fence: i64,
    orders: BTreeMap<String, Order>,
}

// === impl Scribe ===

impl Scribe {
    async fn open(dir: &Path) -> Result<Self, Error> {
        let start = Timestamp::from_unix_millis(START_MS);
        let address = format!("sqlite:{}", dir.join("journal.db").display());
        let journal = Journal::open(&address).await?;
        journal.init_halt_running("chaos", start).await?;
        let fence = journal.claim(ACCOUNT, "chaos", 1, start).await?;
        Ok(Self { journal, fence, orders: BTreeMap::new() })
    }

    async fn write(&mut self, entry: &Value) -> Result<(), Error> {
        let told = Told::of(entry)?;
        let name = told.request.client_order_id.to_string();
        if !self.orders.contains_key(&name) {
            let mut order = Order::new(told.request.clone(), name.parse()?, told.at);
            order.apply(&OrderEvent::Sent, told.at)?;
            let sender = Sender { account: ACCOUNT, fence: self.fence };
            let intent = self.journal.record_intents(sender, &[order.clone()]).await?;
            if !matches!(intent, Intent::Recorded { .. }) {
                return Err(format!("{name} is not recorded: {intent:?}").into());
            }
            self.orders.insert(name.clone(), order);
        }
        let Some(order) = self.orders.get_mut(&name) else { return Ok(()) };
        for event in told.events() {
            if order.apply(&event, told.at)? == orders::Applied::Changed {
                self.journal.append(&event, told.at, order).await?;
            }
        }
        Ok(())
    }
}

/// An entry of the ledger in the words of the house.
struct Told {
    request: NewOrder,
    number: OrderId,
    status: String,
    executed: Amount,
    fill: Option<Fill>,
    at: Timestamp,
}

// === impl Told ===

impl Told {
    fn of(entry: &Value) -> Result<Self, Error> {
        let text = |key: &str| entry[key].as_str().ok_or_else(|| format!("{entry} has no {key}"));
        let count = |of: &Value| of.as_u64().ok_or_else(|| format!("{entry} lacks a number"));
        let symbol = text("symbol")?;
        let market = SYMBOLS.iter().position(|known| *known == symbol).unwrap_or_default();
        let name: ClientOrderId = text("client_id")?.parse()?;
        let side = if text("side")? == "BUY" { Side::Buy } else { Side::Sell };
        let kind = if text("kind")? == "MARKET" {
            OrderKind::Market
        } else {
            let is_ioc = text("time_in_force")? == "IOC";
            let waits =
                if is_ioc { TimeInForce::ImmediateOrCancel } else { TimeInForce::GoodTilCanceled };
            let price = cents(count(&entry["ticks"])?).parse()?;
            OrderKind::Limit { price, time_in_force: waits, post_only: false }
        };
        let at = Timestamp::from_unix_nanos(entry["at"].as_i64().unwrap_or_default());
        let request = NewOrder {
            client_order_id: name.clone(),
            symbol: symbol.parse()?,
            side,
            quantity: quantity(market, count(&entry["lots"])?).parse()?,
            kind,
        };
        let fill = match &entry["fill"] {
            Value::Null => None,
            fill => Some(Fill {
                trade_id: count(&fill["trade_id"])?,
                client_order_id: name,
                symbol: symbol.parse()?,
                side,
                price: cents(count(&fill["ticks"])?).parse()?,
                quantity: quantity(market, count(&fill["lots"])?).parse()?,
                fee: money(&fill["commission_atoms"])?,
                fee_asset: fill["commission_asset"].as_str().unwrap_or_default().parse()?,
                liquidity: if fill["is_maker"] == true {
                    Liquidity::Maker
                } else {
                    Liquidity::Taker
                },
                at,
            }),
        };
        Ok(Self {
            request,
            number: OrderId(count(&entry["order_id"])?),
            status: text("status")?.to_owned(),
            executed: quantity(market, count(&entry["executed_lots"])?).parse()?,
            fill,
            at,
        })
    }

    /// What it says, in the order in which it is believed.
    fn events(&self) -> Vec<OrderEvent> {
        let mut events = vec![OrderEvent::Acknowledged { order_id: self.number }];
        events.extend(self.fill.clone().map(OrderEvent::Filled));
        match self.status.as_str() {
            "CANCELED" => events.push(OrderEvent::Canceled { executed: self.executed }),
            "EXPIRED" => events.push(OrderEvent::Expired { executed: self.executed }),
            _ => {}
        }
        events
    }
}

/// A count of atoms as an amount.
fn money(atoms: &Value) -> Result<Amount, Error> {
    let atoms: u64 = atoms.as_str().unwrap_or_default().parse()?;
    let one = 1_000_000_000_000;
    Ok(format!("{}.{:012}", atoms / one, atoms % one).parse()?)
}
