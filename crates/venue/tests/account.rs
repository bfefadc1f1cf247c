//! Thousands of random orders: no money appears or vanishes, and the same orders give the same
//! fills.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failure of the test")]

mod support;

use std::collections::BTreeMap;

use domain::{Amount, Fill, OrderKind, Side, TimeInForce};
use support::*;
use venue::paper::{Pace, PaperVenue};
use venue::{Received, SubmitError, Subscription, Venue, VenueEvent, VenueEventKind};

/// Numbers of a linear congruential generator (Knuth's MMIX constants): the test's own dice.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What a run leaves behind.
#[derive(Debug, Default, PartialEq)]
struct Run {
    fills: Vec<Fill>,
    /// Free and locked, by asset.
    balances: Vec<(String, Amount, Amount)>,
    refused: u64,
    canceled: u64,
}

async fn trade(seed: u64, orders: u64) -> (Run, Vec<(Side, Amount)>) {
    let running = start(sim(seed), deposit(), Pace::LIVE);
    let venue = &running.venue;
    let mut events = venue.subscribe();
    let mut dice = Dice(seed);
    let mut run = Run::default();
    for number in 0..orders {
        venue.advance(dice.roll(30)).await.unwrap();
        if dice.roll(4) == 0 {
            let recent = number.saturating_sub(dice.roll(40));
            let id = format!("o{recent}").parse().unwrap();
            run.canceled += u64::from(venue.cancel(symbol(), id).await.is_ok());
        }
        let side = if dice.roll(2) == 0 { Side::Buy } else { Side::Sell };
        let book = book(venue).await;
        let levels = if dice.roll(2) == 0 { &book.bids } else { &book.asks };
        let level = levels[usize::try_from(dice.roll(10)).unwrap().min(levels.len() - 1)];
        let size = format!("0.{:05}", dice.roll(6_000) + 10);
        let kind = match dice.roll(10) {
            0..3 => OrderKind::Market,
            3 => timed(level.price, TimeInForce::ImmediateOrCancel),
            4 => timed(level.price, TimeInForce::FillOrKill),
            5 => post_only(level.price),
            _ => timed(level.price, TimeInForce::GoodTilCanceled),
        };
        match venue.submit(approved(order(&format!("o{number}"), side, &size, kind))).await {
            Ok(_) => {}
            Err(SubmitError::Rejected { .. }) => run.refused += 1,
            Err(error) => panic!("{error}"),
        }
        collect(&mut events, &mut run);
    }
    collect(&mut events, &mut run);
    run.balances = venue
        .balances()
        .await
        .unwrap()
        .into_iter()
        .map(|b| (b.asset.to_string(), b.free, b.locked))
        .collect();
    let status = venue.status().await;
    assert_eq!((status.fault, status.events_missed), (None, 0));
    (run, locked(venue).await)
}

fn collect(events: &mut Subscription<VenueEvent>, run: &mut Run) {
    while let Some(received) = events.try_next() {
        let Received::Event(event) = received else { panic!("events were missed") };
        if let VenueEventKind::Fill(fill) = event.kind {
            run.fills.push(fill);
        }
    }
}

/// What the open orders should have locked: quote for buys, base for sells.
async fn locked(venue: &PaperVenue) -> Vec<(Side, Amount)> {
    let orders = venue.open_orders().await.unwrap();
    let lock = |order: &venue::VenueOrder| {
        let left = order.quantity.amount().try_sub(order.executed).unwrap();
        let OrderKind::Limit { price, .. } = order.kind else { panic!("a market order rests") };
        match order.side {
            Side::Buy => price.notional(quantity(&left.to_string())).unwrap(),
            Side::Sell => left,
        }
    };
    orders.iter().map(|order| (order.side, lock(order))).collect()
}

#[tokio::test]
async fn no_money_appears_or_vanishes_over_thousands_of_orders() {
    for seed in [3, 4] {
        let (run, locks) = trade(seed, 3_000).await;
        assert!(run.fills.len() > 1_000, "only {} fills", run.fills.len());
        assert!(run.canceled > 50 && run.refused > 50, "{} {}", run.canceled, run.refused);
        let mut books: BTreeMap<&str, Amount> =
            [("USDT", "1000000"), ("BTC", "10"), ("ETH", "100")]
                .map(|(name, sum)| (name, amount(sum)))
                .into();
        for fill in &run.fills {
            let cost = fill.price.notional(fill.quantity).unwrap();
            let base = fill.quantity.amount();
            let (paid, received) = match fill.side {
                Side::Buy => (("USDT", cost), ("BTC", base)),
                Side::Sell => (("BTC", base), ("USDT", cost)),
            };
            assert_eq!(fill.fee, received.1.at_rate("0.001".parse().unwrap()).unwrap());
            let less = books[paid.0].try_sub(paid.1).unwrap();
            books.insert(paid.0, less);
            let more = books[received.0].try_add(received.1).unwrap().try_sub(fill.fee).unwrap();
            books.insert(received.0, more);
        }
        for (name, free, held) in &run.balances {
            assert!(!free.is_negative() && !held.is_negative(), "{name}: {free} {held}");
            assert_eq!(free.try_add(*held).unwrap(), books[name.as_str()], "{name}");
            let side = if name == "USDT" { Side::Buy } else { Side::Sell };
            let locks = locks.iter().filter(|(s, _)| *s == side && name != "ETH");
            let sum = locks.fold(Amount::ZERO, |sum, (_, lock)| sum.try_add(*lock).unwrap());
            assert_eq!(*held, sum, "{name}: locked is what open orders need");
        }
    }
}

#[tokio::test]
async fn the_same_seed_and_the_same_orders_give_the_same_fills() {
    let (first, _) = trade(5, 400).await;
    let (second, _) = trade(5, 400).await;
    assert!(!first.fills.is_empty());
    assert_eq!(first, second);
    let (other, _) = trade(6, 400).await;
    assert_ne!(first.fills, other.fills);
}
