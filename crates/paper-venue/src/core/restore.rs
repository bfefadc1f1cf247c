//! Puts back what an earlier run left: balances, orders, trades, numbers.
//!
//! Open orders go back into the book under new numbers of the exchange; clients see the old ones,
//! with what had traded before. Numbers go on a good way after the last that were written down, so
//! that none is given twice. What cannot go back - orders of lists, post-only orders that would
//! take, stops that would trigger - expires, and the ledger says so.

use std::collections::BTreeMap;
use std::path::Path;

use domain::{OrderId, TimeInForce, Timestamp};
use matching::{
    AccountId, AccountSpec, ClientId, Command, Event, Execution, ExecutionKind,
    ExpiryReason, Fill, Funding, ListId, Listing, Order, OrderKind, OrderRef, OrderRequest,
    OrderStatus, Reply, Side, StpMode, SymbolId,
};

use super::Core;
use super::clients::{Client, OwnTrade};
use super::listed::Listed;
use super::report;
use crate::directory::Directory;
use crate::ledger::{Entry, Ledger, OrderEntry, StateError};
use crate::market::Market;

/// How far numbers jump over what may have been given out after the last mark.
const JUMP: u64 = 1_000_000;

/// Where the numbering of a symbol stood.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    order_id: u64,
    trade_id: u64,
    update_id: u64,
    report: u64,
    ticks: i64,
}

/// What an order had before it was put back.
#[derive(Debug, Clone, Copy)]
struct Before {
    order: Order,
}

/// Orders that were put back: their numbers and what they had.
#[derive(Debug, Default)]
pub(super) struct Restored {
    before: BTreeMap<(SymbolId, OrderId), Before>,
    inward: BTreeMap<(SymbolId, OrderId), OrderId>,
}

/// Reads a state folder; without one everything is empty.
pub(super) fn read(
    folder: Option<&Path>,
) -> Result<(Ledger, Vec<Entry>, Directory), StateError> {
    let Some(folder) = folder else {
        return Ok((Ledger::default(), Vec::new(), Directory::default()));
    };
    std::fs::create_dir_all(folder)
        .map_err(|source| StateError::File { path: folder.display().to_string(), source })?;
    let (ledger, entries) = Ledger::open(&folder.join("ledger.jsonl"))?;
    let directory = Directory::load(&folder.join("keys.json"))?;
    Ok((ledger, entries, directory))
}

/// The last numbers of each symbol.
pub(super) fn marks(past: &[Entry]) -> BTreeMap<String, Mark> {
    let mut marks: BTreeMap<String, Mark> = BTreeMap::new();
    for entry in past {
        match entry {
            Entry::Mark { symbol, order_id, trade_id, update_id, ticks, .. } => {
                let mark = marks.entry(symbol.clone()).or_default();
                mark.order_id = mark.order_id.max(*order_id);
                mark.trade_id = mark.trade_id.max(*trade_id);
                mark.update_id = mark.update_id.max(*update_id);
                mark.ticks = if *ticks > 0 { *ticks } else { mark.ticks };
            }
            Entry::Order(order) => {
                let mark = marks.entry(order.symbol.clone()).or_default();
                mark.order_id = mark.order_id.max(order.order_id);
                mark.report = mark.report.max(order.report);
                if let Some(fill) = &order.fill {
                    mark.trade_id = mark.trade_id.max(fill.trade_id);
                    mark.ticks = fill.ticks;
                }
            }
            _ => {}
        }
    }
    marks
}

/// Lets a symbol's numbers go on after an earlier run's.
pub(super) fn continue_numbers(listing: &mut Listing, marks: &BTreeMap<String, Mark>) {
    let Some(mark) = marks.get(listing.symbol.as_str()) else { return };
    listing.start.order_id = OrderId(mark.order_id.saturating_add(JUMP));
    listing.start.trade_id = mark.trade_id.saturating_add(JUMP);
    listing.start.update_id = mark.update_id.saturating_add(JUMP);
    listing.start.match_id = mark.trade_id.saturating_add(JUMP);
    listing.start.execution_id = mark.report.saturating_add(JUMP);
}

