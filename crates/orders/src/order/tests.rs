//! Orders: each refusal names state and event, and no arrival order changes the outcome.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that overflows or misses an index should fail"
)]

use super::*;
use domain::{Liquidity, OrderKind, Side, TimeInForce};
use proptest::prelude::*;
use proptest::sample::Index;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn order() -> Order {
    let request = NewOrder {
        client_order_id: "b4-1".parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        side: Side::Buy,
        quantity: "10".parse().unwrap(),
        kind: OrderKind::Limit {
            price: "100".parse().unwrap(),
            time_in_force: TimeInForce::GoodTilCanceled,
            post_only: false,
        },
    };
    Order::new(request, "cmd-1".parse().unwrap(), at(0))
}

fn fill(trade_id: u64, quantity: &str) -> OrderEvent {
    OrderEvent::Filled(Fill {
        trade_id,
        client_order_id: "b4-1".parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        side: Side::Buy,
        price: "99.5".parse().unwrap(),
        quantity: quantity.parse().unwrap(),
        fee: amount("0.01"),
        fee_asset: "BTC".parse().unwrap(),
        liquidity: Liquidity::Maker,
        at: at(1),
    })
}

const fn ack() -> OrderEvent {
    OrderEvent::Acknowledged { order_id: OrderId(7) }
}

fn canceled(executed: &str) -> OrderEvent {
    OrderEvent::Canceled { executed: amount(executed) }
}

fn expired(executed: &str) -> OrderEvent {
    OrderEvent::Expired { executed: amount(executed) }
}

fn rejected() -> OrderEvent {
    OrderEvent::Rejected { code: "-2010".into(), message: "insufficient balance".to_owned() }
}

fn unknown() -> OrderEvent {
    OrderEvent::OutcomeUnknown { reason: "timeout".to_owned() }
}

fn sight_lost() -> OrderEvent {
    OrderEvent::SightLost { reason: "stream gap".to_owned() }
}

fn cancel_rejected() -> OrderEvent {
    OrderEvent::CancelRejected { code: "-2011".into(), message: "unknown order".to_owned() }
}

fn resolved(answer: VenueAnswer) -> OrderEvent {
    OrderEvent::Resolved(answer)
}

fn after(events: &[OrderEvent]) -> Order {
    let mut order = order();
    for (event, millis) in events.iter().zip(1..) {
        order.apply(event, at(millis)).unwrap_or_else(|e| panic!("{}: {e}", event.name()));
    }
    order
}

/// The event after the others is refused with this message, and changes nothing.
#[track_caller]
fn refused(events: &[OrderEvent], event: &OrderEvent, message: &str) {
    let mut order = after(events);
    let before = order.clone();
    assert_eq!(order.apply(event, at(99)).unwrap_err().to_string(), message);
    assert_eq!(order, before);
}

/// The state after the events, by name.
#[track_caller]
fn ends(events: &[OrderEvent], name: &str) {
    assert_eq!(after(events).state().name(), name);
}

#[test]
fn an_order_lives_from_intent_to_its_last_fill() {
    ends(&[], "intended");
    ends(&[OrderEvent::Sent], "sent");
    let open = after(&[OrderEvent::Sent, ack(), fill(1, "4")]);
    let state = OrderState::Open { order_id: Some(OrderId(7)), filled: amount("4") };
    assert_eq!(open.state(), state);
    assert_eq!(open.remaining(), amount("6"));
    let done = after(&[OrderEvent::Sent, ack(), fill(1, "4"), fill(2, "6")]);
    assert_eq!(done.state(), OrderState::Filled);
    assert_eq!(done.totals().cost, amount("995"));
    assert_eq!(done.totals().average_price().unwrap().to_string(), "99.5");
    assert_eq!(done.totals().fees[&"BTC".parse::<Asset>().unwrap()], amount("0.02"));
    assert_eq!((done.sent_at(), done.updated_at()), (Some(at(1)), at(4)));
    assert!(done.is_settled());
}

#[test]
fn unknown_is_left_by_evidence_only() {
    let lost = [OrderEvent::Sent, unknown()];
    let state = after(&lost).state();
    let reason = "timeout".to_owned();
    assert_eq!(state, OrderState::Unknown { since: at(2), filled: Amount::ZERO, reason });
    assert!(!state.is_final());
    let then = |event: OrderEvent| [OrderEvent::Sent, unknown(), event];
    ends(&then(OrderEvent::Sent), "unknown");
    ends(&then(unknown()), "unknown");
    ends(&then(OrderEvent::CancelRequested), "unknown");
    ends(&then(cancel_rejected()), "unknown");
    ends(&then(ack()), "open");
    ends(&then(fill(1, "1")), "open");
    ends(&then(fill(1, "10")), "filled");
    ends(&then(rejected()), "rejected");
    ends(&then(canceled("0")), "canceled");
    ends(&then(resolved(VenueAnswer::Filled { order_id: OrderId(7) })), "filled");
    ends(&then(resolved(VenueAnswer::NotFound)), "rejected");
}

