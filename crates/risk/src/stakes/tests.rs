//! What is at stake: by hand, and kept against from scratch.

use super::*;
use domain::{NewOrder, OrderKind, TimeInForce, Timestamp};
use orders::OrderEvent;
use proptest::prelude::*;

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

fn order(id: &str, symbol: &str, side: Side, price: Option<&str>, events: &[OrderEvent]) -> Order {
    let kind = price.map_or(OrderKind::Market, |price| OrderKind::Limit {
        price: price.parse().unwrap(),
        time_in_force: TimeInForce::GoodTilCanceled,
        post_only: false,
    });
    let request = NewOrder {
        client_order_id: id.parse().unwrap(),
        symbol: symbol.parse().unwrap(),
        side,
        quantity: "2".parse().unwrap(),
        kind,
    };
    let start = Timestamp::from_unix_millis(0);
    let mut order = Order::new(request, "cmd-1".parse().unwrap(), start);
    for event in events {
        order.apply(event, start).unwrap();
    }
    order
}

fn stakes(held: &[(&str, &str)], orders: &[Order], marks: &[(&str, &str)]) -> Stakes {
    let mut stakes = Stakes::default();
    for (of, held) in held {
        stakes.hold(&symbol(of), amount(held));
    }
    for order in orders {
        stakes.put(order);
    }
    stakes.mark(prices(marks).iter().map(|(of, price)| (of, *price)));
    stakes
}

fn prices(marks: &[(&str, &str)]) -> BTreeMap<Symbol, Price> {
    marks.iter().map(|(of, price)| (symbol(of), price.parse().unwrap())).collect()
}

fn some_orders() -> [Order; 5] {
    let lost = OrderEvent::OutcomeUnknown { reason: "timeout".to_owned() };
    let ended = OrderEvent::Canceled { executed: Amount::ZERO };
    [
        order("b4-1", "BTCUSDT", Side::Buy, Some("90"), &[]),
        order("b4-2", "BTCUSDT", Side::Buy, None, &[OrderEvent::Sent]),
        order("b4-3", "BTCUSDT", Side::Sell, Some("110"), &[lost]),
        order("b4-4", "BTCUSDT", Side::Buy, Some("80"), &[ended]),
        order("b4-5", "ETHUSDT", Side::Buy, Some("9"), &[]),
    ]
}

const HELD: [(&str, &str); 3] = [("BTCUSDT", "3"), ("ETHUSDT", "-4"), ("LTCUSDT", "0")];
const MARKS: [(&str, &str); 2] = [("BTCUSDT", "100"), ("ETHUSDT", "10")];

#[test]
fn every_open_order_counts_with_all_that_has_not_traded() {
    let stakes = stakes(&HELD, &some_orders(), &MARKS);
    let exposure = stakes.exposure(&symbol("BTCUSDT"), None).unwrap();
    let expected = Exposure {
        held: amount("3"),
        open_sells: amount("2"),
        position_value: amount("300"),
        open_buys_value: amount("380"),
        portfolio_value: amount("340"),
        portfolio_open_buys_value: amount("398"),
        unknown_orders: 1,
        open_orders: 4,
    };
    assert_eq!(exposure, expected);
    assert_eq!(exposure.sellable(), amount("1"));
    let (btc, eth) = (symbol("BTCUSDT"), symbol("ETHUSDT"));
    let at_stake = stakes.at_stake(None).unwrap();
    assert_eq!(at_stake, [(&btc, amount("680")), (&eth, amount("58"))]);
    assert_eq!(stakes.symbols().collect::<Vec<_>>(), [&btc, &eth]);
}

#[test]
fn an_order_that_is_about_to_be_replaced_is_left_out() {
    let orders = some_orders();
    let whole = stakes(&HELD, &orders, &MARKS);
    let without = stakes(&HELD, &orders[1..], &MARKS);
    let (id, of) = (&orders[0].request().client_order_id, symbol("BTCUSDT"));
    assert_eq!(whole.exposure(&of, Some(id)), without.exposure(&of, None));
    assert_eq!(whole.at_stake(Some(id)), without.at_stake(None));
    assert_ne!(whole.at_stake(Some(id)), whole.at_stake(None));
}

#[test]
fn of_the_exits_of_a_list_the_dearest_counts_and_the_portfolio_counts_all() {
    let exit = |id, side, price| {
        order(id, "BTCUSDT", side, Some(price), &[]).in_list("b4-list".parse().unwrap())
    };
    let orders = [
        exit("b4-1", Side::Sell, "90"),
        exit("b4-2", Side::Sell, "110"),
        exit("b4-3", Side::Buy, "80"),
        exit("b4-4", Side::Buy, "120"),
    ];
    let stakes = stakes(&[], &orders, &MARKS);
    let exposure = stakes.exposure(&symbol("BTCUSDT"), None).unwrap();
    assert_eq!((exposure.open_sells, exposure.open_buys_value), (amount("2"), amount("240")));
    assert_eq!(exposure.open_orders, 4);
    assert_eq!(stakes.at_stake(None).unwrap(), [(&symbol("BTCUSDT"), amount("400"))]);
}