/// Lets a market that is simulated go on near the last price.
pub(super) fn move_market(market: &mut dyn Market, listed: &[Listed], marks: &BTreeMap<String, Mark>) {
    for listed in listed {
        if let Some(mark) = marks.get(&listed.name).filter(|mark| mark.ticks > 0) {
            market.set_price(&listed.name, mark.ticks);
        }
    }
}

/// The number of the next order list.
pub(super) fn next_list(past: &[Entry]) -> u64 {
    let number = |entry: &Entry| match entry {
        Entry::List(list) => Some(list.list_id),
        _ => None,
    };
    past.iter().filter_map(number).max().map_or(1, |last| last.saturating_add(1))
}

/// The symbol that a command about orders concerns.
pub(super) const fn symbol_of(command: &Command) -> Option<SymbolId> {
    match command {
        Command::Place { symbol, .. }
        | Command::Cancel { symbol, .. }
        | Command::CancelAll { symbol, .. }
        | Command::CancelReplace { symbol, .. }
        | Command::Amend { symbol, .. } => Some(*symbol),
        _ => None,
    }
}

fn unfit(what: &str, name: &str) -> StateError {
    StateError::Unfit(format!("there is no {what} {name:?} any more"))
}

/// Puts accounts, balances, orders and trades back.
pub(super) fn replay(core: &mut Core, past: &[Entry]) -> Result<(), StateError> {
    core.ledger.is_paused = true;
    let mut balances: BTreeMap<(u32, String), i128> = BTreeMap::new();
    for entry in past {
        match entry {
            Entry::Account { account, at } => put_account(core, *account, *at)?,
            Entry::Balance { account, asset, free_atoms, locked_atoms, .. } => {
                let number = |text: &str| text.parse::<i128>().unwrap_or(0);
                let total = number(free_atoms).saturating_add(number(locked_atoms));
                balances.insert((*account, asset.clone()), total);
            }
            Entry::Order(order) => put_order(core, order)?,
            _ => {}
        }
    }
    for ((account, asset), atoms) in balances {
        let id = core.asset_of(&asset).ok_or_else(|| unfit("asset", &asset))?;
        if atoms > 0 {
            let account = AccountId(account);
            let command = Command::Deposit { account, asset: id, atoms };
            core.apply(command).map_err(|refusal| StateError::Unfit(refusal.message()))?;
        }
    }
    core.ledger.is_paused = false;
    let open: Vec<Order> = core
        .clients
        .values()
        .flat_map(|client| client.open_orders(None).into_iter().copied())
        .collect();
    for order in open {
        put_back(core, order);
    }
    core.ledger.flush();
    Ok(())
}

fn put_account(core: &mut Core, number: u32, at: i64) -> Result<(), StateError> {
    let spec = AccountSpec { funding: Funding::Limited, trade_group: None, fees: None };
    match core.apply(Command::OpenAccount(spec)) {
        Ok(Reply::Opened(id)) if id.0 == number => {
            core.clients.insert(id, Client::new(id, Timestamp::from_unix_nanos(at)));
            Ok(())
        }
        _ => Err(StateError::Unfit(format!("account {number} is out of order"))),
    }
}

fn word<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|item| name(*item) == text)
}

const STATUSES: [OrderStatus; 7] = [
    OrderStatus::New,
    OrderStatus::PendingNew,
    OrderStatus::PartiallyFilled,
    OrderStatus::Filled,
    OrderStatus::Canceled,
    OrderStatus::Expired,
    OrderStatus::ExpiredInMatch,
];

const REASONS: [ExpiryReason; 7] = [
    ExpiryReason::UnfilledIoc,
    ExpiryReason::UnfilledFok,
    ExpiryReason::InsufficientLiquidity,
    ExpiryReason::OcoTrigger,
    ExpiryReason::OtoPhaseOneExpired,
    ExpiryReason::Rejected,
    ExpiryReason::ExchangeCanceled,
];

const TIFS: [TimeInForce; 3] =
    [TimeInForce::GoodTilCanceled, TimeInForce::ImmediateOrCancel, TimeInForce::FillOrKill];