#[test]
fn what_may_have_been_sent_is_not_sent_again() {
    let message = "an order that is unknown cannot be sent";
    refused(&[unknown()], &OrderEvent::Sent, message);
}

#[test]
fn an_answer_that_was_on_its_way_already_ends_no_doubt() {
    let lost = [OrderEvent::Sent, ack(), fill(1, "4"), sight_lost()];
    let state = after(&lost).state();
    let reason = "stream gap".to_owned();
    assert_eq!(state, OrderState::Unknown { since: at(4), filled: amount("4"), reason });
    let with = |event: OrderEvent| [&lost[..], &[event]].concat();
    ends(&with(ack()), "unknown");
    ends(&with(fill(1, "4")), "unknown");
    ends(&with(fill(2, "1")), "open");
    let open = VenueAnswer::Open { order_id: OrderId(7), executed: amount("5") };
    let found = after(&with(resolved(open)));
    assert_eq!(found.state().name(), "open");
    assert_eq!(found.missing_fills(), amount("1"));
}

#[test]
fn a_fill_after_the_request_to_cancel_counts() {
    let order = after(&[OrderEvent::Sent, ack(), OrderEvent::CancelRequested, fill(1, "3")]);
    assert_eq!(*order.cancel(), Cancel::Requested { since: at(3) });
    assert_eq!(order.filled(), amount("3"));
    let order = after(&[OrderEvent::Sent, ack(), OrderEvent::CancelRequested, cancel_rejected()]);
    let (code, message) = ("-2011".into(), "unknown order".to_owned());
    assert_eq!(*order.cancel(), Cancel::Refused { code, message });
    assert_eq!(order.state().name(), "open");
    let unheard = OrderEvent::CancelUnknown { reason: "timeout".to_owned() };
    let order = after(&[OrderEvent::Sent, ack(), OrderEvent::CancelRequested, unheard.clone()]);
    let reason = "timeout".to_owned();
    assert_eq!(*order.cancel(), Cancel::Unknown { since: at(4), reason });
    refused(&[ack()], &unheard, "an order that is open cannot be cancel_unknown");
}

#[test]
fn a_cancel_that_counts_more_than_the_fills_waits_for_them() {
    let order = after(&[ack(), canceled("4"), fill(1, "1")]);
    assert_eq!(order.state(), OrderState::Canceled { filled: amount("4") });
    assert_eq!(order.missing_fills(), amount("3"));
    assert!(!order.is_settled());
    assert!(after(&[ack(), canceled("4"), fill(1, "1"), fill(2, "3")]).is_settled());
}

#[test]
fn a_proof_is_stronger_than_an_absence() {
    let absent = [OrderEvent::Sent, unknown(), resolved(VenueAnswer::NotFound)];
    let state = after(&absent).state();
    let message = "the venue does not know the order".to_owned();
    assert_eq!(state, OrderState::Rejected { code: NOT_AT_VENUE.into(), message });
    ends(&[&absent[..], &[fill(1, "2")]].concat(), "open");
    ends(&[&absent[..], &[ack()]].concat(), "open");
}

#[test]
fn impossible_events_name_state_and_event() {
    refused(&[rejected()], &ack(), "an order that is rejected cannot be acknowledged");
    refused(&[rejected()], &fill(1, "1"), "an order that is rejected cannot be filled");
    refused(&[ack()], &rejected(), "an order that is open cannot be rejected");
    refused(&[canceled("0")], &expired("0"), "an order that is canceled cannot be expired");
    refused(&[fill(1, "10")], &canceled("9"), "an order that is filled cannot be canceled");
    refused(&[], &sight_lost(), "an order that is intended cannot be sight_lost");
    refused(
        &[ack()],
        &resolved(VenueAnswer::NotFound),
        "an order that is open cannot be resolved_not_found",
    );
    refused(
        &[ack(), sight_lost()],
        &resolved(VenueAnswer::NotFound),
        "an order that is unknown cannot be resolved_not_found",
    );
    refused(
        &[canceled("1")],
        &resolved(VenueAnswer::Filled { order_id: OrderId(7) }),
        "an order that is canceled cannot be resolved_filled",
    );
}

