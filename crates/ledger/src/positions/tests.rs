//! Positions: worked examples by hand, and the identity that holds after any fills.

use super::*;
use domain::{Liquidity, Quantity, Timestamp};
use proptest::prelude::*;

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn btcusdt() -> Instrument {
    Instrument {
        symbol: "BTCUSDT".parse().unwrap(),
        base: "BTC".parse().unwrap(),
        quote: "USDT".parse().unwrap(),
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

fn fill(trade_id: u64, side: Side, price: &str, quantity: &str, fee: (&str, &str)) -> Fill {
    Fill {
        trade_id,
        client_order_id: "b4-1".parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        side,
        price: price.parse().unwrap(),
        quantity: quantity.parse().unwrap(),
        fee: amount(fee.0),
        fee_asset: fee.1.parse().unwrap(),
        liquidity: Liquidity::Taker,
        at: Timestamp::from_unix_millis(0),
    }
}

fn after(fills: &[Fill]) -> Position {
    let mut positions = Positions::new();
    for fill in fills {
        assert_eq!(positions.apply(&btcusdt(), fill).unwrap(), Counted::New);
    }
    positions.position(&btcusdt().symbol).unwrap().clone()
}

/// base, cost, realised.
#[track_caller]
fn check(position: &Position, base: &str, cost: &str, realised: &str) {
    let found = (position.base(), position.cost(), position.realised());
    assert_eq!(found, (amount(base), amount(cost), amount(realised)));
}

#[test]
fn the_cost_is_averaged_over_buys_and_leaves_with_sales() {
    let bought = [
        fill(1, Side::Buy, "100", "1", ("0", "BTC")),
        fill(2, Side::Buy, "110", "3", ("0", "BTC")),
    ];
    let position = after(&bought);
    check(&position, "4", "430", "0");
    assert_eq!(position.average_cost().unwrap().to_string(), "107.5");
    assert_eq!(position.unrealised("120".parse().unwrap()).unwrap(), amount("50"));
    let [a, b] = bought;
    let position = after(&[a, b, fill(3, Side::Sell, "120", "1", ("0", "USDT"))]);
    check(&position, "3", "322.5", "12.5");
}

#[test]
fn fees_of_either_asset_are_part_of_the_profit() {
    let bought = fill(1, Side::Buy, "100", "1", ("0.001", "BTC"));
    let sold = fill(2, Side::Sell, "100", "0.999", ("0.0999", "USDT"));
    let position = after(&[bought, sold]);
    check(&position, "0", "0", "-0.1999");
    assert_eq!(position.average_cost(), None);
    assert_eq!(position.fees()[&"BTC".parse::<Asset>().unwrap()], amount("0.001"));
    assert_eq!(position.fees()[&"USDT".parse::<Asset>().unwrap()], amount("0.0999"));
}

#[test]
fn a_fee_in_a_third_asset_is_only_recorded() {
    let position = after(&[fill(1, Side::Buy, "100", "1", ("0.01", "BNB"))]);
    check(&position, "1", "100", "0");
    assert_eq!(position.fees()[&"BNB".parse::<Asset>().unwrap()], amount("0.01"));
}

#[test]
fn selling_through_zero_closes_one_side_and_opens_the_other() {
    let position = after(&[
        fill(1, Side::Buy, "100", "1", ("0", "BTC")),
        fill(2, Side::Sell, "110", "3", ("0", "USDT")),
    ]);
    check(&position, "-2", "-220", "10");
    assert_eq!(position.average_cost().unwrap().to_string(), "110");
    assert_eq!(position.unrealised("100".parse().unwrap()).unwrap(), amount("20"));
}

#[test]
fn a_duplicate_changes_nothing_however_late_it_comes() {
    let mut positions = Positions::new();
    let fills = [
        fill(7, Side::Buy, "100", "1", ("0", "BTC")),
        fill(5, Side::Buy, "110", "1", ("0", "BTC")),
    ];
    for fill in &fills {
        positions.apply(&btcusdt(), fill).unwrap();
    }
    let before = positions.clone();
    for fill in &fills {
        assert_eq!(positions.apply(&btcusdt(), fill).unwrap(), Counted::Duplicate);
    }
    assert_eq!(positions, before);
}

#[test]
fn a_fill_that_cannot_be_is_refused_and_changes_nothing() {
    let mut positions = Positions::new();
    let eaten = fill(1, Side::Buy, "100", "1", ("1", "BTC"));
    assert_eq!(
        positions.apply(&btcusdt(), &eaten).unwrap_err().to_string(),
        "the fee 1 BTC of trade 1 is negative or more than was received"
    );
    let other = Fill { symbol: "ETHUSDT".parse().unwrap(), ..eaten };
    assert_eq!(
        positions.apply(&btcusdt(), &other).unwrap_err().to_string(),
        "a fill of ETHUSDT is no fill of BTCUSDT"
    );
    assert_eq!(positions, Positions::new());
}

proptest! {
    #[test]
    fn profit_less_cost_is_the_quote_that_came_in(
        trades in proptest::collection::vec(
            (any::<bool>(), 1i64..10_000_000, 1i64..10_000_000, 0i64..1_000),
            1..50,
        ),
        mark in 1i64..10_000_000,
    ) {
        let (instrument, mut positions) = (btcusdt(), Positions::new());
        let (mut base, mut quote) = (Amount::ZERO, Amount::ZERO);
        for (number, (buys, ticks, lots, fee)) in (1u64..).zip(trades) {
            let price = instrument.price(ticks).unwrap();
            let quantity = instrument.quantity(lots).unwrap();
            let side = if buys { Side::Buy } else { Side::Sell };
            let gross = if buys { quantity.amount() } else { price.notional(quantity).unwrap() };
            let fee_rate = domain::Rate::try_new(Decimal::new(fee, 5)).unwrap();
            let fee = gross.at_rate(fee_rate).unwrap();
            let fee_asset = if buys { instrument.base.clone() } else { instrument.quote.clone() };
            let net = gross.try_sub(fee).unwrap();
            let notional = price.notional(quantity).unwrap();
            (base, quote) = if buys {
                (base.try_add(net).unwrap(), quote.try_sub(notional).unwrap())
            } else {
                let sold: Quantity = quantity;
                (base.try_sub(sold.amount()).unwrap(), quote.try_add(net).unwrap())
            };
            let one = fill(number, side, "1", "1", ("0", "BTC"));
            let one = Fill { price, quantity, fee, fee_asset, ..one };
            prop_assert_eq!(positions.apply(&instrument, &one).unwrap(), Counted::New);
            let position = positions.position(&instrument.symbol).unwrap();
            prop_assert_eq!(position.base(), base);
            prop_assert_eq!(position.realised().try_sub(position.cost()).unwrap(), quote);
            let mark = instrument.price(mark).unwrap();
            let profit = position.realised().try_add(position.unrealised(mark).unwrap()).unwrap();
            prop_assert_eq!(profit, quote.try_add(mark.value_of(base).unwrap()).unwrap());
        }
    }
}
