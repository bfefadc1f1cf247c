//! Matching: commands a second on one core, through the book alone and through the whole exchange.
//!
//! The mix is that of a busy market: 60 % limit orders near the touch, 35 % cancellations of one of
//! the latest orders, 5 % takers that are large enough that the book neither grows without end nor
//! empties. It is the same in every round.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use domain::{Side, TimeInForce, Timestamp};
use matching::book::{Book, Entry, IdIndex};
use matching::{
    AccountId, AccountSpec, AssetId, Atoms, Cancel, CancelRestriction, ClientId, Command, Event,
    Exchange, Fees, Filters, Funding, Keep, ListId, Listing, NotionalFilter, OrderId, OrderRef,
    OrderRequest, PercentBySide, PercentPrice, QuantityRange, Reply, SymbolId, VenueLimits,
};

use super::random::Xorshift;
use crate::Error;
use crate::cpu;
use crate::row::{Benchmark, Bound, Figures, Row, Target};

/// Commands of a round.
const COMMANDS: u32 = 1_000_000;
const ACCOUNTS: u32 = 64;
const MIDDLE_TICKS: i64 = 6_000_000;

/// One step of the mix.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A limit order.
    Add { account: u32, side: Side, ticks: i64, lots: i64 },
    /// Cancels the order that was added so many adds ago, of those not cancelled yet.
    Cancel { back: usize },
    /// An order that takes what there is.
    Take { account: u32, side: Side, lots: i64 },
}

/// A book made of the standard library's collections: levels in a tree, orders of a level in a queue.
#[derive(Debug, Default)]
struct PlainBook {
    /// Prices are negated on the side of the buyers, so that the best comes first on both.
    bids: BTreeMap<i64, VecDeque<(usize, i64)>>,
    asks: BTreeMap<i64, VecDeque<(usize, i64)>>,
    /// Where each order rests, by its number.
    places: Vec<Option<(Side, i64)>>,
}

/// The rows.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let steps = Rc::new(steps());
    let with = |pass: fn(&[Step]) -> Result<Duration, Error>| {
        let steps = Rc::clone(&steps);
        move || {
            let took = pass(&steps)?.as_secs_f64();
            Ok(Figures::from([("commands_per_s", f64::from(COMMANDS) / took)]))
        }
    };
    let rows = vec![
        Row {
            name: "floor",
            what: "a book of the standard library's trees and queues: no accounts, money or events",
            measure: Box::new(with(|steps| Ok(timed(|| plain(steps)).1))),
        },
        Row {
            name: "book",
            what: "our book with its ids, alone",
            measure: Box::new(with(|steps| Ok(timed(|| through_the_book(steps)).1))),
        },
        Row {
            name: "lobster",
            what: "the same through the book of the crate lobster 0.7, which reports fills",
            measure: Box::new(with(|steps| Ok(timed(|| through_lobster(steps)).1))),
        },
        Row {
            name: "exchange",
            what: "Exchange::apply: filters, balances, fees, events",
            measure: Box::new(with(|steps| Ok(through_the_exchange(steps, &[])?.1))),
        },
        Row {
            name: "exchange_named",
            what: "the same, every order with a name of its client's",
            measure: Box::new(with(|steps| {
                let name = |number| format!("order-{number}").parse::<ClientId>();
                let names: Vec<ClientId> = (0..COMMANDS).map(name).collect::<Result<_, _>>()?;
                Ok(through_the_exchange(steps, &names)?.1)
            })),
        },
    ];
    let target = |row| Target { row, figure: "commands_per_s", bound: Bound::AtLeast(2_000_000.0) };
    let aim = Bound::AimAtLeast(2_000_000.0);
    let named = Target { row: "exchange_named", figure: "commands_per_s", bound: aim };
    let targets = vec![target("book"), target("exchange"), named];
    Ok(Benchmark { name: "matching", rows, targets })
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let before = cpu::spent();
    let done = work();
    (done, cpu::spent().saturating_sub(before))
}

fn steps() -> Vec<Step> {
    let mut random = Xorshift::new();
    let mut middle = MIDDLE_TICKS;
    let mut step = |_| {
        let side = if random.below(2) == 0 { Side::Buy } else { Side::Sell };
        let account = u32::try_from(random.below(u64::from(ACCOUNTS))).unwrap_or(0);
        match random.below(100) {
            0..60 => {
                // The distance from the middle is small more often than large.
                let distance = 1 + random.below(50).min(random.below(50));
                let ticks = middle + if side == Side::Buy { -distance } else { distance };
                Step::Add { account, side, ticks, lots: 1 + random.below(100) }
            }
            60..95 => Step::Cancel { back: usize::try_from(random.below(2_000)).unwrap_or(0) },
            _ => {
                middle += random.below(3) - 1;
                Step::Take { account, side, lots: 1 + random.below(600) }
            }
        }
    };
    (0..COMMANDS).map(&mut step).collect()
}

/// Takes the order out of the list that was added so many adds ago.
fn latest<T>(live: &mut Vec<T>, back: usize) -> Option<T> {
    let place = live.len().checked_sub(back + 1)?;
    Some(live.swap_remove(place))
}

