//! Single orders: trades, times in force, icebergs, self-trade prevention, cancelling, amending.

use domain::{Side, TimeInForce};
use matching::{
    Cancel, CancelReplace, CancelRestriction, ClientId, Command, Event, Funding, OrderKind,
    OrderRef, OrderRequest, OrderStatus, Refusal, ReplaceMode, Reply, StpMode,
};

use crate::floor::{Floor, ONE, buy, name, sell};

fn ioc(order: OrderRequest) -> OrderRequest {
    OrderRequest { time_in_force: TimeInForce::ImmediateOrCancel, ..order }
}

fn fok(order: OrderRequest) -> OrderRequest {
    OrderRequest { time_in_force: TimeInForce::FillOrKill, ..order }
}

fn maker(order: OrderRequest) -> OrderRequest {
    OrderRequest { kind: OrderKind::LimitMaker, ..order }
}

#[test]
fn a_taker_trades_at_the_makers_price_and_gets_the_difference_back() {
    let mut floor = Floor::plain();
    let (seller, buyer) = (floor.account(10, 0), floor.account(0, 1_000));
    floor.place(seller, sell(90, 4));
    floor.place(seller, sell(95, 6));
    assert_eq!(floor.money(seller), [0, 10, 0, 0]);
    floor.place(buyer, buy(100, 8));
    assert_eq!(
        floor.executions(),
        [
            "3 New New 0/8",
            "1 Trade Filled 4/4 4@90",
            "3 Trade PartiallyFilled 4/8 4@90",
            "2 Trade PartiallyFilled 4/6 4@95",
            "3 Trade Filled 8/8 4@95",
        ]
    );
    assert_eq!(floor.money(buyer), [8, 0, 1_000 - 4 * 90 - 4 * 95, 0]);
    assert_eq!(floor.money(seller), [0, 2, 4 * 90 + 4 * 95, 0]);
    assert_eq!(floor.book(), " | 2x95");
}

#[test]
fn the_earlier_order_trades_first_at_one_price() {
    let mut floor = Floor::plain();
    let (a, b) = (floor.rich(), floor.rich());
    let first = floor.place(a, buy(100, 5));
    let second = floor.place(b, buy(100, 5));
    floor.place(b, OrderRequest { stp: Some(StpMode::None), ..ioc(sell(100, 6)) });
    assert_eq!(floor.order(a, first).status, OrderStatus::Filled);
    assert_eq!(floor.order(b, second).executed_lots, 1);
}

#[test]
fn commissions_come_out_of_what_is_received_and_are_collected() {
    let mut floor = Floor::plain();
    let (seller, buyer) = (floor.account(10, 0), floor.account(0, 1_000));
    let fees = matching::Fees::from_rates("0.001".parse().unwrap(), "0.002".parse().unwrap());
    floor.ok(Command::SetFees { account: None, symbol: None, fees });
    floor.place(seller, sell(100, 1));
    floor.place(buyer, buy(100, 1));
    let [base, quote] = floor.pair();
    assert_eq!(floor.exchange.balance(buyer, base).free, ONE - ONE / 500);
    assert_eq!(floor.exchange.balance(seller, quote).free, 100 * ONE - ONE / 10);
    assert_eq!(floor.exchange.collected(base), ONE / 500);
    assert_eq!(floor.exchange.collected(quote), ONE / 10);
    let own = matching::Fees { maker_parts: 0, taker_parts: 0 };
    floor.ok(Command::SetFees { account: Some(buyer), symbol: Some(floor.symbol), fees: own });
    floor.place(seller, sell(100, 1));
    floor.place(buyer, buy(100, 1));
    assert_eq!(floor.exchange.collected(base), ONE / 500, "the account's own fee is zero");
    assert_eq!(floor.exchange.fees(seller, floor.symbol), Some(fees));
}

#[test]
fn the_rest_of_an_immediate_order_expires() {
    let mut floor = Floor::plain();
    let (a, b) = (floor.rich(), floor.account(0, 1_000));
    floor.place(a, sell(100, 3));
    floor.place(b, ioc(buy(100, 5)));
    assert_eq!(
        floor.executions()[2..],
        ["2 Trade PartiallyFilled 3/5 3@100", "2 Expired Expired 3/5 UnfilledIoc"]
    );
    assert_eq!(floor.money(b), [3, 0, 700, 0]);
    assert_eq!(floor.book(), " | ");
}

