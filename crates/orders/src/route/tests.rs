//! Routing on small books whose answers can be computed by hand.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that overflows or misses should fail"
)]

use super::*;
use domain::{Filters, Timestamp};
use proptest::prelude::*;

fn listed(step: &str, notional_min: &str) -> Instrument {
    Instrument {
        symbol: "BTCUSDT".parse().unwrap(),
        base: "BTC".parse().unwrap(),
        quote: "USDT".parse().unwrap(),
        tick_size: "0.01".parse().unwrap(),
        step_size: step.parse().unwrap(),
        quantity_min: step.parse().unwrap(),
        quantity_max: "1000".parse().unwrap(),
        notional_min: notional_min.parse().unwrap(),
        maker_fee: "0.001".parse().unwrap(),
        taker_fee: "0.001".parse().unwrap(),
        filters: Filters::default(),
    }
}

fn levels(of: &[(&str, &str)]) -> Vec<BookLevel> {
    let level = |(price, quantity): &(&str, &str)| BookLevel {
        price: price.parse().unwrap(),
        quantity: quantity.parse().unwrap(),
    };
    of.iter().map(level).collect()
}

fn book(bids: &[(&str, &str)], asks: &[(&str, &str)]) -> BookSnapshot {
    BookSnapshot {
        symbol: "BTCUSDT".parse().unwrap(),
        update_id: 1,
        bids: levels(bids),
        asks: levels(asks),
        as_of: Timestamp::from_unix_millis(0),
    }
}

fn source<'a>(
    venue: &'a str,
    instrument: &'a Instrument,
    book: &'a BookSnapshot,
    fee: &str,
) -> Source<'a> {
    let taker_fee = fee.parse().unwrap();
    Source { venue, instrument, book, taker_fee, penalty: Decimal::ZERO }
}

fn buy(quantity: &str) -> Wish {
    Wish { side: Side::Buy, quantity: quantity.parse().unwrap(), limit: None }
}

fn told(plan: &Plan) -> String {
    let child = |c: &Child| {
        format!("{} {} @{} cost {} fee {}", c.venue, c.quantity, c.limit, c.cost, c.fee)
    };
    let children: Vec<String> = plan.children.iter().map(child).collect();
    format!("{}; {} left", children.join(", "), plan.remainder)
}

#[test]
fn the_cheapest_all_in_is_taken_first_from_every_venue() {
    let grid = listed("0.001", "5");
    let near = book(&[], &[("100", "1"), ("101", "1")]);
    let cheap = book(&[], &[("100.5", "1")]);
    // At 0.1 % the first level costs 100.1; the other venue's 100.5 without a fee comes second,
    // before 101.101.
    let sources = [source("a", &grid, &near, "0.001"), source("b", &grid, &cheap, "0")];
    let found = plan(buy("2.5"), &sources).unwrap();
    let expected = "a 1.5 @101 cost 150.5 fee 0.1505, b 1 @100.5 cost 100.5 fee 0; 0 left";
    assert_eq!(told(&found), expected);
    // A penalty for latency turns the order around.
    let slow = Source { penalty: "0.02".parse().unwrap(), ..sources[0] };
    let found = plan(buy("1"), &[slow, sources[1]]).unwrap();
    assert_eq!(told(&found), "b 1 @100.5 cost 100.5 fee 0; 0 left");
}

#[test]
fn a_sell_takes_the_highest_bids() {
    let grid = listed("0.001", "5");
    let (one, two) = (book(&[("99", "1")], &[]), book(&[("99.5", "1"), ("98", "5")], &[]));
    let sources = [source("a", &grid, &one, "0"), source("b", &grid, &two, "0")];
    let wish = Wish { side: Side::Sell, quantity: "3".parse().unwrap(), limit: None };
    let expected = "b 2 @98 cost 197.5 fee 0, a 1 @99 cost 99 fee 0; 0 left";
    assert_eq!(told(&plan(wish, &sources).unwrap()), expected);
    let wish = Wish { limit: Some("98.5".parse().unwrap()), ..wish };
    let expected = "b 1 @99.5 cost 99.5 fee 0, a 1 @99 cost 99 fee 0; 1 left";
    assert_eq!(told(&plan(wish, &sources).unwrap()), expected);
}

#[test]
fn a_share_that_a_venue_would_refuse_goes_to_the_others() {
    let (fine, coarse) = (listed("0.001", "5"), listed("0.1", "50"));
    let small = book(&[], &[("100", "0.4")]);
    let deep = book(&[], &[("101", "10")]);
    let sources = [source("small", &coarse, &small, "0"), source("deep", &fine, &deep, "0")];
    // 0.4 at 100 is worth 40, less than the 50 that the venue wants.
    let found = plan(buy("1"), &sources).unwrap();
    assert_eq!(told(&found), "deep 1 @101 cost 101 fee 0; 0 left");
}

#[test]
fn what_nobody_can_take_is_reported() {
    let grid = listed("0.1", "5");
    let thin = book(&[], &[("100", "0.75")]);
    let sources = [source("a", &grid, &thin, "0")];
    assert_eq!(told(&plan(buy("2"), &sources).unwrap()), "a 0.7 @100 cost 70 fee 0; 1.3 left");
    assert_eq!(told(&plan(buy("0.04"), &sources).unwrap()), "; 0.04 left");
    assert_eq!(told(&plan(buy("2"), &[]).unwrap()), "; 2 left");
}

