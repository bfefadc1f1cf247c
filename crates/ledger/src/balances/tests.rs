//! Balances: refusals name both numbers, and no sequence makes or loses money.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that overflows or misses an index should fail"
)]

use super::*;
use domain::{Decimal, Liquidity, Timestamp};
use proptest::prelude::*;

fn asset(name: &str) -> Asset {
    name.parse().unwrap()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn btcusdt() -> Instrument {
    Instrument {
        symbol: "BTCUSDT".parse().unwrap(),
        base: asset("BTC"),
        quote: asset("USDT"),
        tick_size: "0.01".parse().unwrap(),
        step_size: "0.00001".parse().unwrap(),
        quantity_min: "0.00001".parse().unwrap(),
        quantity_max: "9000".parse().unwrap(),
        notional_min: "5".parse().unwrap(),
        maker_fee: "0.001".parse().unwrap(),
        taker_fee: "0.001".parse().unwrap(),
        filters: domain::Filters::default(),
    }
}

fn fill(side: Side, price: &str, quantity: &str, fee: &str) -> Fill {
    Fill {
        trade_id: 1,
        client_order_id: "b4-1".parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        side,
        price: price.parse().unwrap(),
        quantity: quantity.parse().unwrap(),
        fee: amount(fee),
        fee_asset: asset(if side == Side::Buy { "BTC" } else { "USDT" }),
        liquidity: Liquidity::Taker,
        at: Timestamp::from_unix_millis(0),
    }
}

fn account(btc: &str, usdt: &str) -> Balances {
    let mut balances = Balances::new();
    balances.deposit(&asset("BTC"), amount(btc)).unwrap();
    balances.deposit(&asset("USDT"), amount(usdt)).unwrap();
    balances
}

fn lock(side: Side, price: &str, quantity: &str) -> Lock {
    let (price, quantity) = (price.parse().unwrap(), quantity.parse().unwrap());
    Lock::try_new(&btcusdt(), side, price, quantity).unwrap()
}

/// A refused operation says why and changes nothing.
#[track_caller]
fn refused(
    balances: &mut Balances,
    act: impl FnOnce(&mut Balances) -> Result<(), BalanceError>,
    message: &str,
) {
    let before = balances.clone();
    assert_eq!(act(balances).unwrap_err().to_string(), message);
    assert_eq!(*balances, before);
}

#[test]
fn a_better_price_than_locked_is_refunded() {
    let mut balances = account("0", "1000");
    balances.lock(&lock(Side::Buy, "500", "1.5")).unwrap();
    let settled =
        balances.settle(&btcusdt(), &fill(Side::Buy, "480", "1", "0.001"), "500".parse().unwrap());
    assert_eq!(settled.unwrap().refunded, amount("20"));
    let usdt = balances.balance(&asset("USDT"));
    assert_eq!((usdt.free(), usdt.locked()), (amount("270"), amount("250")));
    assert_eq!(balances.balance(&asset("BTC")).free(), amount("0.999"));
}

#[test]
fn a_sale_pays_its_fee_from_what_it_brings() {
    let mut balances = account("2", "0");
    balances.lock(&lock(Side::Sell, "500", "2")).unwrap();
    let sold = fill(Side::Sell, "510", "2", "1.02");
    balances.settle(&btcusdt(), &sold, "500".parse().unwrap()).unwrap();
    assert_eq!(balances.balance(&asset("USDT")).free(), amount("1018.98"));
    assert_eq!(balances.balance(&asset("BTC")), Balance::default());
}

#[test]
fn one_unit_over_is_refused_with_both_numbers() {
    let mut balances = account("0", "100");
    let wanted = lock(Side::Buy, "100.00000001", "1");
    refused(
        &mut balances,
        |b| b.lock(&wanted),
        "insufficient USDT: needs 100.00000001 and 100 is free",
    );
    refused(
        &mut balances,
        |b| b.release(&wanted),
        "insufficient locked USDT: needs 100.00000001 and 0 is locked",
    );
    balances.lock(&lock(Side::Buy, "100", "1")).unwrap();
}

#[test]
fn a_fill_that_was_not_locked_for_is_refused() {
    let mut balances = account("1", "100");
    let price = "100".parse().unwrap();
    let settle =
        |fill: Fill| move |b: &mut Balances| b.settle(&btcusdt(), &fill, price).map(|_| ());
    refused(
        &mut balances,
        settle(fill(Side::Sell, "100", "0.5", "0")),
        "insufficient locked BTC: needs 0.5 and 0 is locked",
    );
    refused(
        &mut balances,
        settle(fill(Side::Buy, "101", "0.5", "0")),
        "the fill's price 101 is over the price 100 that was locked for it",
    );
    refused(
        &mut balances,
        settle(fill(Side::Buy, "100", "0.5", "0.6")),
        "the fee 0.6 is not between 0 and the 0.5 received",
    );
    refused(
        &mut balances,
        settle(fill(Side::Buy, "100", "0.5", "-0.1")),
        "the fee -0.1 is not between 0 and the 0.5 received",
    );
    refused(
        &mut balances,
        settle(Fill { fee_asset: asset("BNB"), ..fill(Side::Buy, "100", "0.5", "0.1") }),
        "the fee is in BNB and must be in BTC, the asset that is received",
    );
    refused(
        &mut balances,
        settle(Fill { symbol: "ETHUSDT".parse().unwrap(), ..fill(Side::Buy, "1", "1", "0") }),
        "a fill of ETHUSDT cannot settle in BTCUSDT",
    );
}

#[test]
fn less_than_nothing_and_more_than_fits_are_refused() {
    let mut balances = account("0", "79228162514264337593543950335");
    refused(
        &mut balances,
        |b| b.deposit(&asset("USDT"), amount("-1")),
        "an amount to move must not be negative: -1 USDT",
    );
    refused(
        &mut balances,
        |b| b.deposit(&asset("USDT"), amount("1")),
        "the result has more than 28 digits",
    );
}

#[test]
fn what_has_no_price_has_no_equity() {
    let balances = account("2", "100");
    let missing = balances.equity(&asset("USDT"), &BTreeMap::new()).unwrap_err();
    assert_eq!(missing.to_string(), "no price for 2 BTC");
    let marks = BTreeMap::from([(asset("BTC"), "500".parse().unwrap())]);
    assert_eq!(balances.equity(&asset("USDT"), &marks).unwrap(), amount("1100"));
    let nothing = account("0", "7");
    assert_eq!(nothing.equity(&asset("USDT"), &BTreeMap::new()).unwrap(), amount("7"));
}

/// One step of two accounts that trade with each other.
#[derive(Debug, Clone)]
enum Step {
    Lock { account: usize, side: Side, ticks: i64, lots: i64 },
    Release { account: usize, side: Side, ticks: i64, lots: i64 },
    Trade { buyer: usize, ticks: i64, better_by: i64, lots: i64, fee_rate: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let side = || prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let (ticks, lots) = (1i64..2_000_000, 1i64..500_000);
    let order = (0usize..2, side(), ticks.clone(), lots.clone());
    let trade = (0usize..2, ticks, 0i64..1_000, lots, 0i64..=10_000);
    let step = prop_oneof![
        4 => order.clone().prop_map(|(account, side, ticks, lots)| {
            Step::Lock { account, side, ticks, lots }
        }),
        1 => order.prop_map(|(account, side, ticks, lots)| {
            Step::Release { account, side, ticks, lots }
        }),
        4 => trade.prop_map(|(buyer, ticks, better_by, lots, fee_rate)| {
            Step::Trade { buyer, ticks, better_by, lots, fee_rate }
        }),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Trades at `price` when both sides can; a side that cannot leaves both as they were.
fn trade(
    accounts: &mut [Balances; 2],
    sink: &mut Balances,
    buyer: usize,
    (at, locked_at, quantity): (Price, Price, Quantity),
    fee_rate: domain::Rate,
) -> bool {
    let base_fee = quantity.amount().at_rate(fee_rate).unwrap();
    let quote_fee = at.notional(quantity).unwrap().at_rate(fee_rate).unwrap();
    let of = |side, fee: Amount| Fill { price: at, quantity, fee, ..fill(side, "1", "1", "0") };
    let before = accounts.clone();
    let done = accounts[buyer]
        .settle(&btcusdt(), &of(Side::Buy, base_fee), locked_at)
        .and_then(|_| accounts[1 - buyer].settle(&btcusdt(), &of(Side::Sell, quote_fee), at))
        .is_ok();
    if done {
        sink.deposit(&asset("BTC"), base_fee).unwrap();
        sink.deposit(&asset("USDT"), quote_fee).unwrap();
    } else {
        *accounts = before;
    }
    done
}

proptest! {
    #[test]
    fn money_is_conserved_to_the_last_unit(steps in steps()) {
        let mut accounts = [account("100", "1000000"), account("50", "2000000")];
        let mut sink = Balances::new();
        let instrument = btcusdt();
        for step in steps {
            match step {
                Step::Lock { account, side, ticks, lots } => {
                    let (p, q) = (instrument.price(ticks).unwrap(), instrument.quantity(lots).unwrap());
                    drop(accounts[account].lock(&Lock::try_new(&instrument, side, p, q).unwrap()));
                }
                Step::Release { account, side, ticks, lots } => {
                    let (p, q) = (instrument.price(ticks).unwrap(), instrument.quantity(lots).unwrap());
                    drop(accounts[account].release(&Lock::try_new(&instrument, side, p, q).unwrap()));
                }
                Step::Trade { buyer, ticks, better_by, lots, fee_rate } => {
                    let locked_at = instrument.price(ticks + better_by).unwrap();
                    let at = instrument.price(ticks).unwrap();
                    let quantity = instrument.quantity(lots).unwrap();
                    let rate = domain::Rate::try_new(Decimal::new(fee_rate, 6)).unwrap();
                    trade(&mut accounts, &mut sink, buyer, (at, locked_at, quantity), rate);
                }
            }
            for (name, total) in [("BTC", "150"), ("USDT", "3000000")] {
                let mut sum = Amount::ZERO;
                for balances in accounts.iter().chain([&sink]) {
                    let balance = balances.balance(&asset(name));
                    prop_assert!(!balance.free().is_negative() && !balance.locked().is_negative());
                    sum = sum.try_add(balance.total().unwrap()).unwrap();
                }
                prop_assert_eq!(sum, amount(total));
            }
        }
    }
}