#[test]
fn numbers_that_contradict_are_refused() {
    refused(
        &[fill(1, "6")],
        &fill(2, "5"),
        "filled: 11 executed is more than the 10 ordered, or less than zero",
    );
    refused(
        &[],
        &canceled("11"),
        "canceled: 11 executed is more than the 10 ordered, or less than zero",
    );
    refused(
        &[],
        &canceled("-1"),
        "canceled: -1 executed is more than the 10 ordered, or less than zero",
    );
    refused(
        &[ack()],
        &OrderEvent::Acknowledged { order_id: OrderId(8) },
        "acknowledged: the venue calls the order 8 and called it 7",
    );
    refused(&[fill(1, "6")], &fill(1, "3"), "filled: trade 1 was told before with other numbers");
    let OrderEvent::Filled(one) = fill(1, "1") else { panic!("not a fill") };
    let other = Fill { client_order_id: "b4-2".parse().unwrap(), ..one.clone() };
    let message = "filled: the fill is of b4-2 and the order is b4-1";
    refused(&[], &OrderEvent::Filled(other), message);
    let other = Fill { side: Side::Sell, ..one };
    let message = "filled: trade 1 has another symbol or side than the order";
    refused(&[], &OrderEvent::Filled(other), message);
}

/// What the venue may tell of one order: parts that trade, and how it ends.
fn venue_events() -> impl Strategy<Value = Vec<OrderEvent>> {
    (proptest::collection::vec(1u32..=4, 0..5), 0..4usize).prop_map(|(parts, end)| {
        let mut events = vec![ack()];
        let mut executed = 0;
        for (part, trade_id) in parts.into_iter().zip(1..) {
            if executed + part <= 10 {
                executed += part;
                events.push(fill(trade_id, &part.to_string()));
            }
        }
        let (count, order_id) = (executed.to_string(), OrderId(7));
        let executed = amount(&count);
        events.push(match end {
            _ if executed == amount("10") => resolved(VenueAnswer::Filled { order_id }),
            0 => canceled(&count),
            1 => expired(&count),
            2 => resolved(VenueAnswer::Open { order_id, executed }),
            _ => resolved(VenueAnswer::Canceled { order_id, executed }),
        });
        events
    })
}

/// Shuffles the venue's events with duplicates, and weaves our own in, in their own order.
fn woven(venue: &[OrderEvent], ours: &[OrderEvent], picks: &[Index]) -> Vec<OrderEvent> {
    let mut story: Vec<OrderEvent> = Vec::new();
    let (shuffled, places) = picks.split_at(picks.len() / 2);
    for (event, pick) in venue.iter().chain(venue).zip(shuffled.iter().cycle()) {
        story.insert(pick.index(story.len() + 1), event.clone());
    }
    let mut floor = 0;
    for (event, pick) in ours.iter().zip(places.iter().cycle()) {
        let place = floor + pick.index(story.len() - floor + 1);
        story.insert(place, event.clone());
        floor = place + 1;
    }
    story
}

proptest! {
    #[test]
    fn any_order_of_arrival_and_any_duplicates_end_the_same(
        venue in venue_events(),
        cancels in any::<bool>(),
        doubts in any::<bool>(),
        picks in proptest::collection::vec(any::<Index>(), 24),
    ) {
        let mut ours = vec![OrderEvent::Sent];
        if doubts {
            ours.push(unknown());
        }
        if cancels {
            ours.extend([OrderEvent::CancelRequested, cancel_rejected()]);
        }
        let straight = after(&[&ours[..], &venue[..]].concat());
        let mut order = order();
        for (event, millis) in woven(&venue, &ours, &picks).iter().zip(1..) {
            let told = order.apply(event, at(millis));
            prop_assert!(told.is_ok(), "{}: {:?}", event.name(), told);
            prop_assert!(order.totals().executed <= order.request().quantity.amount());
            prop_assert!(order.filled() <= order.request().quantity.amount());
            let again = order.apply(event, at(millis)).unwrap();
            prop_assert_eq!(again, Applied::Nothing, "{} twice", event.name());
        }
        prop_assert_eq!(order.state(), straight.state());
        prop_assert_eq!(order.cancel(), straight.cancel());
        prop_assert_eq!(order.totals(), straight.totals());
        prop_assert_eq!(order.order_id(), straight.order_id());
        prop_assert_eq!(order.missing_fills(), Amount::ZERO);
    }

    #[test]
    fn no_events_whatever_execute_more_than_was_ordered(
        events in proptest::collection::vec((0u64..6, 1u32..9, 0usize..6), 0..30),
    ) {
        let mut order = order();
        for (trade_id, quantity, kind) in events {
            let count = quantity.to_string();
            let event = match kind {
                0 => canceled(&count),
                1 => resolved(VenueAnswer::Open { order_id: OrderId(7), executed: amount(&count) }),
                2 => sight_lost(),
                _ => fill(trade_id, &count),
            };
            let before = order.clone();
            if order.apply(&event, at(1)).is_err() {
                prop_assert_eq!(&order, &before);
            }
            prop_assert!(order.filled() <= order.request().quantity.amount());
            prop_assert!(order.totals().executed <= order.filled());
            prop_assert!(!order.remaining().is_negative());
        }
    }
}
