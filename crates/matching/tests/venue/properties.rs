//! Generated sequences of commands over two symbols and several accounts.

use std::collections::BTreeMap;

use domain::{Side, TimeInForce, Timestamp};
use matching::{
    AccountId, AccountSpec, AssetId, Atoms, Cancel, CancelReplace, CancelRestriction, ClientId,
    Command, Event, Exchange, ExecutionKind, External, Fees, Funding, Keep, Liquidity, ListId,
    ListOrders, ListRef, ListRequest, Listing, Order, OrderId, OrderKind, OrderList, OrderRef,
    OrderRequest, OrderStatus, Peg, PegReference, PriceLevel, QueueModel, Refusal, ReplaceMode,
    Reply, StpMode, SymbolId, SymbolStatus, VenueLimits,
};
use proptest::prelude::*;

const ACCOUNTS: u32 = 5;
const SYMBOLS: [SymbolId; 2] = [SymbolId(0), SymbolId(1)];
const SIDES: [Side; 2] = [Side::Buy, Side::Sell];

fn listing(symbol: &str, base: &str, tick: &str, step: &str) -> Listing {
    let pair = (base.parse().unwrap(), "USDT".parse().unwrap());
    let (tick, step) = (tick.parse().unwrap(), step.parse().unwrap());
    let fees = Fees { maker_parts: 73_001, taker_parts: 123_457 };
    Listing { fees, ..Listing::new(symbol.parse().unwrap(), pair, tick, step) }
}