#[test]
fn fill_or_kill_is_all_or_nothing() {
    let mut floor = Floor::plain();
    let (a, b) = (floor.rich(), floor.account(0, 1_000));
    floor.place(a, sell(100, 3));
    floor.place(b, fok(buy(100, 4)));
    assert_eq!(floor.executions(), ["2 New New 0/4", "2 Expired Expired 0/4 UnfilledFok"]);
    assert_eq!(floor.money(b), [0, 0, 1_000, 0]);
    floor.place(b, fok(buy(100, 3)));
    assert_eq!(floor.money(b), [3, 0, 700, 0]);
}

#[test]
fn fill_or_kill_counts_hidden_quantity_but_not_its_owners() {
    let mut floor = Floor::plain();
    let (a, b) = (floor.rich(), floor.rich());
    floor.place(a, OrderRequest { iceberg_lots: 1, ..sell(100, 5) });
    let own = floor.place(b, sell(100, 5));
    for stp in [StpMode::ExpireTaker, StpMode::ExpireBoth, StpMode::Decrement, StpMode::Transfer] {
        let killed = floor.place(b, OrderRequest { stp: Some(stp), ..fok(buy(100, 5)) });
        assert_eq!(floor.order(b, killed).status, OrderStatus::Expired, "{stp:?}");
        assert_eq!(floor.order(b, own).prevented_lots, 0, "nothing happened to the own order");
    }
    let filled =
        floor.place(b, OrderRequest { stp: Some(StpMode::ExpireMaker), ..fok(buy(100, 5)) });
    assert_eq!(floor.order(b, filled).status, OrderStatus::Filled);
    assert_eq!(floor.order(b, own).status, OrderStatus::ExpiredInMatch);
}

#[test]
fn a_limit_maker_is_refused_when_it_would_take() {
    let mut floor = Floor::plain();
    let a = floor.rich();
    floor.place(a, sell(100, 3));
    assert_eq!(
        floor.refusal(a, maker(buy(100, 1))),
        "-2010 Order would immediately match and take."
    );
    assert_eq!(floor.refusal(a, maker(buy(99, 1))), "ok");
}

#[test]
fn a_market_order_takes_what_there_is_and_the_rest_expires() {
    let mut floor = Floor::plain();
    let (a, b) = (floor.rich(), floor.account(0, 1_000));
    floor.place(b, OrderRequest::market(Side::Buy, 5));
    assert_eq!(floor.executions()[1], "1 Expired Expired 0/5 InsufficientLiquidity");
    floor.place(a, sell(100, 3));
    floor.place(b, OrderRequest::market(Side::Buy, 5));
    assert_eq!(floor.executions()[3], "3 Expired Expired 3/5 InsufficientLiquidity");
    assert_eq!(floor.money(b), [3, 0, 700, 0]);
    floor.place(a, sell(800, 3));
    assert_eq!(
        floor.refusal(b, OrderRequest::market(Side::Buy, 1)),
        "-2010 Account has insufficient balance for requested action."
    );
}

#[test]
fn a_quote_quantity_buys_whole_lots_and_keeps_the_change() {
    let mut floor = Floor::plain();
    let (a, b) = (floor.rich(), floor.account(0, 1_000));
    assert_eq!(
        floor.refusal(b, OrderRequest::market_by_quote(Side::Buy, 50 * ONE)),
        "-2010 Order book liquidity is less than symbol minimum quantity."
    );
    floor.place(a, sell(100, 2));
    floor.place(a, sell(110, 10));
    let id = floor.place(b, OrderRequest::market_by_quote(Side::Buy, 450 * ONE));
    let order = floor.order(b, id);
    assert_eq!((order.lots, order.status), (4, OrderStatus::Filled));
    assert_eq!(order.executed_quote, 420 * ONE);
    assert_eq!(floor.money(b), [4, 0, 580, 0]);
    let c = floor.rich();
    let id = floor.place(c, OrderRequest::market_by_quote(Side::Buy, 5_000 * ONE));
    let order = floor.order(c, id);
    assert_eq!((order.executed_lots, order.status), (8, OrderStatus::Expired), "the book ran dry");
    floor.place(a, buy(90, 10));
    let id = floor.place(b, OrderRequest::market_by_quote(Side::Sell, 200 * ONE));
    assert_eq!(floor.order(b, id).executed_lots, 2);
    assert_eq!(floor.money(b), [2, 0, 760, 0]);
}

