//! Time and the life of the task: paces, markets that stop, tasks that die, readers that are slow.

mod support;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, MarketEventKind, OrderKind, Side, Timestamp};
use support::*;
use venue::market::Feed;
use venue::paper::{Opening, Pace, PaperConfig, PaperError, PaperVenue};
use venue::{CancelError, ReadError, Received, SubmitError, Venue, VenueOrderStatus};

/// A clock that follows the runtime's timers, which a test can pause.
#[derive(Debug)]
struct RuntimeClock(tokio::time::Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        START.plus(self.0.elapsed())
    }
}

#[tokio::test]
async fn the_simulated_market_keeps_the_pace_of_the_clock() {
    let running = start(sim(7), deposit(), Pace::LIVE);
    running.clock.advance(Duration::from_secs(10));
    let status = running.venue.status().await;
    let elapsed = status.market_time.unwrap().since(START);
    assert!((9..=10).contains(&elapsed.as_secs()), "{elapsed:?}");
    for feed in &status.feeds {
        assert_eq!(feed.feed, Feed::Live);
        assert!(feed.age.unwrap() < Duration::from_secs(2), "{feed:?}");
    }
    let double = Pace::Clock { permille: NonZeroU32::new(2_000).unwrap() };
    let running = start(sim(7), deposit(), double);
    running.clock.advance(Duration::from_secs(10));
    let elapsed = running.venue.status().await.market_time.unwrap().since(START);
    assert!((19..=20).contains(&elapsed.as_secs()), "{elapsed:?}");
}

#[tokio::test]
async fn the_end_of_a_recording_closes_the_market_and_prices_grow_old() {
    let mut lines = Lines::snapshot();
    lines.quiet(100);
    let (market, _files) = lines.market();
    let running = start(Box::new(market), deposit(), Pace::LIVE);
    running.clock.advance(Duration::from_millis(50));
    let venue = &running.venue;
    venue.submit(approved(limit("a", Side::Buy, "0.1", price("50000")))).await.unwrap();
    running.clock.advance(Duration::from_secs(3_600));
    let status = venue.status().await;
    assert_eq!(status.feeds[0].feed, Feed::Ended);
    let last = START.plus(Duration::from_millis(100));
    assert_eq!(status.feeds[0].as_of, Some(last), "the arrival of the last event, not now");
    assert_eq!(book(venue).await.as_of, last);
    let refused = venue.submit(approved(order("b", Side::Buy, "0.1", OrderKind::Market))).await;
    let message = "Market is closed.".to_owned();
    assert_eq!(refused.unwrap_err(), SubmitError::Rejected { code: -2010, message });
    let canceled = venue.cancel(symbol(), "a".parse().unwrap()).await.unwrap();
    assert_eq!(canceled.status, VenueOrderStatus::Canceled, "a cancel works in a closed market");
    assert_eq!(venue.advance(1_000).await.unwrap(), 0, "nothing is left to happen");
}

#[tokio::test]
async fn a_gap_takes_the_book_away() {
    let mut lines = Lines::snapshot();
    lines.quiet(3).diff_skipping(5, &[], &[]).quiet(10);
    let (market, _files) = lines.market();
    let running = start(Box::new(market), deposit(), Pace::LIVE);
    running.clock.advance(Duration::from_millis(3));
    assert_eq!(book(&running.venue).await.bids.len(), 31);
    running.clock.advance(Duration::from_millis(3));
    match running.venue.book(symbol(), 5).await {
        Err(ReadError::Unavailable { why }) => assert!(why.contains("Gap"), "{why}"),
        result => panic!("{result:?}"),
    }
    let status = running.venue.status().await;
    assert_eq!(status.faults.gaps, 1);
    assert_eq!(status.feeds[0].as_of, Some(START.plus(Duration::from_millis(3))));
    let refused = running.venue.submit(approved(order("b", Side::Buy, "0.1", OrderKind::Market)));
    assert!(matches!(refused.await, Err(SubmitError::Rejected { code: -2010, .. })));
}