/// Two symbols with one quote asset, three accounts of which two are one trade group, and two
/// without limits.
fn venue(second: Liquidity, events: &mut Vec<Event>) -> Exchange {
    let mut exchange = Exchange::new(VenueLimits::default(), Keep::default(), ListId(1));
    let mut apply = |command: Command| {
        exchange.apply(Timestamp::from_unix_millis(0), command, events).unwrap();
    };
    apply(Command::List(Box::new(listing("BTCUSDT", "BTC", "0.01", "0.001"))));
    let ether = listing("ETHUSDT", "ETH", "0.001", "0.1");
    apply(Command::List(Box::new(Listing { liquidity: second, ..ether })));
    for number in 0..ACCOUNTS {
        let funding = if number < 3 { Funding::Limited } else { Funding::Unlimited };
        let trade_group = (number == 1 || number == 2).then_some(3);
        apply(Command::OpenAccount(AccountSpec { funding, trade_group, fees: None }));
        for asset in 0..3 {
            let (account, asset) = (AccountId(number), AssetId(asset));
            apply(Command::Deposit { account, asset, atoms: 400_000_000_000 });
        }
    }
    exchange
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn kind() -> impl Strategy<Value = OrderKind> {
    prop_oneof![
        6 => Just(OrderKind::Limit),
        1 => Just(OrderKind::LimitMaker),
        2 => Just(OrderKind::Market),
        1 => Just(OrderKind::StopLoss),
        1 => Just(OrderKind::StopLossLimit),
        1 => Just(OrderKind::TakeProfit),
        1 => Just(OrderKind::TakeProfitLimit),
    ]
}

fn client_id() -> impl Strategy<Value = ClientId> {
    prop_oneof![
        3 => Just(ClientId::NONE),
        1 => (0u8..8).prop_map(|n| format!("name-{n}").parse().unwrap()),
    ]
}

/// Mostly no peg, and mostly to a level that the book has.
fn peg() -> impl Strategy<Value = Option<Peg>> {
    let reference = prop_oneof![Just(PegReference::Primary), Just(PegReference::Market)];
    let level = prop_oneof![6 => Just(0u32), 3 => 1u32..4, 1 => 90u32..110];
    let peg =
        (reference, level).prop_map(|(reference, offset_levels)| Peg { reference, offset_levels });
    prop::option::weighted(0.2, peg)
}

prop_compose! {
    fn order()(
        client_id in client_id(),
        side in side(),
        kind in kind(),
        time_in_force in prop_oneof![
            4 => Just(TimeInForce::GoodTilCanceled),
            1 => Just(TimeInForce::ImmediateOrCancel),
            1 => Just(TimeInForce::FillOrKill),
        ],
        lots in 1i64..40,
        iceberg in prop_oneof![12 => Just(0i64), 1 => 1i64..6],
        ticks in 90i64..110,
        stop_ticks in 90i64..110,
        bips in prop_oneof![3 => Just(0u32), 1 => 100u32..900],
        by_quote in prop::bool::weighted(0.3),
        peg in peg(),
        stp in prop::option::of(prop::sample::select(&StpMode::ALL[..])),
    ) -> OrderRequest {
        let is_by_quote = by_quote && kind == OrderKind::Market;
        let is_contingent = kind.is_contingent();
        let has_iceberg = kind.has_price() && iceberg > 0 && iceberg <= lots;
        let rests = has_iceberg || kind == OrderKind::LimitMaker;
        OrderRequest {
            client_id,
            side,
            kind,
            time_in_force: if rests { TimeInForce::GoodTilCanceled } else { time_in_force },
            lots: if is_by_quote { 0 } else { lots },
            quote_atoms: if is_by_quote { Atoms::from(lots * ticks) * 7_000_000 } else { 0 },
            ticks: if !kind.has_price() || (peg.is_some() && ticks % 2 == 0) { 0 } else { ticks },
            peg: peg.filter(|_| kind.has_price()),
            stop_ticks: if is_contingent { stop_ticks } else { 0 },
            trailing_bips: if is_contingent { bips } else { 0 },
            iceberg_lots: if has_iceberg { iceberg } else { 0 },
            stp,
            mark: 0,
        }
    }
}

prop_compose! {
    /// A pair that has the right kinds and, mostly, the right prices.
    fn pair(side: Side)(
        lots in 1i64..20,
        high in 100i64..112,
        low in 88i64..101,
        shift in 0i64..4,
        (is_limit, is_priced, is_profit) in any::<(bool, bool, bool)>(),
        (first, second) in (peg(), peg()),
    ) -> (OrderRequest, OrderRequest) {
        let base = OrderRequest::limit(side, 0, lots);
        let loss = |ticks: i64, limit: i64| if is_priced {
            OrderRequest { kind: OrderKind::StopLossLimit, stop_ticks: ticks, ticks: limit, ..base }
        } else {
            OrderRequest { kind: OrderKind::StopLoss, stop_ticks: ticks, ..base }
        };
        let profit = |ticks: i64| if is_limit {
            OrderRequest { kind: OrderKind::LimitMaker, ticks, ..base }
        } else if is_profit {
            OrderRequest { kind: OrderKind::TakeProfit, stop_ticks: ticks, ..base }
        } else {
            OrderRequest { kind: OrderKind::TakeProfitLimit, stop_ticks: ticks, ticks, ..base }
        };
        let pegged = |order: OrderRequest, peg: Option<Peg>| match peg {
            Some(_) if order.kind.has_price() => OrderRequest { ticks: 0, peg, ..order },
            _ => order,
        };
        let (above, below) = match side {
            Side::Buy => (loss(high, high + shift), profit(low)),
            Side::Sell => (profit(high), loss(low, low - shift)),
        };
        (pegged(above, first), pegged(below, second))
    }
}

fn list() -> impl Strategy<Value = ListOrders> {
    let working = || {
        (side(), 95i64..105, 1i64..15, peg()).prop_map(|(side, ticks, lots, peg)| OrderRequest {
            peg,
            ..OrderRequest::limit(side, ticks, lots)
        })
    };
    let both = || side().prop_flat_map(pair);
    let buying = || working().prop_map(|order| OrderRequest { side: Side::Buy, ..order });
    // Mostly what such a list takes: sales without a quantity.
    let unpaid = || {
        (order(), prop::bool::weighted(0.9)).prop_map(|(order, is_right)| match is_right {
            true => OrderRequest { side: Side::Sell, lots: 0, quote_atoms: 0, ..order },
            false => order,
        })
    };
    // Boxed, because a strategy of so many parts is larger than a test's stack.
    prop_oneof![
        both().prop_map(|(above, below)| ListOrders::Oco { above, below }).boxed(),
        (working(), order())
            .prop_map(|(working, pending)| ListOrders::Oto { working, pending })
            .boxed(),
        (working(), both())
            .prop_map(|(working, (above, below))| ListOrders::Otoco { working, above, below })
            .boxed(),
        (buying(), unpaid())
            .prop_map(|(working, pending)| ListOrders::Opo { working, pending })
            .boxed(),
        (buying(), pair(Side::Sell))
            .prop_map(|(working, (above, below))| ListOrders::Opoco {
                working,
                above: OrderRequest { lots: 0, ..above },
                below: OrderRequest { lots: 0, ..below },
            })
            .boxed(),
    ]
}

fn order_ref() -> impl Strategy<Value = OrderRef> {
    prop_oneof![
        3 => (1u64..80).prop_map(|id| OrderRef::Id(OrderId(id))),
        1 => client_id().prop_map(OrderRef::Client),
    ]
}

fn cancel() -> impl Strategy<Value = Cancel> {
    let restriction = prop_oneof![
        4 => Just(CancelRestriction::None),
        1 => Just(CancelRestriction::OnlyNew),
        1 => Just(CancelRestriction::OnlyPartiallyFilled),
    ];
    (order_ref(), restriction).prop_map(|(order, restriction)| Cancel {
        order,
        restriction,
        cancel_id: ClientId::NONE,
    })
}

fn status() -> impl Strategy<Value = SymbolStatus> {
    prop_oneof![
        5 => Just(SymbolStatus::Trading),
        1 => Just(SymbolStatus::Halt),
        1 => Just(SymbolStatus::CancelOnly),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let account = (0..ACCOUNTS).prop_map(AccountId);
    let symbol = prop::sample::select(&SYMBOLS[..]);
    let mode = prop_oneof![Just(ReplaceMode::StopOnFailure), Just(ReplaceMode::AllowFailure)];
    let replace = (cancel(), mode, order())
        .prop_map(|(cancel, mode, order)| Box::new(CancelReplace { cancel, mode, order }));
    let list = (client_id(), list())
        .prop_map(|(client_id, orders)| Box::new(ListRequest { client_id, orders }));
    prop_oneof![
        20 => (account.clone(), symbol.clone(), order())
            .prop_map(|(account, symbol, order)| Command::Place { account, symbol, order }),
        1 => (account.clone(), symbol.clone(), order())
            .prop_map(|(account, symbol, order)| Command::Check { account, symbol, order }),
        7 => (account.clone(), symbol.clone(), list)
            .prop_map(|(account, symbol, list)| Command::PlaceList { account, symbol, list }),
        4 => (account.clone(), symbol.clone(), cancel())
            .prop_map(|(account, symbol, cancel)| Command::Cancel { account, symbol, cancel }),
        1 => (account.clone(), symbol.clone(), 1u64..15).prop_map(|(account, symbol, id)| {
            let (list, cancel_id) = (ListRef::Id(ListId(id)), ClientId::NONE);
            Command::CancelList { account, symbol, list, cancel_id }
        }),
        2 => (account.clone(), symbol.clone(), replace)
            .prop_map(|(account, symbol, replace)| {
                Command::CancelReplace { account, symbol, replace }
            }),
        3 => (account.clone(), symbol.clone(), order_ref(), 1i64..30, client_id()).prop_map(
            |(account, symbol, order, lots, name)| {
                let client_id = Some(name);
                Command::Amend { account, symbol, order, lots, client_id }
            }
        ),
        1 => (account, symbol.clone())
            .prop_map(|(account, symbol)| Command::CancelAll { account, symbol, cancel_id: ClientId::NONE }),
        1 => (symbol, status())
            .prop_map(|(symbol, status)| Command::SetStatus { symbol, status }),
    ]
}

/// What a recorded market may say, sense or nonsense.
fn external() -> impl Strategy<Value = External> {
    let level = || (88i64..112, 0i64..30).prop_map(|(ticks, lots)| PriceLevel { ticks, lots });
    let levels = |low: i64, high: i64| {
        let level = (low..high, 1i64..30).prop_map(|(ticks, lots)| PriceLevel { ticks, lots });
        prop::collection::vec(level, 0..6)
    };
    prop_oneof![
        2 => (1u64..30, levels(88, 101), levels(99, 112))
            .prop_map(|(update_id, bids, asks)| External::Snapshot { update_id, bids, asks }),
        12 => (1u64..60, side(), level())
            .prop_map(|(update_id, side, level)| External::Level { update_id, side, level }),
        6 => (88i64..112, 1i64..40, side())
            .prop_map(|(ticks, lots, taker_side)| External::Trade { ticks, lots, taker_side }),
        1 => Just(External::Reset),
    ]
}

fn command_or_recording() -> impl Strategy<Value = Command> {
    let recording = external().prop_map(|data| Command::External { symbol: SYMBOLS[1], data });
    prop_oneof![2 => command(), 1 => recording]
}

/// What holds between commands, held together by the events alone.
#[derive(Debug, Default)]
struct Watcher {
    balances: BTreeMap<(AccountId, AssetId), (Atoms, Atoms)>,
    transferred: BTreeMap<AssetId, Atoms>,
    orders: BTreeMap<(SymbolId, OrderId), Order>,
    lists: BTreeMap<ListId, OrderList>,
    /// The symbol that takes its liquidity from outside, and what came from there.
    external: Option<SymbolId>,
    outside: BTreeMap<AssetId, Atoms>,
    /// Next trade, level change and execution of each symbol.
    next: BTreeMap<(SymbolId, &'static str), u64>,
}

impl Watcher {
    fn expect_next(&mut self, symbol: SymbolId, what: &'static str, id: u64) {
        if self.external == Some(symbol) && what != "execution" {
            // The recording numbers the levels, and not every fill is a trade of its own.
            return;
        }
        let next = self.next.entry((symbol, what)).or_insert(1);
        assert_eq!(id, *next, "the next {what} of {symbol:?}");
        *next += 1;
    }

    fn see(&mut self, exchange: &Exchange, event: &Event) {
        match event {
            Event::Balance { account, asset, free, locked, .. } => {
                self.balances.insert((*account, *asset), (*free, *locked));
            }
            Event::Transfer { asset, atoms, .. } => {
                *self.transferred.entry(*asset).or_default() += atoms;
            }
            Event::Level(change) => self.expect_next(change.symbol, "level", change.update_id),
            Event::Trade(trade) => self.expect_next(trade.symbol, "trade", trade.trade_id),
            Event::List(event) => {
                self.lists.insert(event.list.id, event.list);
            }
            Event::Execution(execution) => {
                let order = execution.order;
                self.expect_next(order.symbol, "execution", execution.id);
                let is_known = self.orders.insert((order.symbol, order.id), order).is_some();
                if execution.kind == ExecutionKind::New && !is_known {
                    // Waiting orders of a list are told after they got their numbers together.
                    assert_eq!(order.executed_lots, 0);
                }
                assert!(order.open_lots() >= 0);
                if self.external == Some(order.symbol)
                    && let Some(fill) = execution.fill
                {
                    self.see_outside(exchange, &order, &fill);
                }
                assert!(order.status != OrderStatus::Filled || order.open_lots() == 0);
            }
            _ => {}
        }
    }

    /// In an external symbol every fill moves money from or to somebody outside; two of ours that
    /// meet cancel out.
    fn see_outside(&mut self, exchange: &Exchange, order: &Order, fill: &matching::Fill) {
        let (base, quote) = exchange.pair(order.symbol).unwrap();
        let per_lot = exchange.listing(order.symbol).unwrap().base_atoms_per_lot().unwrap();
        let lots = Atoms::from(fill.lots) * per_lot;
        let sign = if order.side == Side::Buy { 1 } else { -1 };
        *self.outside.entry(base).or_default() += sign * lots;
        *self.outside.entry(quote).or_default() -= sign * fill.quote;
    }

    fn is_open(&self, symbol: SymbolId, id: OrderId) -> bool {
        self.orders.get(&(symbol, id)).is_some_and(|order| order.status.is_open())
    }
}

/// What an order holds by itself.
fn need(exchange: &Exchange, order: &Order) -> Atoms {
    let listing = exchange.listing(order.symbol).unwrap();
    let lots = Atoms::from(order.open_lots());
    match order.side {
        Side::Sell => lots * listing.base_atoms_per_lot().unwrap(),
        Side::Buy => {
            // One that is pegged and waits is worth what was asked for, or its stop.
            let known = [order.ticks, order.asked_ticks, order.stop_ticks];
            let ticks = known.into_iter().find(|ticks| *ticks > 0).unwrap_or(0);
            lots * Atoms::from(ticks) * listing.quote_atoms_per_tick_lot().unwrap()
        }
    }
}

/// What the open orders and lists of an account hold of each asset, from their terms alone.
fn needs(exchange: &Exchange, account: AccountId) -> BTreeMap<AssetId, Atoms> {
    let mut needs: BTreeMap<AssetId, Atoms> = BTreeMap::new();
    for symbol in SYMBOLS {
        let (base, quote) = exchange.pair(symbol).unwrap();
        let mut pairs: BTreeMap<ListId, Vec<Order>> = BTreeMap::new();
        for order in exchange.open_orders(account, symbol) {
            *needs.entry(base).or_default() += order.kept;
            if order.status == OrderStatus::PendingNew {
                continue;
            }
            let asset = if order.side == Side::Buy { quote } else { base };
            let list = order.list.map(|id| exchange.order_list(account, ListRef::Id(id)).unwrap());
            match list {
                Some(list) if list.kind.has_pair() && !is_first_of_chain(list, order) => {
                    pairs.entry(list.id).or_default().push(*order);
                }
                _ => *needs.entry(asset).or_default() += need(exchange, order),
            }
        }
        for (list, orders) in pairs {
            let asset = if orders[0].side == Side::Buy { quote } else { base };
            let largest = orders.iter().map(|order| need(exchange, order)).max().unwrap();
            *needs.entry(asset).or_default() += largest;
            let shared = exchange.list_locked(list);
            assert!(shared == 0 || orders.len() == 2, "a list holds money for two orders only");
        }
    }
    needs
}

fn is_first_of_chain(list: &OrderList, order: &Order) -> bool {
    list.kind.has_working() && list.legs[0].is_some_and(|leg| leg.0 == order.id)
}

fn check(exchange: &Exchange, watcher: &Watcher) {
    for (asset, _) in exchange.assets() {
        let accounts = (0..ACCOUNTS).map(AccountId);
        let owned: Atoms = accounts
            .map(|account| {
                let balance = exchange.balance(account, asset);
                balance.free + balance.locked
            })
            .sum();
        let transferred = watcher.transferred.get(&asset).copied().unwrap_or(0);
        let outside = watcher.outside.get(&asset).copied().unwrap_or(0);
        let there = transferred + outside - exchange.collected(asset);
        assert_eq!(owned, there, "{asset:?} is conserved");
    }
    for account in (0..ACCOUNTS).map(AccountId) {
        let needs = needs(exchange, account);
        for (asset, balance) in exchange.balances(account) {
            let told = watcher.balances.get(&(account, asset)).copied().unwrap_or((0, 0));
            assert_eq!(told, (balance.free, balance.locked), "{account:?} {asset:?} as told");
            if account.0 < 3 {
                assert!(balance.free >= 0, "{account:?} spent what it has not");
                let needed = needs.get(&asset).copied().unwrap_or(0);
                assert_eq!(balance.locked, needed, "{account:?} {asset:?} locks what it needs");
            } else {
                assert_eq!(balance.locked, 0, "an account without limits locks nothing");
            }
        }
        for symbol in SYMBOLS {
            for order in exchange.open_orders(account, symbol) {
                // When a trailing order begins to watch is not told before its next report.
                let mut told = *watcher.orders.get(&(symbol, order.id)).unwrap();
                told.trailing_since = order.trailing_since;
                assert_eq!(told, *order, "as reported");
            }
        }
    }
    for symbol in SYMBOLS {
        let best = |side: Side| exchange.best(symbol, side).map(|level| level.ticks);
        if watcher.external != Some(symbol)
            && let (Some(bid), Some(ask)) = (best(Side::Buy), best(Side::Sell))
        {
            assert!(bid < ask, "the book is crossed: {bid} {ask}");
        }
        let resting = SIDES.into_iter().flat_map(|side| exchange.resting(symbol, side));
        assert!(resting.into_iter().all(|order| order.is_working && order.open_lots() > 0));
    }
    let open = |(symbol, order): (&SymbolId, &Order)| {
        exchange
            .order(order.account, *symbol, OrderRef::Id(order.id))
            .is_some_and(|order| order.status.is_open())
    };
    for ((symbol, _), order) in &watcher.orders {
        assert_eq!(open((symbol, order)), order.status.is_open(), "{order:?}");
    }
    for list in watcher.lists.values() {
        let is_open = list.orders().any(|(id, _)| watcher.is_open(list.symbol, id));
        assert_eq!(is_open, list.status == matching::ListStatus::Executing, "{list:?}");
    }
}

/// The first trade of a command is with whoever was first in the queue, unless self-trade
/// prevention or a cancellation took that one away before.
fn check_priority(before: &[Option<OrderId>; 2], events: &[Event]) {
    let first = events.iter().find(|event| match event {
        Event::Trade(_) => true,
        Event::Execution(execution) => matches!(
            execution.kind,
            ExecutionKind::TradePrevention | ExecutionKind::Canceled | ExecutionKind::Expired
        ),
        _ => false,
    });
    if let Some(Event::Trade(trade)) = first {
        let (maker, place) = match trade.taker_side {
            Side::Buy => (trade.seller, 1),
            Side::Sell => (trade.buyer, 0),
        };
        assert_eq!(maker, before[place], "the first in the queue trades first");
    }
}

fn symbol_of(command: &Command) -> SymbolId {
    match command {
        Command::Place { symbol, .. }
        | Command::Check { symbol, .. }
        | Command::PlaceList { symbol, .. }
        | Command::Cancel { symbol, .. }
        | Command::CancelAll { symbol, .. }
        | Command::CancelList { symbol, .. }
        | Command::CancelReplace { symbol, .. }
        | Command::Amend { symbol, .. }
        | Command::External { symbol, .. }
        | Command::SetStatus { symbol, .. } => *symbol,
        Command::Deposit { .. } | Command::Withdraw { .. } => SYMBOLS[0],
        other => panic!("{other:?} is not generated"),
    }
}

/// Points most commands about one order at one that is open, so that they are not all refused.
fn aim(exchange: &Exchange, command: &Command) -> Command {
    let aimed = |account: AccountId, symbol: SymbolId, order: OrderRef| {
        let OrderRef::Id(OrderId(number)) = order else { return order };
        let open: Vec<OrderId> = exchange.open_orders(account, symbol).map(|o| o.id).collect();
        let place = usize::try_from(number).unwrap();
        match open.get(place % open.len().max(1)) {
            Some(id) if number % 8 != 0 => OrderRef::Id(*id),
            _ => order,
        }
    };
    match command.clone() {
        Command::Cancel { account, symbol, cancel } => {
            let cancel = Cancel { order: aimed(account, symbol, cancel.order), ..cancel };
            Command::Cancel { account, symbol, cancel }
        }
        Command::CancelReplace { account, symbol, mut replace } => {
            replace.cancel.order = aimed(account, symbol, replace.cancel.order);
            Command::CancelReplace { account, symbol, replace }
        }
        Command::Amend { account, symbol, order, lots, client_id } => {
            let order = aimed(account, symbol, order);
            Command::Amend { account, symbol, order, lots, client_id }
        }
        other => other,
    }
}

/// Runs the commands and checks everything after each; gives all events as text.
fn run(second: Liquidity, commands: &[Command]) -> String {
    let mut all = Vec::new();
    let mut exchange = venue(second, &mut all);
    let external = (second != Liquidity::Accounts).then_some(SYMBOLS[1]);
    let mut watcher = Watcher { external, ..Watcher::default() };
    all.iter().for_each(|event| watcher.see(&exchange, event));
    let mut events = Vec::new();
    for (i, command) in (1i64..).zip(commands) {
        let symbol = symbol_of(command);
        let first = |exchange: &Exchange, side: Side| {
            exchange.resting(symbol, side).next().map(|order| order.id)
        };
        let fronts = SIDES.map(|side| first(&exchange, side));
        events.clear();
        let at = Timestamp::from_unix_millis(i * 1_000);
        let reply = exchange.apply(at, aim(&exchange, command), &mut events);
        if reply.is_err() || matches!(reply, Ok(Reply::Checked)) {
            assert_eq!(events, [], "a refusal does nothing: {reply:?}");
        }
        assert_ne!(reply, Err(Refusal::UnknownAccount));
        events.iter().for_each(|event| watcher.see(&exchange, event));
        if watcher.external != Some(symbol) {
            check_priority(&fronts, &events);
        }
        check(&exchange, &watcher);
        all.append(&mut events);
    }
    if second == Liquidity::Accounts {
        check_restored(&exchange, &watcher);
    }
    let mut events = cancel_all(&mut exchange);
    events.iter().for_each(|event| watcher.see(&exchange, event));
    check(&exchange, &watcher);
    all.append(&mut events);
    format!("{all:?}")
}

/// What a venue shows of its accounts and books.
fn picture(exchange: &Exchange) -> String {
    let mut text = String::new();
    for symbol in SYMBOLS {
        for side in SIDES {
            // Those that began to work at one instant come back by number.
            let queue = exchange.resting(symbol, side);
            let mut queue: Vec<_> =
                queue.map(|o| (o.ticks, o.working_at, o.id, o.open_lots())).collect();
            queue.sort_unstable();
            text += &format!("{queue:?}\n");
        }
        for account in (0..ACCOUNTS).map(AccountId) {
            let mut open: Vec<Order> = exchange.open_orders(account, symbol).copied().collect();
            open.sort_by_key(|order| order.id);
            open.iter_mut().for_each(|order| order.trailing_since = None);
            text += &format!("{open:?}\n");
        }
    }
    for account in (0..ACCOUNTS).map(AccountId) {
        let lists: Vec<_> = exchange.open_lists(account).collect();
        let balances: Vec<_> = exchange.balances(account).collect();
        text += &format!("{lists:?} {balances:?}\n");
    }
    text
}

/// A second venue with the balances of the first, and what its events told of open orders.
fn restored(exchange: &Exchange, watcher: &Watcher) -> Exchange {
    let mut events = Vec::new();
    let mut copy = venue(Liquidity::Accounts, &mut events);
    let at = Timestamp::from_unix_millis(0);
    for account in (0..ACCOUNTS).map(AccountId) {
        for (asset, balance) in exchange.balances(account) {
            let more = balance.free + balance.locked - copy.balance(account, asset).free;
            let command = if more > 0 {
                Command::Deposit { account, asset, atoms: more }
            } else {
                Command::Withdraw { account, asset, atoms: -more }
            };
            assert!(more == 0 || copy.apply(at, command, &mut events).is_ok());
        }
    }
    for symbol in SYMBOLS {
        let is_here = |order: &&Order| order.symbol == symbol && order.status.is_open();
        let orders = watcher.orders.values().filter(is_here).copied().collect();
        let is_open = |list: &&OrderList| {
            list.symbol == symbol && list.status == matching::ListStatus::Executing
        };
        let lists = watcher.lists.values().filter(is_open).copied().collect();
        let restore = Command::Restore { symbol, orders, lists };
        assert_eq!(copy.apply(at, restore.clone(), &mut events), Ok(Reply::Done));
        let Command::Restore { orders, .. } = &restore else { continue };
        if !orders.is_empty() {
            assert_eq!(copy.apply(at, restore, &mut events), Err(Refusal::BadRestore), "once only");
        }
    }
    copy
}

/// The venue that the events restore shows what this one shows, where the order of the queue can
/// be told: icebergs queue anew for each part, which no event dates.
fn check_restored(exchange: &Exchange, watcher: &Watcher) {
    let is_plain = |order: &Order| {
        order.iceberg_lots == 0 && (order.kind.has_price() || order.trailing_bips == 0)
    };
    let atoms = (0..ACCOUNTS).flat_map(|number| exchange.balances(AccountId(number)));
    let is_common = atoms.into_iter().all(|(_, balance)| balance.free.abs() < 1 << 80);
    if is_common && watcher.orders.values().filter(|o| o.status.is_open()).all(is_plain) {
        let mut copy = restored(exchange, watcher);
        assert_eq!(picture(&copy), picture(exchange));
        cancel_all(&mut copy);
    }
}

/// Cancels every order; nothing rests and nothing stays locked.
fn cancel_all(exchange: &mut Exchange) -> Vec<Event> {
    let at = Timestamp::from_unix_millis(0);
    let mut events = Vec::new();
    for symbol in SYMBOLS {
        for account in (0..ACCOUNTS).map(AccountId) {
            let all = Command::CancelAll { account, symbol, cancel_id: ClientId::NONE };
            match exchange.apply(at, all, &mut events) {
                Ok(_) | Err(Refusal::UnknownOrder) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(SIDES.map(|side| exchange.resting(symbol, side).count()), [0, 0]);
    }
    for account in (0..ACCOUNTS).map(AccountId) {
        for (asset, balance) in exchange.balances(account) {
            assert_eq!(balance.locked, 0, "{account:?} {asset:?}: nothing stays locked");
        }
        assert_eq!(exchange.open_lists(account).count(), 0);
    }
    events
}

/// Numbers at the ends of their range as often as ordinary ones.
fn wild() -> impl Strategy<Value = i64> {
    const EDGES: [i64; 7] =
        [i64::MIN, -1, 0, 1, 1_000_000_000_000_000, 1_000_000_000_000_001, i64::MAX];
    prop_oneof![1 => prop::sample::select(&EDGES[..]), 1 => any::<i64>(), 3 => 1i64..200]
}

fn wild_command() -> impl Strategy<Value = Command> {
    let order = (order(), wild(), wild(), wild(), wild(), any::<u32>(), any::<i128>()).prop_map(
        |(order, lots, ticks, stop_ticks, iceberg_lots, bips, quote)| OrderRequest {
            lots: if order.quote_atoms > 0 { 0 } else { lots },
            quote_atoms: if order.quote_atoms > 0 { quote } else { 0 },
            ticks: if order.ticks > 0 { ticks } else { 0 },
            stop_ticks: if order.stop_ticks > 0 { stop_ticks } else { 0 },
            trailing_bips: if order.trailing_bips > 0 { bips } else { 0 },
            iceberg_lots: if order.iceberg_lots > 0 { iceberg_lots } else { 0 },
            peg: order.peg.map(|peg| Peg { offset_levels: bips, ..peg }),
            ..order
        },
    );
    let order = order.boxed();
    let list = (order.clone(), order.clone(), any::<(bool, bool)>()).prop_map(
        |(working, pending, (pays, is_bare))| {
            let pending = if is_bare { OrderRequest { lots: 0, ..pending } } else { pending };
            let working = OrderRequest { kind: OrderKind::Limit, ..working };
            let orders = if pays {
                ListOrders::Opo { working, pending }
            } else {
                ListOrders::Oto { working, pending }
            };
            Box::new(ListRequest { client_id: ClientId::NONE, orders })
        },
    );
    let account = || (0..ACCOUNTS).prop_map(AccountId);
    let symbol = || prop::sample::select(&SYMBOLS[..]);
    let atoms = prop_oneof![any::<i128>(), 1i128..100_000_000_000_000_000_000_000_000_001];
    let transfer = (account(), 0u32..4, atoms, any::<bool>());
    prop_oneof![
        8 => (account(), symbol(), order)
            .prop_map(|(account, symbol, order)| Command::Place { account, symbol, order }),
        2 => (account(), symbol(), list)
            .prop_map(|(account, symbol, list)| Command::PlaceList { account, symbol, list }),
        1 => transfer.prop_map(|(account, asset, atoms, is_deposit)| {
            let asset = AssetId(asset);
            if is_deposit {
                Command::Deposit { account, asset, atoms }
            } else {
                Command::Withdraw { account, asset, atoms }
            }
        }),
        1 => (account(), symbol(), order_ref(), wild()).prop_map(
            |(account, symbol, order, lots)| {
                Command::Amend { account, symbol, order, lots, client_id: None }
            }
        ),
        1 => (wild(), wild(), side()).prop_map(|(ticks, lots, taker_side)| {
            let data = External::Trade { ticks, lots, taker_side };
            Command::External { symbol: SYMBOLS[1], data }
        }),
        2 => (any::<u64>(), wild(), wild(), side()).prop_map(|(update_id, ticks, lots, side)| {
            let data = External::Level { update_id, side, level: PriceLevel { ticks, lots } };
            Command::External { symbol: SYMBOLS[1], data }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_unit_is_where_it_should_be_whatever_is_asked(
        commands in prop::collection::vec(command(), 1..120),
    ) {
        let first = run(Liquidity::Accounts, &commands);
        let second = run(Liquidity::Accounts, &commands);
        prop_assert!(first == second, "the same commands give the same events");
    }

    #[test]
    fn no_number_is_too_large_or_too_small_to_be_answered(
        commands in prop::collection::vec(wild_command(), 1..80),
        is_recorded in any::<bool>(),
    ) {
        let recorded = Liquidity::External(QueueModel::ProbLog);
        run(if is_recorded { recorded } else { Liquidity::Accounts }, &commands);
    }

    #[test]
    fn every_unit_is_where_it_should_be_over_a_recording(
        commands in prop::collection::vec(command_or_recording(), 1..160),
        n in 0u32..4,
    ) {
        let model = match n {
            0 => QueueModel::RiskAverse,
            1 => QueueModel::ProbLog,
            n => QueueModel::ProbPower { n },
        };
        let first = run(Liquidity::External(model), &commands);
        let second = run(Liquidity::External(model), &commands);
        prop_assert!(first == second, "the same commands give the same events");
    }
}