#[test]
fn an_iceberg_shows_one_part_and_queues_anew_for_the_next() {
    let mut floor = Floor::plain();
    let (a, b, c) = (floor.rich(), floor.rich(), floor.rich());
    let iceberg = floor.place(a, OrderRequest { iceberg_lots: 2, ..sell(100, 5) });
    let plain = floor.place(b, sell(100, 2));
    assert_eq!(floor.book(), " | 4x100");
    floor.place(c, buy(100, 3));
    assert_eq!(floor.order(a, iceberg).executed_lots, 2);
    assert_eq!(floor.order(b, plain).executed_lots, 1);
    floor.place(c, buy(100, 4));
    assert_eq!(floor.order(b, plain).status, OrderStatus::Filled);
    assert_eq!(floor.order(a, iceberg).status, OrderStatus::Filled);
    let wide = OrderRequest { iceberg_lots: 6, ..sell(100, 5) };
    assert_eq!(floor.refusal(a, wide), "-2010 IcebergQty exceeds QTY.");
}

#[track_caller]
fn check_stp(mode: StpMode, resting: i64, coming: i64, expect: &[&str], book: &str) {
    let mut floor = Floor::plain();
    let a = floor.rich();
    floor.place(a, sell(100, resting));
    floor.place(a, OrderRequest { stp: Some(mode), ..buy(100, coming) });
    let found = floor.executions();
    assert_eq!(found[1..], *expect, "{mode:?}");
    assert_eq!(floor.book(), book, "{mode:?}");
    let expected = usize::from(mode != StpMode::None);
    assert_eq!(floor.exchange.prevented_matches(a, floor.symbol).count(), expected);
    let canceled = floor.apply(Command::CancelAll {
        account: a,
        symbol: floor.symbol,
        cancel_id: ClientId::NONE,
    });
    assert_eq!(canceled.is_err(), book == " | ", "{mode:?}");
    let money = floor.money(a);
    assert_eq!(money, [1_000_000, 0, 100_000_000, 0], "{mode:?}: nothing was paid or stays locked");
}

#[test]
fn self_trade_prevention_does_what_the_coming_order_says() {
    let trade = ["1 Trade PartiallyFilled 3/5 3@100", "2 Trade Filled 3/3 3@100"];
    check_stp(StpMode::None, 5, 3, &trade, " | 2x100");
    let lost = ["1 TradePrevention ExpiredInMatch 0/5 prevented 5@100"];
    check_stp(StpMode::ExpireMaker, 5, 3, &lost, "3x100 | ");
    let lost = ["2 TradePrevention ExpiredInMatch 0/3 prevented 3@100"];
    check_stp(StpMode::ExpireTaker, 5, 3, &lost, " | 5x100");
    let lost = [
        "1 TradePrevention ExpiredInMatch 0/5 prevented 5@100",
        "2 TradePrevention ExpiredInMatch 0/3 prevented 3@100",
    ];
    check_stp(StpMode::ExpireBoth, 5, 3, &lost, " | ");
    for mode in [StpMode::Decrement, StpMode::Transfer] {
        let lost = [
            "1 TradePrevention New 0/5 prevented 3@100",
            "2 TradePrevention ExpiredInMatch 0/3 prevented 3@100",
        ];
        check_stp(mode, 5, 3, &lost, " | 2x100");
        let lost = [
            "1 TradePrevention ExpiredInMatch 0/5 prevented 5@100",
            "2 TradePrevention New 0/7 prevented 5@100",
        ];
        check_stp(mode, 5, 7, &lost, "2x100 | ");
    }
}

