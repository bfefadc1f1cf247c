//! Orders in the journal, on both databases: what is read back is what was written, and what does
//! not follow is refused.

use domain::{NewOrder, OrderId, OrderKind, Side, StopLimit, StopRole, TimeInForce, Trigger};
use journal::{Appended, Intent, Journal, JournalError, News, OrderFilter};
use orders::{Order, OrderEvent, VenueAnswer};
use risk::Halt;

use crate::places::{
    Place, ack, amount, at, command_id, fill, intend, intent, on_both, record, request,
};

/// Every kind of event there is, in stories that are possible.
fn stories() -> Vec<(Order, Vec<OrderEvent>)> {
    let reason = || "timeout".to_owned();
    let (code, message) = (|| "-2010".into(), || "insufficient balance".to_owned());
    let rejected = OrderEvent::Rejected { code: code(), message: message() };
    let answer = |answer| vec![OrderEvent::OutcomeUnknown { reason: reason() }, answer];
    let open = VenueAnswer::Open { order_id: OrderId(9), executed: amount("0.5") };
    let canceled = VenueAnswer::Canceled { order_id: OrderId(9), executed: amount("0.5") };
    let expired = VenueAnswer::Expired { order_id: OrderId(9), executed: amount("0") };
    let refused = VenueAnswer::Rejected { code: code(), message: message() };
    let order = |number: usize| intent(&format!("b4-{number}"), "BTCUSDT", 1);
    let first = order(0);
    let filled = vec![
        OrderEvent::Sent,
        ack(u64::try_from(i64::MAX).unwrap()),
        fill(&first, 1, "4"),
        OrderEvent::CancelRequested,
        OrderEvent::CancelUnknown { reason: reason() },
        OrderEvent::CancelRejected { code: code(), message: message() },
        OrderEvent::SightLost { reason: reason() },
        fill(&first, 2, "6"),
    ];
    let rest = [
        vec![OrderEvent::Sent, rejected],
        vec![ack(3), OrderEvent::Canceled { executed: amount("0") }],
        vec![ack(4), OrderEvent::Expired { executed: amount("0.00000001") }],
        answer(OrderEvent::Resolved(open)),
        answer(OrderEvent::Resolved(canceled)),
        answer(OrderEvent::Resolved(expired)),
        answer(OrderEvent::Resolved(refused)),
        answer(OrderEvent::Resolved(VenueAnswer::Filled { order_id: OrderId(9) })),
        answer(OrderEvent::Resolved(VenueAnswer::NotFound)),
    ];
    let rest = rest.into_iter().zip(1..).map(|(events, number)| (order(number), events));
    std::iter::once((first, filled)).chain(rest).collect()
}

async fn names(journal: &Journal, filter: &OrderFilter, limit: u32) -> Vec<String> {
    let orders = journal.load_orders("paper", filter, limit).await.unwrap();
    orders.iter().map(|order| order.request().client_order_id.to_string()).collect()
}

#[tokio::test]
async fn every_event_survives_closing_and_opening() {
    on_both(async |place: &Place, journal: Journal| {
        let mut ended = Vec::new();
        for (mut order, events) in stories() {
            let recorded = intend(&journal, &order).await.unwrap();
            assert_eq!(recorded, Intent::Recorded { halt_version: 1 });
            for (event, millis) in events.iter().zip(2..) {
                record(&journal, &mut order, event, millis).await;
            }
            ended.push(order);
        }
        journal.close().await;
        let journal = place.open().await;
        for order in &ended {
            let id = &order.request().client_order_id;
            assert_eq!(journal.load_order(id).await.unwrap().as_ref(), Some(order));
        }
        let unsettled: Vec<Order> = ended.into_iter().filter(|order| !order.is_settled()).collect();
        assert_eq!(journal.load_open_orders("paper").await.unwrap(), unsettled);
        assert!(unsettled.len() >= 4, "{}", unsettled.len());
        let page = journal.load_fills("paper", None, 0, 1).await.unwrap();
        assert_eq!((page.rows[0].trade_id, page.rows[0].fee), (1, amount("0.00000001")));
        let page = journal.load_fills("paper", None, page.next_after().unwrap(), 9).await.unwrap();
        assert_eq!((page.rows.len(), page.rows[0].trade_id), (1, 2));
        let other = "ETHUSDT".parse().unwrap();
        assert!(journal.load_fills("paper", Some(&other), 0, 9).await.unwrap().rows.is_empty());
        let last = journal.load_fills("paper", None, page.next_after().unwrap(), 9).await.unwrap();
        assert_eq!((last.rows.len(), last.next_after()), (0, None));
    })
    .await;
}