/// Gives the number of trades.
fn plain(steps: &[Step]) -> u64 {
    let (mut book, mut live, mut trades) = (PlainBook::default(), Vec::new(), 0);
    for step in steps {
        match *step {
            Step::Add { side, ticks, lots, .. } => {
                let (rested, done) = book.place(side, Some(ticks), lots);
                live.extend(rested);
                trades += done;
            }
            Step::Take { side, lots, .. } => trades += book.place(side, None, lots).1,
            Step::Cancel { back } => {
                if let Some(id) = latest(&mut live, back) {
                    book.cancel(id);
                }
            }
        }
    }
    trades
}

/// Gives the number of trades.
fn through_the_book(steps: &[Step]) -> u64 {
    let (mut book, mut ids) = (Book::new(), IdIndex::new(1));
    let (mut id, mut trades) = (0_u32, 0);
    let mut live: Vec<u64> = Vec::new();
    for step in steps {
        let (account, side, limit, lots) = match *step {
            Step::Add { account, side, ticks, lots } => (account, side, Some(ticks), lots),
            Step::Take { account, side, lots } => (account, side, None, lots),
            Step::Cancel { back } => {
                if let Some(id) = latest(&mut live, back)
                    && let Some(node) = ids.get(id)
                {
                    book.remove(node);
                    ids.remove(id);
                }
                continue;
            }
        };
        id += 1;
        let mut left = lots;
        while left > 0
            && let Some((node, maker)) = book.front(side.opposite())
            && reaches(side, limit, maker.ticks)
        {
            let part = left.min(maker.lots);
            let maker_id = u64::from(maker.key);
            left -= part;
            trades += 1;
            if book.take(node, part).is_gone {
                ids.remove(maker_id);
            }
        }
        if let (Some(ticks), true) = (limit, left > 0) {
            let entry =
                Entry { key: id, owner: account, side, ticks, lots: left, peak: 0, ahead: 0 };
            let (node, _) = book.insert(entry);
            ids.push(u64::from(id), node);
            live.push(u64::from(id));
        }
    }
    trades
}

/// Gives the number of trades.
fn through_lobster(steps: &[Step]) -> usize {
    use lobster::{OrderBook, OrderEvent, OrderType};
    let side_of = |side| match side {
        Side::Buy => lobster::Side::Bid,
        Side::Sell => lobster::Side::Ask,
    };
    let (mut book, mut live, mut id, mut trades) = (OrderBook::default(), Vec::new(), 0, 0);
    for step in steps {
        id += 1;
        let command = match *step {
            Step::Add { side, ticks, lots, .. } => OrderType::Limit {
                id,
                side: side_of(side),
                qty: lots.unsigned_abs(),
                price: ticks.unsigned_abs(),
            },
            Step::Take { side, lots, .. } => {
                OrderType::Market { id, side: side_of(side), qty: lots.unsigned_abs() }
            }
            Step::Cancel { back } => match latest(&mut live, back) {
                Some(id) => OrderType::Cancel { id },
                None => continue,
            },
        };
        let is_limit = matches!(command, OrderType::Limit { .. });
        match book.execute(command) {
            OrderEvent::Placed { id } => live.push(id),
            OrderEvent::PartiallyFilled { id, fills, .. } => {
                trades += fills.len();
                if is_limit {
                    live.push(id);
                }
            }
            OrderEvent::Filled { fills, .. } => trades += fills.len(),
            OrderEvent::Unfilled { .. } | OrderEvent::Canceled { .. } => {}
        }
    }
    trades
}

/// Whether an order of this side and limit takes one that rests at this price.
fn reaches(side: Side, limit: Option<i64>, ticks: i64) -> bool {
    limit.is_none_or(|limit| match side {
        Side::Buy => ticks <= limit,
        Side::Sell => ticks >= limit,
    })
}

fn listing() -> Result<Listing, Error> {
    let pair = ("BTC".parse()?, "USDT".parse()?);
    let mut listing = Listing::new("BTCUSDT".parse()?, pair, "0.01".parse()?, "0.00001".parse()?);
    let band = PercentPrice { up_parts: 500_000_000, down_parts: 20_000_000, average_minutes: 5 };
    let lots = QuantityRange { min_lots: 1, max_lots: 900_000_000, multiple: 1 };
    listing.fees = Fees { maker_parts: 100_000, taker_parts: 100_000 };
    listing.filters = Filters {
        min_ticks: 1,
        max_ticks: 100_000_000,
        tick_multiple: 1,
        percent_by_side: Some(PercentBySide { bid: band, ask: band }),
        lot_size: lots,
        market_lot_size: lots,
        notional: Some(NotionalFilter {
            min: 1_000,
            max: 9_000_000_000_000_000_000,
            min_applies_to_market: true,
            max_applies_to_market: false,
            average_minutes: 5,
        }),
        orders_max: 100_000,
        ..Filters::default()
    };
    Ok(listing)
}