#[test]
fn accounts_of_one_trade_group_do_not_trade_with_each_other() {
    let mut floor = Floor::plain();
    let a = floor.open(Funding::Unlimited, Some(7));
    let b = floor.open(Funding::Unlimited, Some(7));
    let c = floor.open(Funding::Unlimited, None);
    let first = floor.place(a, sell(100, 1));
    floor.place(b, ioc(buy(100, 1)));
    assert_eq!(floor.executions()[1], "1 TradePrevention ExpiredInMatch 0/1 prevented 1@100");
    assert_eq!(floor.exchange.order(a, floor.symbol, OrderRef::Id(first)), None);
    floor.place(a, sell(100, 1));
    floor.place(c, buy(100, 1));
    assert_eq!(floor.money(c), [1, 0, -100, 0], "an unlimited account may owe");
    assert_eq!(floor.money(a), [-1, 0, 100, 0]);
}

#[test]
fn what_is_locked_cannot_be_spent_twice() {
    let mut floor = Floor::plain();
    let a = floor.account(5, 1_000);
    let id = floor.place(a, buy(100, 6));
    assert_eq!(floor.money(a), [5, 0, 400, 600]);
    let poor = "-2010 Account has insufficient balance for requested action.";
    assert_eq!(floor.refusal(a, buy(100, 5)), poor);
    assert_eq!(floor.refusal(a, sell(200, 6)), poor);
    let [_, quote] = floor.pair();
    let atoms = 401 * ONE;
    let withdrawn = floor.apply(Command::Withdraw { account: a, asset: quote, atoms });
    assert_eq!(withdrawn, Err(Refusal::InsufficientBalance));
    floor.cancel(a, id).unwrap();
    assert_eq!(floor.money(a), [5, 0, 1_000, 0]);
    floor.ok(Command::Withdraw { account: a, asset: quote, atoms: 1_000 * ONE });
    assert_eq!(floor.money(a), [5, 0, 0, 0]);
}

#[test]
fn amounts_out_of_range_are_refused() {
    let mut floor = Floor::plain();
    let account = floor.account(0, 0);
    let [asset, _] = floor.pair();
    for atoms in [0, -1, i128::MAX, i128::MIN] {
        for command in [
            Command::Deposit { account, asset, atoms },
            Command::Withdraw { account, asset, atoms },
        ] {
            assert_eq!(floor.apply(command), Err(Refusal::AmountOutOfRange), "{atoms}");
        }
    }
    let asset = matching::AssetId(9);
    let unknown = floor.apply(Command::Deposit { account, asset, atoms: 1 });
    assert_eq!(unknown, Err(Refusal::UnknownAsset));
    for (ticks, lots) in
        [(i64::MAX, 1), (1, i64::MAX), (i64::MIN, 1), (1, i64::MIN), (0, 1), (1, 0)]
    {
        for order in [buy(ticks, lots), sell(ticks, lots)] {
            assert_ne!(floor.refusal(account, order), "ok", "{ticks} {lots}");
        }
    }
}

#[test]
fn a_name_is_free_again_when_its_order_has_ended() {
    let mut floor = Floor::plain();
    let (a, b) = (floor.rich(), floor.rich());
    let named = OrderRequest { client_id: name("x"), ..buy(100, 1) };
    let first = floor.place(a, named);
    assert_eq!(floor.refusal(a, named), "-2010 Duplicate order sent.");
    floor.place(b, named);
    floor.cancel(a, first).unwrap();
    let second = floor.place(a, named);
    assert_ne!(first, second);
    let found = floor.exchange.order(a, floor.symbol, OrderRef::Client(name("x"))).unwrap();
    assert_eq!(found.id, second, "the open order comes before the ended one");
    floor.cancel(a, second).unwrap();
    let found = floor.exchange.order(a, floor.symbol, OrderRef::Client(name("x"))).unwrap();
    assert_eq!(
        (found.id, found.status),
        (second, OrderStatus::Canceled),
        "the last one that ended"
    );
}