#[test]
fn what_is_at_stake_without_a_price_is_an_error_for_all_and_not_for_another_alone() {
    let mut stakes = stakes(&HELD, &some_orders(), &[("BTCUSDT", "100")]);
    let btc = symbol("BTCUSDT");
    let error = stakes.exposure(&btc, None).unwrap_err();
    assert_eq!(error.to_string(), "no price for ETHUSDT");
    assert_eq!(stakes.at_stake(None), Err(error));
    let own = stakes.own_exposure(&btc, None).unwrap();
    assert_eq!((own.portfolio_value, own.open_orders), (amount("300"), 3));
    stakes.mark(prices(&MARKS).iter().map(|(of, price)| (of, *price)));
    assert!(stakes.exposure(&btc, None).is_ok());
    stakes.mark([]);
    assert!(stakes.own_exposure(&btc, None).is_err(), "an old price is forgotten");
}

#[test]
fn a_sum_that_cannot_be_held_is_an_error_until_it_is_gone() {
    let huge = "79228162514264337593543950335";
    let mut stakes = stakes(&[("BTCUSDT", huge)], &[], &MARKS);
    let of = symbol("BTCUSDT");
    assert!(matches!(stakes.exposure(&of, None), Err(ExposureError::Overflow(_))));
    stakes.hold(&of, amount("1"));
    assert_eq!(stakes.exposure(&of, None).unwrap().portfolio_value, amount("100"));
    stakes.hold(&of, Amount::ZERO);
    assert_eq!(
        (stakes.exposure(&of, None), stakes.symbols().count()),
        (Ok(Exposure::default()), 0)
    );
}

#[derive(Debug, Clone)]
enum Change {
    Hold { of: &'static str, cents: i64 },
    Put { id: usize, of: &'static str, price: Option<u32>, buys: bool, in_list: bool, ends: bool },
    Drop { id: usize },
    Mark { of: &'static str, price: Option<u32> },
}

const NAMES: [&str; 3] = ["AUSDT", "BUSDT", "CUSDT"];

fn a_change() -> impl Strategy<Value = Change> {
    let price = || prop::option::weighted(0.8, 1_u32..1_000);
    let name = || prop::sample::select(&NAMES[..]);
    prop_oneof![
        (name(), -500..500_i64).prop_map(|(of, cents)| Change::Hold { of, cents }),
        (0..6_usize, name(), price(), any::<(bool, bool, bool)>()).prop_map(
            |(id, of, price, (buys, in_list, ends))| {
                Change::Put { id, of, price, buys, in_list, ends }
            }
        ),
        (0..6_usize).prop_map(|id| Change::Drop { id }),
        (name(), price()).prop_map(|(of, price)| Change::Mark { of, price }),
    ]
}

proptest! {
    #[test]
    fn what_is_kept_is_what_the_books_give_from_scratch(
        changes in prop::collection::vec(a_change(), 1..40),
    ) {
        let mut kept = Stakes::default();
        let mut held: BTreeMap<&str, Amount> = BTreeMap::new();
        let mut orders: BTreeMap<usize, Order> = BTreeMap::new();
        let mut marks: BTreeMap<Symbol, Price> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Hold { of, cents } => {
                    let cents = Amount::new(rust_decimal::Decimal::new(cents, 2));
                    held.insert(of, cents);
                    kept.hold(&symbol(of), cents);
                }
                Change::Put { id, of, price, buys, in_list, ends } => {
                    // An order never changes its symbol.
                    let known = orders.get(&id).map(|known| known.request().symbol.to_string());
                    let of = known.as_deref().unwrap_or(of);
                    let side = if buys { Side::Buy } else { Side::Sell };
                    let price = price.map(|price| price.to_string());
                    let ended = [OrderEvent::Canceled { executed: Amount::ZERO }];
                    let events = if ends { &ended[..] } else { &[] };
                    let order = order(&format!("b4-{id}"), of, side, price.as_deref(), events);
                    let list = || "b4-list".parse().unwrap();
                    let order = if in_list { order.in_list(list()) } else { order };
                    kept.put(&order);
                    orders.insert(id, order);
                }
                Change::Drop { id } => {
                    if let Some(order) = orders.remove(&id) {
                        kept.drop_order(&order);
                    }
                }
                Change::Mark { of, price } => {
                    marks.remove(&symbol(of));
                    marks.extend(price.map(|at| (symbol(of), at.to_string().parse().unwrap())));
                }
            }
            let present = || marks.iter().map(|(of, price)| (of, *price));
            kept.mark(present());
            let mut scratch = Stakes::default();
            held.iter().for_each(|(of, held)| scratch.hold(&symbol(of), *held));
            orders.values().for_each(|order| scratch.put(order));
            scratch.mark(present());
            prop_assert!(kept.symbols().eq(scratch.symbols()));
            prop_assert_eq!(kept.at_stake(None), scratch.at_stake(None));
            for name in NAMES {
                let of = symbol(name);
                prop_assert_eq!(kept.exposure(&of, None), scratch.exposure(&of, None));
                prop_assert_eq!(kept.own_exposure(&of, None), scratch.own_exposure(&of, None));
            }
        }
    }
}