#[tokio::test]
async fn every_kind_of_request_survives() {
    on_both(async |_place: &Place, journal: Journal| {
        let price = "0.00000001".parse().unwrap();
        let limit = |time_in_force, post_only| OrderKind::Limit { price, time_in_force, post_only };
        let kinds = [
            OrderKind::Market,
            limit(TimeInForce::GoodTilCanceled, false),
            limit(TimeInForce::ImmediateOrCancel, false),
            limit(TimeInForce::FillOrKill, false),
            limit(TimeInForce::GoodTilCanceled, true),
        ];
        for (kind, number) in kinds.into_iter().zip(0..) {
            let mut request = request(&format!("b4-{number}"), "1000SATSUSDT");
            request.kind = kind;
            request.side = Side::Sell;
            request.quantity = "79228162514264337593543950335".parse().unwrap();
            let order = Order::new(request, "cmd/1".parse().unwrap(), at(-5));
            intend(&journal, &order).await.unwrap();
            let id = &order.request().client_order_id;
            assert_eq!(journal.load_order(id).await.unwrap(), Some(order));
        }
    })
    .await;
}

#[tokio::test]
async fn an_intent_is_recorded_once_and_only_while_trading_runs() {
    on_both(async |_place: &Place, journal: Journal| {
        let order = intent("b4-1", "BTCUSDT", 1);
        let recorded = intend(&journal, &order).await.unwrap();
        assert_eq!(recorded, Intent::Recorded { halt_version: 1 });
        assert_eq!(intend(&journal, &order).await.unwrap(), Intent::Duplicate);
        let halted = journal.halt("drill", "ann", at(5)).await.unwrap();
        let stopped = Intent::Stopped(halted);
        let other = intent("b4-2", "BTCUSDT", 1);
        assert_eq!(intend(&journal, &other).await.unwrap(), stopped);
        let id = &other.request().client_order_id;
        assert_eq!(journal.load_order(id).await.unwrap(), None);
        journal.resume("ann", at(6)).await.unwrap();
        let recorded = intend(&journal, &other).await.unwrap();
        assert_eq!(recorded, Intent::Recorded { halt_version: 3 });
        let mut taken = intent("b4-3", "BTCUSDT", 1);
        taken.apply(&ack(7), at(2)).unwrap();
        let error = intend(&journal, &taken).await.unwrap_err();
        assert_eq!(error.to_string(), "order b4-3: is open and no intent");
    })
    .await;
}

#[tokio::test]
async fn a_journal_without_halt_state_takes_no_intent() {
    on_both(async |place: &Place, journal: Journal| {
        place.tamper("DELETE FROM halt").await;
        let recorded = intend(&journal, &intent("b4-1", "BTCUSDT", 1)).await.unwrap();
        assert_eq!(recorded, Intent::Stopped(Halt::Missing));
    })
    .await;
}

#[tokio::test]
async fn what_is_known_already_is_not_written_again() {
    on_both(async |_place: &Place, journal: Journal| {
        let mut order = intent("b4-1", "BTCUSDT", 1);
        intend(&journal, &order).await.unwrap();
        let traded = fill(&order, 1, "4");
        record(&journal, &mut order, &traded, 2).await;
        let again = journal.append(&traded, at(3), &order).await.unwrap();
        assert_eq!(again, Appended::Nothing);
        assert_eq!(journal.load_fills("paper", None, 0, 9).await.unwrap().rows.len(), 1);
        record(&journal, &mut order, &ack(7), 4).await;
        let id = &order.request().client_order_id;
        assert_eq!(journal.load_order(id).await.unwrap().as_ref(), Some(&order));
    })
    .await;
}

#[tokio::test]
async fn what_does_not_follow_is_refused_and_not_written() {
    on_both(async |_place: &Place, journal: Journal| {
        let mut order = intent("b4-1", "BTCUSDT", 1);
        intend(&journal, &order).await.unwrap();
        let stale = order.clone();
        record(&journal, &mut order, &ack(7), 2).await;
        let mut behind = stale;
        behind.apply(&OrderEvent::Sent, at(3)).unwrap();
        let error = journal.append(&OrderEvent::Sent, at(3), &behind).await.unwrap_err();
        let message = "order b4-1: after sent the journal has it open with 0 filled, \
                       the writer sent with 0 filled";
        assert_eq!(error.to_string(), message);
        let other_id = ack(8);
        let error = journal.append(&other_id, at(3), &order).await.unwrap_err();
        let message = "order b4-1: acknowledged: the venue calls the order 8 and called it 7";
        assert_eq!(error.to_string(), message);
        let id = &order.request().client_order_id;
        assert_eq!(journal.load_order(id).await.unwrap().as_ref(), Some(&order));

        let unknown = intent("b4-9", "BTCUSDT", 1);
        let error = journal.append(&OrderEvent::Sent, at(3), &unknown).await.unwrap_err();
        assert_eq!(error.to_string(), "the journal has no order b4-9");
        let mut large = order.clone();
        let traded = fill(&order, u64::MAX, "1");
        large.apply(&traded, at(3)).unwrap();
        let error = journal.append(&traded, at(3), &large).await.unwrap_err();
        let message = "trade_id: 18446744073709551615 is more than the largest that can be kept, \
                       9223372036854775807";
        assert_eq!(error.to_string(), message);

        let mut first = order;
        let traded = fill(&first, 1, "1");
        record(&journal, &mut first, &traded, 4).await;
        let mut second = intent("b4-2", "BTCUSDT", 1);
        intend(&journal, &second).await.unwrap();
        let traded = fill(&second, 1, "1");
        second.apply(&traded, at(5)).unwrap();
        let error = journal.append(&traded, at(5), &second).await.unwrap_err();
        assert_eq!(error.to_string(), "order b4-2: trade 1 of BTCUSDT belongs to another order");
    })
    .await;
}