/// An order as its entry describes it.
fn order_of(core: &Core, entry: &OrderEntry) -> Option<Order> {
    let symbol = *core.symbols.get(&entry.symbol)?;
    let time = Timestamp::from_unix_nanos;
    Some(Order {
        id: OrderId(entry.order_id),
        symbol,
        account: AccountId(entry.account),
        client_id: entry.client_id.parse().unwrap_or(ClientId::NONE),
        list: entry.list_id.map(ListId),
        side: if entry.side == "BUY" { Side::Buy } else { Side::Sell },
        kind: word(&OrderKind::ALL, report::kind, &entry.kind)?,
        time_in_force: word(&TIFS, report::tif, &entry.time_in_force)?,
        stp: word(&StpMode::ALL, report::stp, &entry.stp)?,
        status: word(&STATUSES, report::status, &entry.status)?,
        expiry_reason: entry
            .expiry_reason
            .as_ref()
            .and_then(|text| word(&REASONS, report::reason, text)),
        ticks: entry.ticks,
        stop_ticks: entry.stop_ticks,
        trailing_bips: entry.trailing_bips,
        trailing_since: entry.trailing_since.map(time),
        lots: entry.lots,
        quote_atoms: entry.quote_atoms.parse().ok()?,
        iceberg_lots: entry.iceberg_lots,
        executed_lots: entry.executed_lots,
        executed_quote: entry.executed_quote_atoms.parse().ok()?,
        prevented_lots: entry.prevented_lots,
        prevented_match: entry.prevented_match,
        amends: entry.amends,
        is_working: entry.is_working,
        placed_at: time(entry.placed_at),
        updated_at: time(entry.updated_at),
        working_at: entry.working_at.map(time),
    })
}

fn put_order(core: &mut Core, entry: &OrderEntry) -> Result<(), StateError> {
    let order = order_of(core, entry).ok_or_else(|| unfit("symbol", &entry.symbol))?;
    let fill = match &entry.fill {
        Some(fill) => {
            let asset = core.asset_of(&fill.commission_asset);
            let asset = asset.ok_or_else(|| unfit("asset", &fill.commission_asset))?;
            let number = |text: &str| text.parse::<i128>().unwrap_or(0);
            Some(Fill {
                trade_id: fill.trade_id,
                ticks: fill.ticks,
                lots: fill.lots,
                quote: number(&fill.quote_atoms),
                commission: number(&fill.commission_atoms),
                commission_asset: asset,
                is_maker: fill.is_maker,
            })
        }
        None => None,
    };
    let client = core.clients.get_mut(&order.account);
    let client = client.ok_or_else(|| unfit("account", &order.account.0.to_string()))?;
    if let Some(fill) = fill {
        let (list, is_buyer) = (order.list.map(|list| list.0), order.side == Side::Buy);
        let at = Timestamp::from_unix_nanos(entry.at);
        let trade = OwnTrade { order: order.id, list, is_buyer, fill, at };
        client.trades.insert((order.symbol, fill.trade_id, order.id), trade);
    }
    client.put(order);
    Ok(())
}

/// Places an open order again, or ends it when that is impossible.
fn put_back(core: &mut Core, order: Order) {
    let lots = order.lots.saturating_sub(order.executed_lots).saturating_sub(order.prevented_lots);
    let has_triggered = order.kind.is_contingent() && order.is_working;
    let kind = if has_triggered { OrderKind::Limit } else { order.kind };
    let request = OrderRequest {
        client_id: order.client_id,
        side: order.side,
        kind,
        time_in_force: order.time_in_force,
        lots,
        quote_atoms: 0,
        ticks: order.ticks,
        stop_ticks: if has_triggered { 0 } else { order.stop_ticks },
        trailing_bips: if has_triggered { 0 } else { order.trailing_bips },
        iceberg_lots: if order.iceberg_lots < lots { order.iceberg_lots } else { 0 },
        stp: Some(order.stp),
    };
    let is_possible = order.list.is_none() && lots > 0;
    if is_possible {
        let next = core.next_order_id(order.symbol);
        core.restored.remember(next, order);
        let command =
            Command::Place { account: order.account, symbol: order.symbol, order: request };
        if core.apply(command).is_ok() {
            return;
        }
        core.restored.forget(next, &order);
    }
    let at = core.now;
    let ended = Order {
        status: OrderStatus::Expired,
        expiry_reason: Some(ExpiryReason::ExchangeCanceled),
        is_working: false,
        updated_at: at,
        ..order
    };
    let execution = Execution {
        id: 0,
        kind: ExecutionKind::Expired,
        order: ended,
        request_id: ClientId::NONE,
        fill: None,
        prevention: None,
        at,
    };
    core.events = vec![Event::Execution(execution)];
    core.digest();
}

