//! What the tests of the paper venue share: approved orders, small recordings, a running venue.

#![expect(dead_code, reason = "each test binary uses its own part")]
#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::{
    Amount, Asset, BookSnapshot, Instrument, ManualClock, NewOrder, OrderKind, Price, Quantity,
    Side, Symbol, TimeInForce, Timestamp,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use risk::{Approved, Context, Exposure, Halt, Limits};
use tempfile::TempDir;
use tokio::task::JoinSet;
use venue::market::Market;
use venue::market::replay::{Recording, ReplayMarket};
use venue::market::sim::{SimConfig, SimMarket};
use venue::paper::{Opening, Pace, PaperConfig, PaperVenue};
use venue::{AssetBalance, Venue};

pub(crate) const START: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

/// A venue with everything that must live as long as it.
pub(crate) struct Running {
    pub(crate) venue: PaperVenue,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) tasks: JoinSet<()>,
    pub(crate) files: Option<TempDir>,
}

/// Starts a venue over a market with this account.
pub(crate) fn start(market: Box<dyn Market>, opening: Opening, pace: Pace) -> Running {
    let clock = Arc::new(ManualClock::new(START));
    let config = PaperConfig { name: "paper".to_owned(), pace, opening };
    let (venue, task) = PaperVenue::open(config, market, clock.clone()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(task.run());
    Running { venue, clock, tasks, files: None }
}

pub(crate) fn deposit() -> Opening {
    let sums = [("USDT", "1000000"), ("BTC", "10"), ("ETH", "100")];
    let sums = sums.map(|(asset, sum)| (asset.parse().unwrap(), sum.parse().unwrap()));
    Opening::Deposit(sums.into())
}

pub(crate) fn sim(seed: u64) -> Box<dyn Market> {
    Box::new(SimMarket::try_new(&SimConfig::standard(seed, START)).unwrap())
}

pub(crate) fn btcusdt() -> Instrument {
    SimConfig::standard(1, START).instruments[0].instrument.clone()
}

pub(crate) fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

pub(crate) fn asset(name: &str) -> Asset {
    name.parse().unwrap()
}

pub(crate) fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

pub(crate) fn order(id: &str, side: Side, quantity: &str, kind: OrderKind) -> NewOrder {
    NewOrder {
        client_order_id: id.parse().unwrap(),
        symbol: symbol(),
        side,
        quantity: quantity.parse().unwrap(),
        kind,
    }
}

pub(crate) fn limit(id: &str, side: Side, quantity: &str, price: Price) -> NewOrder {
    order(id, side, quantity, timed(price, TimeInForce::GoodTilCanceled))
}

pub(crate) fn timed(price: Price, time_in_force: TimeInForce) -> OrderKind {
    OrderKind::Limit { price, time_in_force, post_only: false }
}

pub(crate) fn post_only(price: Price) -> OrderKind {
    OrderKind::Limit { price, time_in_force: TimeInForce::GoodTilCanceled, post_only: true }
}

/// Passes the order through the gate with limits that refuse nothing that these tests send.
pub(crate) fn approved(order: NewOrder) -> Approved<NewOrder> {
    let instrument = Instrument { symbol: order.symbol.clone(), ..btcusdt() };
    let price = match order.kind {
        OrderKind::Limit { price, .. } => price,
        OrderKind::Market => "1".parse().unwrap(),
    };
    let market = risk::Market::try_new(price, price, START).unwrap();
    let whole = "1".parse().unwrap();
    let limits = Limits {
        max_position_size: whole,
        max_portfolio_risk: whole,
        max_order_notional: amount("1000000000000000000"),
        ..Limits::default()
    };
    let huge = amount("100000000000000000");
    let context = Context {
        limits: &limits,
        halt: &Halt::Running { version: 1 },
        now: START,
        instrument: &instrument,
        market: Some(&market),
        equity: Some(amount("10000000000000000000")),
        day_loss: Some("0".parse::<Amount>().unwrap().decimal()),
        exposure: &Exposure { held: huge, ..Exposure::default() },
    };
    risk::check(order, &context).unwrap()
}

pub(crate) async fn book(venue: &PaperVenue) -> BookSnapshot {
    venue.book(symbol(), 50).await.unwrap()
}

pub(crate) async fn balance(venue: &PaperVenue, name: &str) -> AssetBalance {
    let wanted = asset(name);
    let balances = venue.balances().await.unwrap();
    balances.into_iter().find(|b| b.asset == wanted).unwrap_or(AssetBalance {
        asset: wanted,
        free: Amount::ZERO,
        locked: Amount::ZERO,
    })
}

pub(crate) fn price(text: &str) -> Price {
    text.parse().unwrap()
}

pub(crate) fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

/// The lines of a recording in the making; one a millisecond.
#[derive(Debug, Default, Clone)]
pub(crate) struct Lines {
    pub(crate) lines: Vec<String>,
    update_id: u64,
    trade_id: u64,
}

impl Lines {
    /// Bids at 60000.00 and each 1.00 below, asks at 60000.01 and each 1.00 above, 1.00000 each.
    pub(crate) fn snapshot() -> Self {
        let mut lines = Self { update_id: 100, ..Self::default() };
        let levels = |first: f64, step: f64| -> Vec<String> {
            (0..30)
                .map(|i| format!("[\"{:.8}\",\"1.00000000\"]", first + f64::from(i) * step))
                .collect()
        };
        let (bids, asks) = (levels(60_000.0, -1.0).join(","), levels(60_000.01, 1.0).join(","));
        lines.push(&format!("{{\"lastUpdateId\":100,\"bids\":[{bids}],\"asks\":[{asks}]}}"));
        lines
    }

    pub(crate) fn push(&mut self, json: &str) -> &mut Self {
        let nanos = 1_700_000_000_000_000_000_u64 + self.lines.len() as u64 * 1_000_000;
        self.lines.push(format!("{nanos} {json}"));
        self
    }

    fn pairs(levels: &[(&str, &str)]) -> String {
        let pairs: Vec<String> = levels.iter().map(|(p, q)| format!("[\"{p}\",\"{q}\"]")).collect();
        pairs.join(",")
    }

    pub(crate) fn diff(&mut self, bids: &[(&str, &str)], asks: &[(&str, &str)]) -> &mut Self {
        self.diff_skipping(0, bids, asks)
    }

    /// A diff after `skipped` updates that were lost.
    pub(crate) fn diff_skipping(
        &mut self,
        skipped: u64,
        bids: &[(&str, &str)],
        asks: &[(&str, &str)],
    ) -> &mut Self {
        let first = self.update_id + skipped + 1;
        let last = first + 2;
        self.update_id = last;
        let (bids, asks) = (Self::pairs(bids), Self::pairs(asks));
        self.push(&format!(
            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":{first},"u":{last},"b":[{bids}],"a":[{asks}]}}}}"#
        ))
    }

    pub(crate) fn trade(&mut self, price: &str, quantity: &str, taker: Side) -> &mut Self {
        self.trade_id += 1;
        let (id, maker) = (self.trade_id, taker == Side::Sell);
        self.push(&format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1,"s":"BTCUSDT","t":{id},"p":"{price}","q":"{quantity}","T":1,"m":{maker},"M":true}}}}"#
        ))
    }

    pub(crate) fn ticker(&mut self, bid: (&str, &str), ask: (&str, &str)) -> &mut Self {
        self.update_id += 1;
        let id = self.update_id;
        // The diff that follows will contain this update.
        self.update_id -= 1;
        self.push(&format!(
            r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{id},"s":"BTCUSDT","b":"{}","B":"{}","a":"{}","A":"{}"}}}}"#,
            bid.0, bid.1, ask.0, ask.1
        ))
    }

    /// Changes far from the touch, so that the recording goes on.
    pub(crate) fn quiet(&mut self, count: usize) -> &mut Self {
        for i in 0..count {
            let quantity = format!("{}.00000000", i % 7 + 1);
            self.diff(&[("50000.00000000", &quantity)], &[]);
        }
        self
    }

    pub(crate) fn write(&self, path: &Path) {
        let file = std::fs::File::create(path).unwrap();
        let mut gzip = GzEncoder::new(file, Compression::fast());
        for line in &self.lines {
            writeln!(gzip, "{line}").unwrap();
        }
        gzip.finish().unwrap();
    }

    /// The market of this recording and the folder that holds it.
    pub(crate) fn market(&self) -> (ReplayMarket, TempDir) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("btcusdt.gz");
        self.write(&path);
        (replay(vec![path]), folder)
    }
}

pub(crate) fn replay(files: Vec<PathBuf>) -> ReplayMarket {
    ReplayMarket::try_new(&[Recording { instrument: btcusdt(), files }]).unwrap()
}
