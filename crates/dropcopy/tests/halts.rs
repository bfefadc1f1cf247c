//! At a real paper venue and on a real journal: equal is silent, apart is halted.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failure of the test")]

use std::sync::Arc;
use std::time::Duration;

use domain::{Amount, Clock, ManualClock, Timestamp};
use dropcopy::{DropCopy, Settings};
use journal::{Deposit, Journal};
use paper_venue::{
    AccountOptions, Credentials, Limits, MarketOptions, Options, PaperVenue, Running,
};
use risk::Halt;
use tempfile::TempDir;
use testkit::WallClock;
use venue::binance::{BinanceVenue, Config, Credentials as Key};
use venue::{LocalBudget, Venue, View};

const KEY: &str = "dropcopykey0000000000";
const SECRET: &str = "dropcopysecret00000000";
const GRACE: Duration = Duration::from_secs(2);

struct World {
    paper: Running,
    venue: Arc<dyn Venue>,
    journal: Journal,
    clock: Arc<ManualClock>,
    copy: DropCopy,
    _dir: TempDir,
}

async fn world() -> World {
    let account = AccountOptions {
        credentials: Credentials { api_key: KEY.to_owned(), secret: SECRET.to_owned() },
        balances: vec![("USDT".to_owned(), "1000".to_owned())],
    };
    let market = MarketOptions::Sim { seed: 3, symbols: Vec::new() };
    let limits = Limits::unlimited();
    let options = Options { accounts: vec![account], limits, ..Options::new(market) };
    let paper = PaperVenue::start(options).await.unwrap();
    let config = Config {
        symbols: vec!["BTCUSDT".parse().unwrap()],
        ..Config::at(&format!("http://{}", paper.address), Key::hmac(KEY, SECRET).unwrap())
    };
    let budget = Arc::new(LocalBudget::default());
    let venue = BinanceVenue::connect(config, Arc::new(WallClock), budget).await.unwrap();
    let venue: Arc<dyn Venue> = Arc::new(venue);
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("journal.db");
    let journal = Journal::open(&format!("sqlite:{}", path.display())).await.unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(0)));
    journal.init_halt_running("ann", clock.now()).await.unwrap();
    journal.advance_cursor("paper", &"BTCUSDT".parse().unwrap(), 0).await.unwrap();
    deposit(&journal, "first", "1000").await;
    let settings = Settings {
        account: "paper".to_owned(),
        instruments: venue.instruments(),
        every: Duration::from_secs(1),
        grace: GRACE,
    };
    let (view, time) = (View::new(Arc::clone(&venue)), Arc::clone(&clock) as Arc<dyn Clock>);
    let copy = DropCopy::new(view, journal.clone(), time, settings);
    World { paper, venue, journal, clock, copy, _dir: dir }
}

async fn deposit(journal: &Journal, id: &str, amount: &str) {
    let deposit = Deposit {
        deposit_id: id.to_owned(),
        account: "paper".to_owned(),
        asset: "USDT".parse().unwrap(),
        amount: amount.parse::<Amount>().unwrap(),
        at: Timestamp::from_unix_millis(0),
    };
    assert!(journal.record_deposit(&deposit).await.unwrap());
}

async fn reason(journal: &Journal) -> Option<String> {
    match journal.read_halt().await {
        Halt::Halted { reason, by, .. } => {
            assert_eq!(by, "dropcopy");
            Some(reason)
        }
        Halt::Running { .. } => None,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_stays_equal_never_halts() {
    let mut world = world().await;
    for _ in 0..5 {
        world.copy.look().await;
        world.clock.advance(GRACE);
    }
    let seen = world.copy.seen().borrow().clone();
    assert_eq!((seen.looks, seen.blind, seen.differences.len()), (5, None, 0));
    assert_eq!(reason(&world.journal).await, None);
    world.paper.stop().await;
}

#[tokio::test]
async fn money_that_is_on_record_only_halts_after_the_grace_and_not_before() {
    let mut world = world().await;
    deposit(&world.journal, "invented", "0.00000001").await;
    world.copy.look().await;
    assert_eq!(reason(&world.journal).await, None, "it may be news on their way");
    world.clock.advance(GRACE);
    world.copy.look().await;
    let expected = "paper differs from its venue: there are 1000 USDT at the venue and \
                    1000.00000001 on record";
    assert_eq!(reason(&world.journal).await.as_deref(), Some(expected));
    // A person looks, mends it and resumes; it does not halt for what is over.
    deposit(&world.journal, "mended", "-0.00000001").await;
    world.journal.resume("ann", world.clock.now()).await.unwrap();
    world.clock.advance(GRACE);
    world.copy.look().await;
    assert_eq!(reason(&world.journal).await, None);
    world.paper.stop().await;
}

#[tokio::test]
async fn a_venue_that_does_not_answer_is_told_and_is_no_difference() {
    let mut world = world().await;
    let symbols = world.venue.instruments().len();
    assert!(symbols > 0);
    world.copy.look().await;
    world.paper.stop().await;
    world.clock.advance(GRACE);
    world.copy.look().await;
    let seen = world.copy.seen().borrow().clone();
    assert!(seen.blind.unwrap().starts_with("the venue: "), "it says why it sees nothing");
    assert_eq!(reason(&world.journal).await, None);
}