#[test]
fn a_cancellation_has_a_name_and_may_demand_a_state() {
    let mut floor = Floor::plain();
    let (a, b) = (floor.rich(), floor.rich());
    let id = floor.place(a, OrderRequest { client_id: name("o"), ..buy(100, 5) });
    let symbol = floor.symbol;
    let cancel = |floor: &mut Floor, order: OrderRef, restriction: CancelRestriction| {
        let cancel = Cancel { order, restriction, cancel_id: name("c") };
        floor.apply(Command::Cancel { account: a, symbol, cancel })
    };
    let only = cancel(&mut floor, OrderRef::Id(id), CancelRestriction::OnlyPartiallyFilled);
    assert_eq!(only, Err(Refusal::CancelRestricted));
    floor.place(b, sell(100, 1));
    let only = cancel(&mut floor, OrderRef::Id(id), CancelRestriction::OnlyNew);
    assert_eq!(only, Err(Refusal::CancelRestricted));
    let wrong = cancel(&mut floor, OrderRef::Both(id, name("z")), CancelRestriction::None);
    assert_eq!(wrong, Err(Refusal::ClientIdMismatch));
    let done =
        cancel(&mut floor, OrderRef::Client(name("o")), CancelRestriction::OnlyPartiallyFilled);
    assert_eq!(done, Ok(Reply::Canceled(id)));
    let Some(Event::Execution(execution)) =
        floor.events.iter().find(|e| matches!(e, Event::Execution(_)))
    else {
        panic!("{:?}", floor.events)
    };
    assert_eq!((execution.request_id, execution.order.client_id), (name("c"), name("o")));
    let again = cancel(&mut floor, OrderRef::Id(id), CancelRestriction::None);
    assert_eq!(again, Err(Refusal::UnknownOrder));
    let foreign = floor.place(b, buy(90, 1));
    let stolen = cancel(&mut floor, OrderRef::Id(foreign), CancelRestriction::None);
    assert_eq!(stolen, Err(Refusal::UnknownOrder), "somebody else's order is unknown");
}

#[test]
fn cancelling_all_takes_every_order_and_says_so_when_there_is_none() {
    let mut floor = Floor::plain();
    let a = floor.rich();
    let command =
        Command::CancelAll { account: a, symbol: floor.symbol, cancel_id: ClientId::NONE };
    assert_eq!(floor.apply(command.clone()), Err(Refusal::UnknownOrder));
    let (x, y) = (floor.place(a, buy(90, 1)), floor.place(a, sell(110, 1)));
    let reply = floor.ok(command);
    assert_eq!(reply, Reply::CanceledAll { orders: vec![x, y], lists: vec![] });
    assert_eq!(floor.money(a), [1_000_000, 0, 100_000_000, 0]);
}

#[test]
fn an_amendment_keeps_the_place_and_a_replacement_loses_it() {
    let mut floor = Floor::plain();
    let (a, b, c) = (floor.rich(), floor.rich(), floor.rich());
    let first = floor.place(a, buy(100, 5));
    let second = floor.place(b, buy(100, 5));
    let symbol = floor.symbol;
    let amend = |lots: i64| Command::Amend {
        account: a,
        symbol,
        order: OrderRef::Id(first),
        lots,
        client_id: Some(name("new")),
    };
    assert_eq!(floor.apply(amend(6)), Err(Refusal::AmendIncrease));
    assert_eq!(floor.apply(amend(5)), Err(Refusal::AmendNoChange));
    assert_eq!(floor.ok(amend(4)), Reply::Amended(first));
    assert_eq!(floor.executions(), ["1 Replaced New 0/4"]);
    assert_eq!(floor.money(a)[3], 400);
    floor.place(c, ioc(sell(100, 3)));
    assert_eq!(floor.order(a, first).executed_lots, 3, "it still trades first");
    assert_eq!(floor.apply(amend(3)), Err(Refusal::AmendBelowExecuted));
    let amendment = *floor.exchange.amendments(a, symbol).next().unwrap();
    assert_eq!((amendment.lots_before, amendment.lots, amendment.client_id), (5, 4, name("new")));
    let order = OrderRef::Client(name("new"));
    let cancel = Cancel { order, restriction: CancelRestriction::None, cancel_id: ClientId::NONE };
    let mode = ReplaceMode::StopOnFailure;
    let replace = Box::new(CancelReplace { cancel, mode, order: buy(100, 1) });
    let reply = floor.ok(Command::CancelReplace { account: a, symbol, replace });
    assert_eq!(reply.replace_code(), None);
    floor.place(c, ioc(sell(100, 5)));
    assert_eq!(floor.order(b, second).status, OrderStatus::Filled, "now the other is first");
}

