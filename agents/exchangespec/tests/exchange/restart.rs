//! Dropped without a word and started again, the account is what it was.

use std::time::Duration;

use domain::{NewOrder, OrderKind, Side};
use journal::{Begun, Journal, NewCommand, Sender};
use serde_json::json;

use crate::house::{House, limit, market, now, orders as listed_orders, with_exchange};

#[tokio::test]
async fn an_agent_that_falls_silent_is_succeeded_with_the_same_books() {
    let house = House::new(&[]).await;
    house.place(market("BTCUSDT", "buy", "0.01")).await.unwrap();
    house.place(limit("ETHUSDT", "buy", "0.3", "2500")).await.unwrap();
    house.place(market("BTCUSDT", "sell", "0.004")).await.unwrap();
    let (before, listed) = (house.account().await, listed_orders(&house.client).await);
    let after = house.again().await;
    let account = after.account().await;
    assert_eq!(account["balances"], before["balances"]);
    for key in ["quantity", "average_cost", "realised_pnl", "symbol"] {
        assert_eq!(account["positions"][0][key], before["positions"][0][key]);
    }
    assert_eq!(account["day"]["equity_start"], before["day"]["equity_start"]);
    assert_eq!(listed_orders(&after.client).await, listed);
    let args = json!({ "symbol": "ETHUSDT", "order_id": listed[1]["order_id"] });
    let cancelled = after.ask("cancel_order", with_exchange(args)).await.unwrap();
    assert_eq!(cancelled["state"], "canceled");
    let next = after.place(market("BTCUSDT", "buy", "0.001")).await.unwrap();
    let number = |order: &serde_json::Value| order["order_id"].as_u64().unwrap();
    assert!(listed.iter().all(|order| number(order) < number(&next)));
    after.stop().await;
}

fn command(id: &str, tool: &str) -> NewCommand {
    NewCommand {
        command_id: id.parse().unwrap(),
        agent: "exchangespec".to_owned(),
        tool: tool.to_owned(),
        args_hash: "00".to_owned(),
    }
}

/// What a command was answered, once it was.
async fn answer(journal: &Journal, id: &str, tool: &str) -> wire::Failure {
    loop {
        match journal.begin(&command(id, tool), "somebody", now()).await.unwrap() {
            Begun::Done { answer } => {
                return wire::Response::parse(answer.as_bytes()).unwrap().outcome.unwrap_err();
            }
            Begun::Running { .. } => tokio::time::sleep(Duration::from_millis(20)).await,
            other => panic!("{id} is {other:?}"),
        }
    }
}

#[tokio::test]
async fn commands_of_a_dead_instance_are_answered_from_what_they_left() {
    // A short window, so that an order that never arrived is known to be absent soon.
    let house = House::new(&[("exchange.recv_window_ms_max", "500")]).await;
    let journal = house.journal().await;
    let begun = [
        ("no-intent", "place_order"),
        ("on-its-way", "place_order"),
        ("cancel", "cancel_order"),
        ("smaller", "modify_order"),
        ("close", "close_position"),
    ];
    for (id, tool) in begun {
        journal.begin(&command(id, tool), "dead", now()).await.unwrap();
    }
    let request = NewOrder {
        client_order_id: "b4-on-its-way".parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        side: Side::Buy,
        quantity: "0.001".parse().unwrap(),
        kind: OrderKind::Market,
    };
    let mut order = orders::Order::new(request, "on-its-way".parse().unwrap(), now());
    order.apply(&orders::OrderEvent::Sent, now()).unwrap();
    let fence = journal.fence("paper").await.unwrap();
    let sender = Sender { account: "paper", fence };
    journal.record_intents(sender, &[order]).await.unwrap();

    let house = house.again().await;
    let nothing = answer(&journal, "no-intent", "place_order").await;
    assert_eq!(nothing.code, wire::Code::Unavailable);
    assert!(nothing.message.ends_with("nothing happened"), "{nothing}");
    let lost = answer(&journal, "on-its-way", "place_order").await;
    assert_eq!(lost.code, wire::Code::Unavailable, "{lost}");
    let state = journal.load_order(&"b4-on-its-way".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(state.state().name(), "rejected");
    let cancel = answer(&journal, "cancel", "cancel_order").await;
    assert_eq!(cancel.code, wire::Code::Unknown, "{cancel}");
    // These may have cancelled or made smaller without an order of their own on record.
    for (id, tool) in [("smaller", "modify_order"), ("close", "close_position")] {
        let changed = answer(&journal, id, tool).await;
        assert_eq!(changed.code, wire::Code::Unknown, "{changed}");
    }
    assert_eq!(house.account().await["balances"][0]["free"], "100000");
    journal.close().await;
    house.stop().await;
}