/// An exchange with funded accounts.
fn opened(events: &mut Vec<Event>) -> Result<Exchange, Error> {
    let mut exchange = Exchange::new(VenueLimits::default(), Keep::default(), ListId(1));
    let at = Timestamp::from_unix_millis(0);
    exchange.apply(at, Command::List(Box::new(listing()?)), events)?;
    for number in 0..ACCOUNTS {
        let spec = AccountSpec { funding: Funding::Limited, trade_group: None, fees: None };
        exchange.apply(at, Command::OpenAccount(spec), events)?;
        for asset in [AssetId(0), AssetId(1)] {
            let atoms: Atoms = 1_000_000_000_000_000_000_000;
            let deposit = Command::Deposit { account: AccountId(number), asset, atoms };
            exchange.apply(at, deposit, events)?;
        }
    }
    Ok(exchange)
}

/// Gives the exchange as it is at the end, and what the commands cost.
fn through_the_exchange(steps: &[Step], names: &[ClientId]) -> Result<(Exchange, Duration), Error> {
    let mut events: Vec<Event> = Vec::new();
    let mut exchange = opened(&mut events)?;
    let mut at = Timestamp::from_unix_millis(0);
    let mut live: Vec<(AccountId, OrderId)> = Vec::new();
    let symbol = SymbolId(0);
    let ((), took) = timed(|| {
        for (number, step) in steps.iter().enumerate() {
            at = at.plus(Duration::from_micros(500));
            events.clear();
            let client_id = names.get(number).copied().unwrap_or(ClientId::NONE);
            let (account, order) = match *step {
                Step::Add { account, side, ticks, lots } => {
                    (account, OrderRequest::limit(side, ticks, lots))
                }
                Step::Take { account, side, lots } => {
                    let time_in_force = TimeInForce::ImmediateOrCancel;
                    (account, OrderRequest { time_in_force, ..OrderRequest::market(side, lots) })
                }
                Step::Cancel { back } => {
                    if let Some((account, id)) = latest(&mut live, back) {
                        let (restriction, cancel_id) = (CancelRestriction::None, client_id);
                        let cancel = Cancel { order: OrderRef::Id(id), restriction, cancel_id };
                        let cancel = Command::Cancel { account, symbol, cancel };
                        // That it was filled meanwhile is part of the mix.
                        drop(exchange.apply(at, cancel, &mut events));
                    }
                    continue;
                }
            };
            let account = AccountId(account);
            let order = OrderRequest { client_id, ..order };
            let placed = exchange.apply(at, Command::Place { account, symbol, order }, &mut events);
            if let (Step::Add { .. }, Ok(Reply::Placed(id))) = (*step, placed) {
                live.push((account, id));
            }
        }
    });
    Ok((exchange, took))
}

// === impl PlainBook ===

impl PlainBook {
    /// Gives the order's number if something of it rests, and how often it traded.
    fn place(&mut self, side: Side, limit: Option<i64>, lots: i64) -> (Option<usize>, u64) {
        let (mut left, mut trades) = (lots, 0);
        let (makers, sign) = match side {
            Side::Buy => (&mut self.asks, 1),
            Side::Sell => (&mut self.bids, -1),
        };
        while left > 0
            && let Some(mut level) = makers.first_entry()
            && reaches(side, limit, level.key() * sign)
        {
            let queue = level.get_mut();
            while left > 0
                && let Some((maker, rests)) = queue.front_mut()
            {
                let part = left.min(*rests);
                left -= part;
                *rests -= part;
                trades += 1;
                if *rests == 0 {
                    self.places[*maker] = None;
                    queue.pop_front();
                }
            }
            if queue.is_empty() {
                level.remove();
            }
        }
        let (Some(ticks), true) = (limit, left > 0) else { return (None, trades) };
        let id = self.places.len();
        self.places.push(Some((side, ticks)));
        self.half(side, ticks).0.push_back((id, left));
        (Some(id), trades)
    }

    /// The queue of a level, and the key of the level.
    fn half(&mut self, side: Side, ticks: i64) -> (&mut VecDeque<(usize, i64)>, i64) {
        let (half, key) = match side {
            Side::Buy => (&mut self.bids, -ticks),
            Side::Sell => (&mut self.asks, ticks),
        };
        (half.entry(key).or_default(), key)
    }

    fn cancel(&mut self, id: usize) {
        let Some((side, ticks)) = self.places.get_mut(id).and_then(Option::take) else { return };
        let (queue, key) = self.half(side, ticks);
        queue.retain(|(resting, _)| *resting != id);
        if queue.is_empty() {
            let half = match side {
                Side::Buy => &mut self.bids,
                Side::Sell => &mut self.asks,
            };
            half.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_books_make_the_same_trades() {
        let steps: Vec<Step> = steps().into_iter().take(20_000).collect();
        let expected = plain(&steps);
        assert!(expected > 1_000, "{expected}");
        assert_eq!(through_the_book(&steps), expected);
        assert_eq!(u64::try_from(through_lobster(&steps)), Ok(expected));
        let (exchange, _) = through_the_exchange(&steps, &[]).unwrap();
        let counters = exchange.counters();
        // An account does not trade with itself, so the exchange makes a few less.
        assert!(counters.trades <= expected && counters.trades * 10 > expected * 9, "{counters:?}");
    }
}