#[tokio::test]
async fn a_recorded_trade_through_our_price_fills_us_as_maker() {
    let mut lines = Lines::snapshot();
    lines.quiet(10).trade("59998.00", "0.5", Side::Sell).quiet(10);
    let (market, _files) = lines.market();
    let running = start(Box::new(market), deposit(), Pace::LIVE);
    running.clock.advance(Duration::from_millis(5));
    let buy = limit("a", Side::Buy, "0.2", price("59999"));
    running.venue.submit(approved(buy)).await.unwrap();
    running.clock.advance(Duration::from_millis(20));
    let ours = running.venue.order(symbol(), "a".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(ours.status, VenueOrderStatus::Filled);
    assert_eq!(ours.cost, amount("11999.8"), "at our price");
    assert_eq!(ours.updated_at, START.plus(Duration::from_millis(11)), "when the trade arrived");
    assert_eq!(balance(&running.venue, "BTC").await.free, amount("10.1998"));
}

#[tokio::test(start_paused = true)]
async fn market_data_flows_without_anybody_asking() {
    let clock = Arc::new(RuntimeClock(tokio::time::Instant::now()));
    let config = PaperConfig { name: "paper".to_owned(), pace: Pace::LIVE, opening: deposit() };
    let (venue, task) = PaperVenue::open(config, sim(7), clock.clone()).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(task.run());
    let mut data = venue.market_data();
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for _ in 0..2_000 {
        let Some(Received::Event(event)) = data.next().await else { panic!("no event") };
        assert!(event.received <= clock.now(), "an event cannot arrive before it happens");
        let kind = match event.kind {
            MarketEventKind::Trade { .. } => "trade",
            MarketEventKind::Top { .. } => "top",
            MarketEventKind::Depth { .. } => "depth",
        };
        *kinds.entry(kind).or_default() += 1;
    }
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    drop(venue);
    tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn unpaced_a_recording_runs_to_its_end_by_itself_and_slow_readers_are_told() {
    let mut lines = Lines::snapshot();
    lines.quiet(20_000);
    let (market, _files) = lines.market();
    let running = start(Box::new(market), deposit(), Pace::Unpaced);
    let mut data = running.venue.market_data();
    loop {
        let status = running.venue.status().await;
        if status.feeds[0].feed == Feed::Ended {
            break;
        }
        tokio::task::yield_now().await;
    }
    let Some(Received::Missed(missed)) = data.try_next() else { panic!("the reader was slow") };
    assert!(missed > 1_000, "{missed}");
    assert_eq!(running.venue.status().await.events_missed, missed);
}

#[tokio::test]
async fn a_dead_task_is_not_sent_before_and_unknown_after_the_mailbox() {
    let open = || {
        let config = PaperConfig { name: "paper".to_owned(), pace: Pace::LIVE, opening: deposit() };
        let clock = Arc::new(domain::ManualClock::new(START));
        PaperVenue::open(config, sim(7), clock).unwrap()
    };
    let buy = || approved(order("a", Side::Buy, "0.001", OrderKind::Market));
    let (venue, task) = open();
    let die = async { drop(task) };
    let (submitted, canceled, ()) =
        tokio::join!(venue.submit(buy()), venue.cancel(symbol(), "a".parse().unwrap()), die);
    assert!(matches!(submitted, Err(SubmitError::Unknown { .. })), "{submitted:?}");
    assert!(matches!(canceled, Err(CancelError::Unknown { .. })), "{canceled:?}");
    let after = venue.submit(buy()).await;
    assert!(matches!(after, Err(SubmitError::NotSent { .. })), "{after:?}");
    let status = venue.status().await;
    assert!(!status.connected && status.fault.is_some(), "{status:?}");
    assert!(matches!(venue.balances().await, Err(ReadError::Unavailable { .. })));
}

#[tokio::test]
async fn a_full_mailbox_sends_nothing() {
    let config = PaperConfig { name: "paper".to_owned(), pace: Pace::LIVE, opening: deposit() };
    let clock = Arc::new(domain::ManualClock::new(START));
    // The task is kept but never run, so nobody empties the mailbox.
    let (venue, _task) = PaperVenue::open(config, sim(7), clock).unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..1_024 {
        let venue = venue.clone();
        waiting.spawn(async move { venue.status().await });
    }
    // The runtime polls a few dozen tasks a turn.
    for _ in 0..1_024 {
        tokio::task::yield_now().await;
    }
    let buy = approved(order("a", Side::Buy, "0.001", OrderKind::Market));
    let result = venue.submit(buy).await;
    let why = "the mailbox of the paper venue is full".to_owned();
    assert_eq!(result, Err(SubmitError::NotSent { why }));
}

#[tokio::test]
async fn an_account_that_cannot_be_is_not_opened() {
    let open = |asset_name: &str, sum: &str| {
        let opening = Opening::Deposit([(asset(asset_name), amount(sum))].into());
        let config = PaperConfig { name: "paper".to_owned(), pace: Pace::LIVE, opening };
        let clock = Arc::new(domain::ManualClock::new(START));
        PaperVenue::open(config, sim(7), clock).map(|_| ())
    };
    for sum in ["-1", "1000000000000000.1", "0.0000000000001"] {
        let refused = open("USDT", sum);
        assert!(matches!(refused, Err(PaperError::Deposit { .. })), "{sum}: {refused:?}");
    }
    assert_eq!(open("USDT", "0"), Ok(()));
    let running = start(sim(7), deposit(), Pace::LIVE);
    running.venue.advance(10).await.unwrap();
    running.venue.submit(approved(limit("a", Side::Buy, "1", price("50000")))).await.unwrap();
    let mut state = running.venue.state().await.unwrap();
    state.balances.insert(asset("USDT"), amount("49999"));
    let config = PaperConfig {
        name: "paper".to_owned(),
        pace: Pace::LIVE,
        opening: Opening::Restore(state),
    };
    let clock = Arc::new(domain::ManualClock::new(START));
    let refused = PaperVenue::open(config, sim(7), clock).map(|_| ()).unwrap_err();
    assert!(matches!(refused, PaperError::OpenOrder { .. }), "{refused}");
}

#[tokio::test]
async fn a_restored_order_that_the_market_has_passed_trades_on_return_and_is_told() {
    let running = start(sim(7), deposit(), Pace::LIVE);
    running.venue.submit(approved(limit("a", Side::Buy, "0.001", price("50000")))).await.unwrap();
    let mut state = running.venue.state().await.unwrap();
    state.open_orders[0].kind = post_only(price("70000"));
    let config = PaperConfig {
        name: "paper".to_owned(),
        pace: Pace::LIVE,
        opening: Opening::Restore(state),
    };
    let clock = Arc::new(domain::ManualClock::new(START));
    let (venue, task) = PaperVenue::open(config, sim(7), clock).unwrap();
    let mut events = venue.subscribe();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(task.run());
    let order = venue.order(symbol(), "a".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(order.status, VenueOrderStatus::Filled);
    assert_eq!(balance(&venue, "USDT").await.locked, amount("0"), "the difference is refunded");
    let Some(Received::Event(event)) = events.try_next() else { panic!("nobody was told") };
    assert!(matches!(event.kind, venue::VenueEventKind::Fill(_)), "{event:?}");
}