#[test]
fn a_replacement_says_which_half_failed() {
    let mut floor = Floor::plain();
    let a = floor.account(0, 1_000);
    let symbol = floor.symbol;
    let replace = |floor: &mut Floor, id: u64, mode: ReplaceMode, lots: i64| {
        let order = OrderRef::Id(matching::OrderId(id));
        let cancel =
            Cancel { order, restriction: CancelRestriction::None, cancel_id: ClientId::NONE };
        let replace = Box::new(CancelReplace { cancel, mode, order: buy(100, lots) });
        floor.ok(Command::CancelReplace { account: a, symbol, replace })
    };
    let both = replace(&mut floor, 9, ReplaceMode::AllowFailure, 11);
    assert_eq!(both.replace_code(), Some(-2022));
    let stopped = replace(&mut floor, 9, ReplaceMode::StopOnFailure, 1);
    assert_eq!(stopped.replace_code(), Some(-2022));
    assert!(matches!(stopped, Reply::Replaced { placed: None, .. }));
    let placed = replace(&mut floor, 9, ReplaceMode::AllowFailure, 1);
    assert_eq!(placed.replace_code(), Some(-2021));
    let canceled = replace(&mut floor, 1, ReplaceMode::StopOnFailure, 11);
    assert_eq!(canceled.replace_code(), Some(-2021));
    assert_eq!(floor.money(a), [0, 0, 1_000, 0]);
}

#[test]
fn level_changes_trades_and_orders_are_numbered_without_gaps() {
    let mut floor = Floor::plain();
    let (a, b) = (floor.rich(), floor.rich());
    let mut updates = Vec::new();
    let mut trades = Vec::new();
    for i in 0..20 {
        floor.place(a, sell(100 + i % 3, 2));
        note(&floor, &mut updates, &mut trades);
        floor.place(b, buy(100 + i % 2, 1 + i % 4));
        note(&floor, &mut updates, &mut trades);
    }
    assert_eq!(updates, (1..=u64::try_from(updates.len()).unwrap()).collect::<Vec<_>>());
    assert_eq!(trades, (1..=u64::try_from(trades.len()).unwrap()).collect::<Vec<_>>());
    assert_eq!(floor.exchange.update_id(floor.symbol), *updates.last().unwrap());
    assert_eq!(floor.exchange.last_trade(floor.symbol).unwrap().trade_id, *trades.last().unwrap());
}

fn note(floor: &Floor, updates: &mut Vec<u64>, trades: &mut Vec<u64>) {
    for event in &floor.events {
        match event {
            Event::Level(change) => updates.push(change.update_id),
            Event::Trade(trade) => trades.push(trade.trade_id),
            _ => {}
        }
    }
}

/// Scenarios B and C of the Binance FAQ on self-trade prevention, in tenths: three purchases rest,
/// and a sale of the same account reaches them all.
#[test]
fn self_trade_prevention_follows_the_scenarios_of_the_faq() {
    let scenario = |mode: StpMode| {
        let mut floor = Floor::plain();
        let a = floor.rich();
        let none = Some(StpMode::None);
        for (ticks, lots) in [(12, 12), (11, 13), (10, 81)] {
            floor.place(a, OrderRequest { stp: none, ..buy(ticks, lots) });
        }
        floor.place(a, OrderRequest { stp: Some(mode), ..sell(10, 30) });
        let matches = floor.exchange.prevented_matches(a, floor.symbol);
        let matches: Vec<_> =
            matches.map(|m| (m.maker_order.0, m.ticks, m.taker_lots, m.maker_lots)).collect();
        (floor.executions().split_off(1), floor.book(), matches)
    };
    let (executions, book, matches) = scenario(StpMode::ExpireMaker);
    let expired = [
        "1 TradePrevention ExpiredInMatch 0/12 prevented 12@12",
        "2 TradePrevention ExpiredInMatch 0/13 prevented 13@11",
        "3 TradePrevention ExpiredInMatch 0/81 prevented 81@10",
    ];
    assert_eq!(executions, expired);
    assert_eq!(book, " | 30x10", "the sale rests");
    assert_eq!(matches, [(1, 12, 0, 12), (2, 11, 0, 13), (3, 10, 0, 81)]);
    let (executions, book, matches) = scenario(StpMode::ExpireTaker);
    assert_eq!(executions, ["4 TradePrevention ExpiredInMatch 0/30 prevented 30@12"]);
    assert_eq!(book, "12x12 13x11 81x10 | ", "the purchases stay");
    assert_eq!(matches, [(1, 12, 30, 0)]);
}