impl Core {
    /// The number that the next order of a symbol gets.
    fn next_order_id(&self, symbol: SymbolId) -> (SymbolId, OrderId) {
        let last = self.listed(symbol).map_or(0, |listed| listed.last_order_id);
        (symbol, OrderId(last.saturating_add(1)))
    }
}

// === impl Restored ===

impl Restored {
    fn remember(&mut self, new: (SymbolId, OrderId), order: Order) {
        self.before.insert(new, Before { order });
        self.inward.insert((order.symbol, order.id), new.1);
    }

    fn forget(&mut self, new: (SymbolId, OrderId), order: &Order) {
        self.before.remove(&new);
        self.inward.remove(&(order.symbol, order.id));
    }

    /// Writes the old numbers into what the exchange reports.
    pub(super) fn translate(&self, event: &mut Event) {
        if self.before.is_empty() {
            return;
        }
        match event {
            Event::Execution(execution) => {
                let key = (execution.order.symbol, execution.order.id);
                if let Some(Before { order }) = self.before.get(&key) {
                    merge(&mut execution.order, order);
                }
            }
            Event::Trade(trade) => {
                for id in [&mut trade.buyer, &mut trade.seller].into_iter().flatten() {
                    if let Some(before) = self.before.get(&(trade.symbol, *id)) {
                        *id = before.order.id;
                    }
                }
            }
            _ => {}
        }
    }

    /// Writes the exchange's numbers into what is asked of it.
    pub(super) fn inward(&self, mut command: Command) -> Command {
        if self.inward.is_empty() {
            return command;
        }
        match &mut command {
            Command::Cancel { symbol, cancel, .. } => self.point(*symbol, &mut cancel.order),
            Command::CancelReplace { symbol, replace, .. } => {
                self.point(*symbol, &mut replace.cancel.order);
            }
            Command::Amend { symbol, order, lots, .. } => {
                self.point(*symbol, order);
                if let OrderRef::Id(id) | OrderRef::Both(id, _) = order
                    && let Some(before) = self.before.get(&(*symbol, *id))
                {
                    *lots = lots.saturating_sub(before.order.executed_lots);
                }
            }
            _ => {}
        }
        command
    }

    fn point(&self, symbol: SymbolId, order: &mut OrderRef) {
        if let OrderRef::Id(id) | OrderRef::Both(id, _) = order
            && let Some(new) = self.inward.get(&(symbol, *id))
        {
            *id = *new;
        }
    }

    /// Writes the old numbers into what the exchange answers.
    pub(super) fn outward(&self, symbol: Option<SymbolId>, mut reply: Reply) -> Reply {
        let Some(symbol) = symbol.filter(|_| !self.before.is_empty()) else { return reply };
        let old = |id: &mut OrderId| {
            if let Some(before) = self.before.get(&(symbol, *id)) {
                *id = before.order.id;
            }
        };
        match &mut reply {
            Reply::Canceled(id) | Reply::Amended(id) | Reply::Placed(id) => old(id),
            Reply::CanceledAll { orders, .. } => orders.iter_mut().for_each(old),
            Reply::Replaced { canceled: Ok(id), .. } => old(id),
            _ => {}
        }
        reply
    }
}

/// Adds what an order had before it was put back.
fn merge(order: &mut Order, before: &Order) {
    order.id = before.id;
    order.kind = before.kind;
    order.stop_ticks = before.stop_ticks;
    order.trailing_bips = before.trailing_bips;
    order.iceberg_lots = before.iceberg_lots;
    order.lots = order.lots.saturating_add(before.executed_lots).saturating_add(before.prevented_lots);
    order.executed_lots = order.executed_lots.saturating_add(before.executed_lots);
    order.executed_quote = order.executed_quote.saturating_add(before.executed_quote);
    order.prevented_lots = order.prevented_lots.saturating_add(before.prevented_lots);
    order.prevented_match = order.prevented_match.or(before.prevented_match);
    order.amends = order.amends.saturating_add(before.amends);
    order.placed_at = before.placed_at;
    order.working_at = before.working_at.or(order.working_at);
    if order.status == OrderStatus::New && before.executed_lots > 0 {
        order.status = OrderStatus::PartiallyFilled;
    }
}
