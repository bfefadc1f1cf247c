//! Puts back what an earlier run left: balances, orders, trades, numbers.
//!
//! Open orders and lists go back into the exchange with their numbers; what would cross the present
//! book trades then. Numbers go on a good way after the last that were written down, so that none is
//! given twice.

use std::collections::BTreeMap;
use std::path::Path;

use domain::{OrderId, TimeInForce, Timestamp};
use matching::{
    AccountId, AccountSpec, ClientId, Command, ExpiryReason, Fill, Funding, ListId, ListKind,
    ListStatus, Listing, Order, OrderKind, OrderList, OrderStatus, Peg, PegReference, Reply, Side,
    StpMode,
};

use super::Core;
use super::clients::{Client, OwnTrade};
use super::listed::Strategy;
use super::report;
use crate::directory::Directory;
use crate::ledger::{Entry, Ledger, ListEntry, OrderEntry, StateError};
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

/// Reads a state folder; without one everything is empty.
pub(super) fn read(folder: Option<&Path>) -> Result<(Ledger, Vec<Entry>, Directory), StateError> {
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
pub(super) fn move_market(market: &mut dyn Market, marks: &BTreeMap<String, Mark>) {
    for (symbol, mark) in marks.iter().filter(|(_, mark)| mark.ticks > 0) {
        market.set_price(symbol, mark.ticks);
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
            Entry::List(list) => put_list(core, list)?,
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
    for symbol in 0..core.listed.len() {
        put_back(core, symbol)?;
    }
    core.ledger.is_paused = false;
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

const PEGS: [PegReference; 2] = [PegReference::Primary, PegReference::Market];

const TIFS: [TimeInForce; 3] =
    [TimeInForce::GoodTilCanceled, TimeInForce::ImmediateOrCancel, TimeInForce::FillOrKill];

/// An order as its entry describes it.
fn order_of(core: &mut Core, entry: &OrderEntry) -> Option<Order> {
    let symbol = *core.symbols.get(&entry.symbol)?;
    let strategy = Strategy { id: entry.strategy_id, kind: entry.strategy_kind };
    let mark = core.listed_mut(symbol)?.strategies.mark(strategy);
    let time = Timestamp::from_unix_nanos;
    let peg = match &entry.peg {
        Some(peg) => Some(Peg {
            reference: word(&PEGS, report::peg, &peg.reference)?,
            offset_levels: peg.offset_levels,
        }),
        None => None,
    };
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
        asked_ticks: entry.asked_ticks.unwrap_or(entry.ticks),
        peg,
        stop_ticks: entry.stop_ticks,
        trailing_bips: entry.trailing_bips,
        trailing_since: entry.trailing_since.map(time),
        mark,
        lots: entry.lots,
        quote_atoms: entry.quote_atoms.parse().ok()?,
        iceberg_lots: entry.iceberg_lots,
        executed_lots: entry.executed_lots,
        executed_quote: entry.executed_quote_atoms.parse().ok()?,
        kept: entry.kept_atoms.parse().ok()?,
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

/// Puts the open orders and lists of a symbol back into the exchange. What would cross the present
/// book trades then, and that is on the ledger.
fn put_back(core: &mut Core, place: usize) -> Result<(), StateError> {
    let Some(symbol) = core.listed.get(place).map(|listed| listed.id) else { return Ok(()) };
    let clients = core.clients.values();
    let orders: Vec<Order> =
        clients.flat_map(|client| client.open_orders(Some(symbol))).copied().collect();
    let is_wanted = |list: &&OrderList| {
        list.symbol == symbol && orders.iter().any(|order| order.list == Some(list.id))
    };
    let lists = core.clients.values().flat_map(|client| client.lists.values());
    let lists: Vec<OrderList> = lists.filter(is_wanted).copied().collect();
    if orders.is_empty() {
        return Ok(());
    }
    core.ledger.is_paused = false;
    core.apply(Command::Restore { symbol, orders, lists })
        .map_err(|refusal| StateError::Unfit(refusal.message()))?;
    core.ledger.is_paused = true;
    Ok(())
}

fn put_list(core: &mut Core, entry: &ListEntry) -> Result<(), StateError> {
    let symbol = core.symbols.get(&entry.symbol).copied();
    let symbol = symbol.ok_or_else(|| unfit("symbol", &entry.symbol))?;
    let mut legs = [None; 3];
    for (slot, (id, name)) in legs.iter_mut().zip(&entry.legs) {
        *slot = Some((OrderId(*id), name.parse().unwrap_or(ClientId::NONE)));
    }
    let account = AccountId(entry.account);
    let list = OrderList {
        id: ListId(entry.list_id),
        client_id: entry.client_id.parse().unwrap_or(ClientId::NONE),
        symbol,
        account,
        kind: word(&ListKind::ALL, report::list_kind, &entry.kind)
            .ok_or_else(|| unfit("kind of list", &entry.kind))?,
        status: if entry.is_done { ListStatus::AllDone } else { ListStatus::Executing },
        legs,
        placed_at: Timestamp::from_unix_nanos(entry.placed_at),
        updated_at: Timestamp::from_unix_nanos(entry.at),
    };
    let client = core.clients.get_mut(&account);
    let client = client.ok_or_else(|| unfit("account", &account.0.to_string()))?;
    client.lists.insert(list.id.0, list);
    Ok(())
}