/// Every story in one transaction, with each event told twice.
#[tokio::test]
async fn what_is_learnt_together_is_recorded_together() {
    on_both(async |_place: &Place, journal: Journal| {
        for (order, events) in stories() {
            intend(&journal, &order).await.unwrap();
            let after = told(&order, &events);
            let twice = |(event, after)| [News { event, at: at(2), after }; 2];
            let news: Vec<News<'_>> = events.iter().zip(&after).flat_map(twice).collect();
            let appended = journal.append_all(&news).await.unwrap();
            for pair in appended.chunks(2) {
                assert!(matches!(pair, [Appended::Recorded { .. }, Appended::Nothing]), "{pair:?}");
            }
            let id = &order.request().client_order_id;
            assert_eq!(journal.load_order(id).await.unwrap().as_ref(), after.last());
        }
        assert_eq!(journal.append_all(&[]).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn of_what_is_learnt_together_nothing_is_recorded_when_a_part_does_not_follow() {
    on_both(async |_place: &Place, journal: Journal| {
        let (first, second) = (intent("b4-1", "BTCUSDT", 1), intent("b4-2", "BTCUSDT", 1));
        let events = [ack(7), fill(&first, 1, "4")];
        for order in [&first, &second] {
            intend(&journal, order).await.unwrap();
        }
        let after = told(&first, &events);
        let news = |index: usize, after| News { event: &events[index], at: at(2), after };
        // The writer forgot the acknowledgement.
        let [mut behind, unlike] = [first.clone(), second.clone()];
        behind.apply(&events[1], at(2)).unwrap();
        for wrong in [&behind, &unlike] {
            let news = [news(0, &after[0]), news(1, wrong)];
            let error = journal.append_all(&news).await.unwrap_err();
            assert!(matches!(error, JournalError::Conflict { .. }), "{error}");
        }
        for order in [&first, &second] {
            let id = &order.request().client_order_id;
            assert_eq!(journal.load_order(id).await.unwrap().as_ref(), Some(order));
        }
        assert!(journal.load_fills("paper", None, 0, 9).await.unwrap().rows.is_empty());
    })
    .await;
}

/// The order after each of these events.
fn told(order: &Order, events: &[OrderEvent]) -> Vec<Order> {
    let mut after = order.clone();
    let next = |event: &OrderEvent| {
        after.apply(event, at(2)).unwrap();
        after.clone()
    };
    events.iter().map(next).collect()
}

#[tokio::test]
async fn orders_are_found_by_symbol_state_and_time() {
    on_both(async |_place: &Place, journal: Journal| {
        for (number, symbol) in ["BTCUSDT", "ETHUSDT", "BTCUSDT", "BTCUSDT"].iter().enumerate() {
            let created = i64::try_from(number).unwrap();
            let mut order = intent(&format!("b4-{number}"), symbol, created);
            intend(&journal, &order).await.unwrap();
            if number == 3 {
                record(&journal, &mut order, &OrderEvent::Sent, 9).await;
            }
        }
        let every = OrderFilter::default();
        assert_eq!(names(&journal, &every, 9).await, ["b4-3", "b4-2", "b4-1", "b4-0"]);
        assert_eq!(names(&journal, &every, 1).await, ["b4-3"]);
        let btc = OrderFilter { symbol: "BTCUSDT".parse().ok(), ..every.clone() };
        assert_eq!(names(&journal, &btc, 9).await, ["b4-3", "b4-2", "b4-0"]);
        let intended = OrderFilter { state: Some("intended"), since: Some(at(1)), ..btc };
        assert_eq!(names(&journal, &intended, 9).await, ["b4-2"]);
    })
    .await;
}

#[tokio::test]
async fn every_kind_of_order_and_its_reduction_come_back_as_they_were() {
    let price = |text: &str| text.parse().unwrap();
    let limit = StopLimit { price: price("61000"), time_in_force: TimeInForce::FillOrKill };
    let trailing = |activation| Trigger::Trailing { delta_bips: 150, activation };
    let (stop, profit) = (StopRole::StopLoss, StopRole::TakeProfit);
    let kinds = [
        OrderKind::Market,
        OrderKind::Stop { role: stop, trigger: Trigger::Price(price("60000")), limit: None },
        OrderKind::Stop {
            role: profit,
            trigger: Trigger::Price(price("62000")),
            limit: Some(limit),
        },
        OrderKind::Stop { role: stop, trigger: trailing(None), limit: None },
        OrderKind::Stop { role: stop, trigger: trailing(Some(price("61500"))), limit: Some(limit) },
    ];
    on_both(async |_, journal: Journal| {
        for (kind, name) in kinds.into_iter().zip(["b4-1", "b4-2", "b4-3", "b4-4", "b4-5"]) {
            let request = NewOrder { kind, ..request(name, "BTCUSDT") };
            let mut order = Order::new(request, command_id("cmd-1"), at(1));
            intend(&journal, &order).await.unwrap();
            let reduced = OrderEvent::Reduced { quantity: "7".parse().unwrap() };
            record(&journal, &mut order, &reduced, 2).await;
            let id = &order.request().client_order_id;
            assert_eq!(journal.load_order(id).await.unwrap().as_ref(), Some(&order), "{kind:?}");
            assert_eq!(order.remaining(), amount("7"));
        }
    })
    .await;
}

#[tokio::test]
async fn two_writers_of_one_order_cannot_both_go_on() {
    on_both(async |place: &Place, journal: Journal| {
        let second = place.open().await;
        let order = intent("b4-1", "BTCUSDT", 1);
        intend(&journal, &order).await.unwrap();
        let write = async |journal: &Journal, trade_id: u64| {
            let (mut after, traded) = (order.clone(), fill(&order, trade_id, "1"));
            after.apply(&traded, at(2)).unwrap();
            journal.append(&traded, at(2), &after).await
        };
        let (one, two) = tokio::join!(write(&journal, 1), write(&second, 2));
        let conflicts = [&one, &two]
            .into_iter()
            .filter(|result| matches!(result, Err(JournalError::Conflict { .. })))
            .count();
        assert_eq!(conflicts, 1, "{one:?} {two:?}");
        assert_eq!(journal.load_fills("paper", None, 0, 9).await.unwrap().rows.len(), 1);
        second.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_tampered_with_is_refused_by_name() {
    let server = testkit::Postgres::shared().unwrap();
    let tampered = [
        (
            "UPDATE orders SET state = 'filled'",
            "the journal's table orders is corrupt: order b4-1 is filled with 4 filled in 2 \
             events, its events say open, 4, 2",
        ),
        (
            "DELETE FROM order_events WHERE number = 1",
            "the journal's table order_events is corrupt: order b4-1 lacks event 1",
        ),
        (
            "UPDATE order_events SET kind = 'melted' WHERE number = 1",
            "the journal's table order_events is corrupt: event 1 has kind \"melted\"",
        ),
        (
            "DELETE FROM fills",
            "the journal's table order_events is corrupt: event 2, \"filled\", lacks its row in \
             fills",
        ),
        (
            "UPDATE fills SET quantity = '11'",
            "the journal's table order_events is corrupt: event 2 of order b4-1: filled: 11 \
             executed is more than the 10 ordered, or less than zero",
        ),
        (
            "UPDATE fills SET price = 'NaN'",
            "the journal's table fills is corrupt: price \"NaN\" must be a plain decimal number in \
             text, for example \"0.015\"",
        ),
        (
            "UPDATE orders SET quantity = ''",
            "the journal's table orders is corrupt: quantity \"\" must be a plain decimal number \
             in text, for example \"0.015\"",
        ),
        (
            "UPDATE orders SET price = NULL",
            "the journal's table orders is corrupt: order b4-1 has kind \"limit\" with other \
             columns",
        ),
    ];
    for (statement, message) in tampered {
        on_both(async |place: &Place, journal: Journal| {
            let mut order = intent("b4-1", "BTCUSDT", 1);
            intend(&journal, &order).await.unwrap();
            record(&journal, &mut order, &ack(7), 2).await;
            let traded = fill(&order, 1, "4");
            record(&journal, &mut order, &traded, 3).await;
            place.tamper(statement).await;
            let error = journal.load_open_orders("paper").await.unwrap_err();
            assert_eq!(error.to_string(), message, "{statement}");
        })
        .await;
    }
    drop(server);
}
