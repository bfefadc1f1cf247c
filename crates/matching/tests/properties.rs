//! Generated sequences of commands against a naive model of the same rules.

use domain::{OrderId, Side, TimeInForce};
use matching::{Book, BookStart, Event, Kind, Order, Owner};
use proptest::prelude::*;

#[derive(Debug, Clone, Copy)]
enum Command {
    Submit { owner: Option<Owner>, side: Side, lots: i64, kind: Kind },
    Cancel(u64),
    Reduce(u64, i64),
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn kind() -> impl Strategy<Value = Kind> {
    let time_in_force = prop_oneof![
        4 => Just(TimeInForce::GoodTilCanceled),
        1 => Just(TimeInForce::ImmediateOrCancel),
        1 => Just(TimeInForce::FillOrKill),
    ];
    prop_oneof![
        1 => Just(Kind::Market),
        6 => (90i64..110, time_in_force, prop::bool::weighted(0.2)).prop_map(
            |(ticks, time_in_force, post_only)| Kind::Limit { ticks, time_in_force, post_only }
        ),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let owner = prop_oneof![3 => Just(None), 1 => (0u32..2).prop_map(|o| Some(Owner(o)))];
    prop_oneof![
        6 => (owner, side(), 1i64..50, kind())
            .prop_map(|(owner, side, lots, kind)| Command::Submit { owner, side, lots, kind }),
        2 => (1u64..120).prop_map(Command::Cancel),
        1 => (1u64..120, 1i64..50).prop_map(|(id, lots)| Command::Reduce(id, lots)),
    ]
}

/// The slow and obvious book: a list of orders in the order of arrival, searched every time.
#[derive(Debug, Default)]
struct Naive {
    resting: Vec<(Order, i64)>,
    trades: Vec<(OrderId, OrderId, i64, i64)>,
}

impl Naive {
    fn ticks(order: &Order) -> i64 {
        match order.kind {
            Kind::Limit { ticks, .. } => ticks,
            Kind::Market => unreachable!("market orders never rest"),
        }
    }

    /// Index of the order that trades next with `taker`.
    fn best(&self, taker: &Order) -> Option<usize> {
        let reachable = |maker: i64| match (taker.kind, taker.side) {
            (Kind::Market, _) => true,
            (Kind::Limit { ticks, .. }, Side::Buy) => maker <= ticks,
            (Kind::Limit { ticks, .. }, Side::Sell) => maker >= ticks,
        };
        let mut best: Option<usize> = None;
        for (i, (order, _)) in self.resting.iter().enumerate() {
            let price = Self::ticks(order);
            if order.side == taker.side || !reachable(price) {
                continue;
            }
            let better = best.is_none_or(|b| {
                let held = Self::ticks(&self.resting[b].0);
                if taker.side == Side::Buy { price < held } else { price > held }
            });
            if better {
                best = Some(i);
            }
        }
        best
    }

    fn submit(&mut self, order: Order) {
        let mut probe = self.resting.clone();
        let Kind::Limit { time_in_force, post_only, .. } = order.kind else {
            self.sweep(&order);
            return;
        };
        if post_only && self.best(&order).is_some() {
            return;
        }
        if time_in_force == TimeInForce::FillOrKill {
            let trades = self.trades.len();
            if self.sweep(&order) > 0 {
                self.trades.truncate(trades);
                std::mem::swap(&mut self.resting, &mut probe);
            }
            return;
        }
        let left = self.sweep(&order);
        if left > 0 && time_in_force == TimeInForce::GoodTilCanceled {
            self.resting.push((order, left));
        }
    }

    fn sweep(&mut self, order: &Order) -> i64 {
        let mut left = order.lots;
        while left > 0 {
            let Some(i) = self.best(order) else { break };
            let (maker, lots) = self.resting[i];
            if order.owner.is_some() && order.owner == maker.owner {
                self.resting.remove(i);
                continue;
            }
            let traded = left.min(lots);
            left -= traded;
            self.trades.push((maker.id, order.id, Self::ticks(&maker), traded));
            if traded == lots {
                self.resting.remove(i);
            } else {
                self.resting[i].1 -= traded;
            }
        }
        left
    }

    fn depth(&self, side: Side) -> Vec<(i64, i64)> {
        let mut levels = std::collections::BTreeMap::new();
        for (order, lots) in self.resting.iter().filter(|(order, _)| order.side == side) {
            *levels.entry(Self::ticks(order)).or_insert(0) += lots;
        }
        let mut levels: Vec<_> = levels.into_iter().collect();
        if side == Side::Buy {
            levels.reverse();
        }
        levels
    }
}

fn run(commands: &[Command]) -> (Book, Vec<Event>) {
    let mut book = Book::new(BookStart::default());
    let mut events = Vec::new();
    for (i, command) in commands.iter().enumerate() {
        let id = OrderId(i as u64 + 1);
        match *command {
            Command::Submit { owner, side, lots, kind } => {
                book.submit(Order { id, owner, side, lots, kind }, &mut events);
            }
            Command::Cancel(id) => book.cancel(OrderId(id), &mut events),
            Command::Reduce(id, lots) => book.reduce(OrderId(id), lots, &mut events),
        }
        let (bid, ask) = (book.best(Side::Buy), book.best(Side::Sell));
        if let (Some(bid), Some(ask)) = (bid, ask) {
            assert!(bid.ticks < ask.ticks, "crossed after {command:?}: {bid:?} {ask:?}");
        }
    }
    (book, events)
}

fn naive(commands: &[Command]) -> Naive {
    let mut model = Naive::default();
    for (i, command) in commands.iter().enumerate() {
        let id = OrderId(i as u64 + 1);
        match *command {
            Command::Submit { owner, side, lots, kind } => {
                model.submit(Order { id, owner, side, lots, kind });
            }
            Command::Cancel(id) => model.resting.retain(|(order, _)| order.id != OrderId(id)),
            Command::Reduce(id, lots) => {
                for (order, held) in &mut model.resting {
                    if order.id == OrderId(id) && lots < *held {
                        *held = lots;
                    }
                }
            }
        }
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_book_trades_as_the_naive_model_does(
        commands in prop::collection::vec(command(), 1..120)
    ) {
        let (book, events) = run(&commands);
        let model = naive(&commands);
        let trades: Vec<_> = events.iter().filter_map(|event| match event {
            Event::Trade(t) => Some((t.maker, t.taker, t.ticks, t.lots)),
            _ => None,
        }).collect();
        prop_assert_eq!(trades, model.trades.clone());
        for side in [Side::Buy, Side::Sell] {
            let depth: Vec<_> = book.levels(side).map(|l| (l.ticks, l.lots)).collect();
            prop_assert_eq!(depth, model.depth(side));
            prop_assert_eq!(book.level_count(side), model.depth(side).len());
        }
        prop_assert_eq!(book.order_count(), model.resting.len());
    }

    #[test]
    fn every_lot_is_traded_resting_or_named(commands in prop::collection::vec(command(), 1..120)) {
        let (book, events) = run(&commands);
        let brought: i64 = commands.iter().enumerate().filter_map(|(i, command)| {
            let id = OrderId(i as u64 + 1);
            let refused = events.iter().any(|e| {
                matches!(e, Event::Rejected { id: r, why } if *r == id
                    && *why == matching::Rejection::WouldTake)
            });
            match command {
                Command::Submit { lots, .. } if !refused => Some(*lots),
                _ => None,
            }
        }).sum();
        let mut accounted = 0;
        let mut held = std::collections::BTreeMap::new();
        for event in &events {
            match *event {
                // A trade uses up its lots on both sides.
                Event::Trade(t) => {
                    accounted += 2 * t.lots;
                    *held.entry(t.maker).or_insert(0) -= t.lots;
                }
                Event::Rested { id, lots, .. } => { held.insert(id, lots); }
                Event::Removed { lots, .. } | Event::Expired { lots, .. } => accounted += lots,
                Event::Reduced { id, lots, .. } => {
                    accounted += held[&id] - lots;
                    held.insert(id, lots);
                }
                Event::Accepted { .. } | Event::Rejected { .. } => {}
            }
        }
        let resting: i64 =
            [Side::Buy, Side::Sell].iter().flat_map(|s| book.levels(*s)).map(|l| l.lots).sum();
        prop_assert_eq!(brought, accounted + resting);
    }

    #[test]
    fn ids_are_contiguous_and_the_same_commands_give_the_same_events(
        commands in prop::collection::vec(command(), 1..120)
    ) {
        let (book, events) = run(&commands);
        prop_assert_eq!(&events, &run(&commands).1);
        let mut next = BookStart::default();
        for event in &events {
            match *event {
                Event::Trade(t) => {
                    prop_assert_eq!((t.trade_id, t.update_id), (next.trade_id, next.update_id));
                    next.trade_id += 1;
                    next.update_id += 1;
                }
                Event::Rested { update_id, .. }
                | Event::Reduced { update_id, .. }
                | Event::Removed { update_id, .. } => {
                    prop_assert_eq!(update_id, next.update_id);
                    next.update_id += 1;
                }
                Event::Accepted { .. } | Event::Expired { .. } | Event::Rejected { .. } => {}
            }
        }
        prop_assert_eq!(book.update_id() + 1, next.update_id);
        prop_assert_eq!(book.next_trade_id(), next.trade_id);
    }
}