#[test]
fn venues_that_trade_another_pair_are_not_mixed() {
    let (grid, mut other) = (listed("0.1", "5"), listed("0.1", "5"));
    other.quote = "USDC".parse().unwrap();
    let thin = book(&[], &[("100", "1")]);
    let sources = [source("a", &grid, &thin, "0"), source("b", &other, &thin, "0")];
    let error = plan(buy("1"), &sources).unwrap_err().to_string();
    assert_eq!(error, "b trades BTC/USDC under this symbol and the others do not");
}

#[test]
fn impact_is_measured_from_the_mid() {
    let book = book(&[("99", "1")], &[("101", "1"), ("103", "2")]);
    let found = impact(Side::Buy, "2".parse().unwrap(), &book).unwrap();
    assert_eq!(found.average_price, Some("102".parse().unwrap()));
    assert_eq!(found.slippage, Some("0.02".parse().unwrap()));
    assert_eq!((found.levels, found.worst_price), (2, Some("103".parse().unwrap())));
    let found = impact(Side::Sell, "3".parse().unwrap(), &book).unwrap();
    assert_eq!((found.filled, found.unfilled), ("1".parse().unwrap(), "2".parse().unwrap()));
    assert_eq!(found.slippage, Some("0.01".parse().unwrap()));
}

#[test]
fn a_difference_of_prices_counts_after_both_fees() {
    let grid = listed("0.001", "5");
    let low = book(&[("99", "9")], &[("100", "1"), ("100.5", "2")]);
    let high = book(&[("101", "2"), ("100.6", "5")], &[("102", "9")]);
    let free = [source("low", &grid, &low, "0"), source("high", &grid, &high, "0")];
    let found = opportunities(&free, "10000".parse().unwrap()).unwrap();
    let [only] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((only.buy_at.as_str(), only.sell_at.as_str()), ("low", "high"));
    // 1 at 100 and 2 at 100.5 are sold for 2 at 101 and 1 at 100.6.
    assert_eq!(only.quantity, "3".parse().unwrap());
    assert_eq!((only.paid, only.received), ("301".parse().unwrap(), "302.6".parse().unwrap()));
    let dear = [source("low", &grid, &low, "0.005"), source("high", &grid, &high, "0.006")];
    assert!(opportunities(&dear, "10000".parse().unwrap()).unwrap().is_empty());
    let capped = opportunities(&free, "50".parse().unwrap()).unwrap();
    assert_eq!(capped[0].quantity, "0.5".parse().unwrap());
}

proptest! {
    #[test]
    fn a_plan_gives_out_what_was_asked_for_and_never_more_than_is_displayed(
        asks in prop::collection::vec((9_000_u32..11_000, 1_u32..5_000), 1..20),
        fees in prop::collection::vec(0_u32..50, 3),
        wanted in 1_u32..20_000,
    ) {
        let grid = listed("0.001", "5");
        let price = |ticks: u32| Price::try_new(Decimal::new(i64::from(ticks), 2)).unwrap();
        let lots = |lots: u32| Quantity::try_new(Decimal::new(i64::from(lots), 3)).unwrap();
        let mut books = [book(&[], &[]), book(&[], &[]), book(&[], &[])];
        for (at, (ticks, size)) in asks.iter().enumerate() {
            books[at % 3].asks.push(BookLevel { price: price(*ticks), quantity: lots(*size) });
        }
        for book in &mut books {
            book.asks.sort_by_key(|level| level.price);
        }
        let names = ["a", "b", "c"];
        let sources: Vec<Source<'_>> = (0..3)
            .map(|at| Source {
                venue: names[at],
                instrument: &grid,
                book: &books[at],
                taker_fee: Decimal::new(i64::from(fees[at]), 4),
                penalty: Decimal::ZERO,
            })
            .collect();
        let wish = Wish { side: Side::Buy, quantity: lots(wanted), limit: None };
        let plan = plan(wish, &sources).unwrap();
        let mut sum = plan.remainder;
        for child in &plan.children {
            let at = names.iter().position(|name| *name == child.venue).unwrap();
            let displayed: Decimal = books[at].asks.iter().map(|l| l.quantity.decimal()).sum();
            prop_assert!(child.quantity.decimal() <= displayed);
            prop_assert!(child.cost >= grid.notional_min);
            sum = sum.try_add(child.quantity.amount()).unwrap();
        }
        prop_assert_eq!(sum, wish.quantity.amount());
        // No single venue would have been cheaper, fees included, for the same quantity.
        let total = plan.children.iter().fold(Decimal::ZERO, |sum, child| {
            sum + child.cost.decimal() + child.fee.decimal()
        });
        if plan.remainder == Amount::ZERO {
            for source in &sources {
                let alone = super::plan(wish, &[*source]).unwrap();
                if alone.remainder == Amount::ZERO {
                    let only = &alone.children[0];
                    prop_assert!(total <= only.cost.decimal() + only.fee.decimal());
                }
            }
        }
    }
}
