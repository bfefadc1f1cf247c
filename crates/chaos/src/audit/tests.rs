//! A judge that finds nothing proves nothing: each kind of breach is planted and must be found.

use domain::{Liquidity, NewOrder, OrderId, OrderKind, Timestamp};
use orders::OrderEvent;

use super::*;
use crate::truth::TrueFill;

const AT: Timestamp = Timestamp::from_unix_millis(0);

fn fill(price: &str) -> Fill {
    Fill {
        trade_id: 3,
        client_order_id: "b4-1".parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        side: Side::Buy,
        price: price.parse().unwrap(),
        quantity: "0.001".parse().unwrap(),
        fee: "0.000001".parse().unwrap(),
        fee_asset: "BTC".parse().unwrap(),
        liquidity: Liquidity::Taker,
        at: AT,
    }
}

fn order(name: &str, events: &[OrderEvent]) -> Order {
    let request = NewOrder {
        client_order_id: name.parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        side: Side::Buy,
        quantity: "0.001".parse().unwrap(),
        kind: OrderKind::Market,
    };
    let mut order = Order::new(request, "c-1".parse().unwrap(), AT);
    for event in events {
        order.apply(event, AT).unwrap();
    }
    order
}

/// A record with one filled order, and the truth that it is of.
fn agreed() -> (Record, Truth) {
    let known = OrderEvent::Acknowledged { order_id: OrderId(7) };
    let record = Record {
        orders: vec![order("b4-1", &[OrderEvent::Sent, known, OrderEvent::Filled(fill("60000"))])],
        fills: vec![fill("60000")],
        paid_in: BTreeMap::from([("USDT".to_owned(), 100_000_000_000_000)]),
        found_as: BTreeMap::new(),
    };
    let told = TrueOrder {
        client_id: "b4-1".to_owned(),
        status: "FILLED".to_owned(),
        fills: BTreeMap::from([(
            3,
            TrueFill { value: 60_000_000_000_000, fee: 1_000_000, fee_asset: "BTC".to_owned() },
        )]),
    };
    let truth = Truth {
        orders: BTreeMap::from([(("BTCUSDT".to_owned(), 7), told)]),
        balances: BTreeMap::from([
            ("USDT".to_owned(), 40_000_000_000_000),
            ("BTC".to_owned(), 999_000_000),
        ]),
        paid_in: record.paid_in.clone(),
        ..Truth::default()
    };
    (record, truth)
}

#[track_caller]
fn finds(record: &Record, truth: &Truth, expected: &[&str]) {
    let found = record.against(truth).unwrap();
    let kinds: Vec<&str> =
        found.kinds().into_iter().filter(|(_, of)| !of.is_empty()).map(|(kind, _)| kind).collect();
    assert_eq!(kinds, expected, "{found:#?}");
}

#[test]
fn where_record_and_truth_agree_there_is_no_breach() {
    let (record, truth) = agreed();
    finds(&record, &truth, &[]);
}

#[test]
fn a_second_order_of_the_same_name_is_a_duplicate_and_an_orphan() {
    let (record, mut truth) = agreed();
    let told = truth.orders[&("BTCUSDT".to_owned(), 7)].clone();
    truth.orders.insert(("BTCUSDT".to_owned(), 8), TrueOrder { fills: BTreeMap::new(), ..told });
    finds(&record, &truth, &["duplicates", "orphans"]);
}

#[test]
fn an_order_of_ours_that_was_adopted_is_a_duplicate() {
    let (mut record, truth) = agreed();
    record.found_as.insert("b4f-1".to_owned(), "b4-1".to_owned());
    finds(&record, &truth, &["duplicates"]);
}

#[test]
fn a_name_of_the_venue_that_begins_like_ours_by_chance_is_not_ours() {
    let (mut record, truth) = agreed();
    record.found_as.insert("b4f-1".to_owned(), "b4yz9XXMRsNaQERg7o81e7".to_owned());
    finds(&record, &truth, &[]);
}

#[test]
fn a_trade_that_is_not_on_record_is_a_loss_even_if_it_was_booked_as_paid_in() {
    let (mut record, truth) = agreed();
    record.fills.clear();
    let known = OrderEvent::Acknowledged { order_id: OrderId(7) };
    record.orders = vec![order("b4-1", &[OrderEvent::Sent, known])];
    record.paid_in.insert("USDT".to_owned(), 40_000_000_000_000);
    record.paid_in.insert("BTC".to_owned(), 999_000_000);
    finds(&record, &truth, &["losses", "books"]);
}

#[test]
fn a_trade_with_another_price_is_a_loss_and_in_the_books() {
    let (mut record, truth) = agreed();
    let known = OrderEvent::Acknowledged { order_id: OrderId(7) };
    let events = [OrderEvent::Sent, known, OrderEvent::Filled(fill("60000.01"))];
    record.orders = vec![order("b4-1", &events)];
    record.fills = vec![fill("60000.01")];
    finds(&record, &truth, &["losses", "books"]);
}

#[test]
fn one_unit_is_in_the_books() {
    let (record, mut truth) = agreed();
    truth.balances.insert("BTC".to_owned(), 999_000_001);
    finds(&record, &truth, &["books"]);
}

#[test]
fn an_order_the_venue_has_and_the_record_calls_rejected_is_a_false_reject() {
    let (mut record, truth) = agreed();
    let refused = OrderEvent::Rejected { code: "-1".into(), message: "no".to_owned() };
    record.orders = vec![order("b4-1", &[OrderEvent::Sent, refused])];
    finds(&record, &truth, &["orphans", "false rejects"]);
}

#[test]
fn an_order_without_an_outcome_is_unknown_and_one_the_venue_lacks_a_phantom() {
    let (mut record, mut truth) = agreed();
    record.orders.push(order("b4-2", &[OrderEvent::Sent]).in_list("l-1".parse().unwrap()));
    finds(&record, &truth, &["unknown"]);
    truth.orders.clear();
    record.orders.pop();
    finds(&record, &truth, &["losses", "phantoms"]);
}

#[test]
fn an_answer_that_says_no_to_what_was_done_is_a_false_reject() {
    let (record, truth) = agreed();
    let asked = |answer| [Asked { id: "c-1".to_owned(), tool: "place_order", makes: 1, answer }];
    assert!(record.answers(&asked(Ok(serde_json::Value::Null)), &truth).is_none());
    let no = record.answers(&asked(Err(Failure::unavailable("not sent"))), &truth);
    assert_eq!(no.false_rejects.len(), 1, "{no:?}");
    let unknown = Failure::unknown("nobody knows", None);
    assert!(record.answers(&asked(Err(unknown)), &truth).is_none());
    let claimed = [Asked { id: "c-2".to_owned(), ..asked(Ok(serde_json::Value::Null))[0].clone() }];
    assert_eq!(record.answers(&claimed, &truth).phantoms.len(), 1);
}

#[test]
fn amounts_are_counted_in_atoms_to_the_last_one() {
    let of = |text: &str| atoms(text.parse().unwrap());
    assert_eq!(of("0.000000000001").unwrap(), 1);
    assert_eq!(of("-2.5").unwrap(), -2_500_000_000_000);
    let error = of("0.0000000000001").unwrap_err().to_string();
    assert_eq!(error, "0.0000000000001 cannot be held in atoms");
}
