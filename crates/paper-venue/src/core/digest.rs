//! Turns the exchange's events into records, ledger entries and messages.
//!
//! The order of messages is that of a real venue: trade, aggregate trade, best prices, then (in a
//! batch) depth; for an account its reports, then its balances.

use std::collections::BTreeMap;

use domain::{OrderId, Side};
use matching::{
    AccountId, AssetId, Event, Execution, ExecutionKind, LevelChange, ListEvent, PublicTrade,
    SymbolId,
};

use super::Core;
use super::listed::Strategy;
use super::report;
use crate::ledger::{Entry, FillEntry, ListEntry, OrderEntry, PegEntry};
use crate::streams::{Feed, Topic};
use crate::tape::TapeTrade;

/// What one command changed, gathered while its events are read.
#[derive(Debug, Default)]
struct Changes {
    symbols: Vec<SymbolId>,
    balances: BTreeMap<AccountId, Vec<(AssetId, i128, i128)>>,
}

impl Core {
    /// Reads the events of the last command; they stay in place for whoever answers it.
    pub(super) fn digest(&mut self) {
        let events = std::mem::take(&mut self.events);
        let mut changes = Changes::default();
        for event in &events {
            if let Event::Execution(execution) = event
                && let Some(listed) = self.listed_mut(execution.order.symbol)
            {
                listed.last_order_id = listed.last_order_id.max(execution.order.id.0);
            }
            self.take_in(event, &mut changes);
        }
        for symbol in &changes.symbols {
            self.finish_symbol(*symbol);
        }
        for (account, balances) in &changes.balances {
            self.tell_position(*account, balances);
        }
        self.events = events;
    }

    fn take_in(&mut self, event: &Event, changes: &mut Changes) {
        match event {
            Event::Trade(trade) => {
                note(&mut changes.symbols, trade.symbol);
                self.take_trade(trade);
            }
            Event::Level(change) => {
                note(&mut changes.symbols, change.symbol);
                self.take_level(change);
            }
            Event::Execution(execution) if execution.order.account != self.house => {
                self.take_execution(execution);
            }
            Event::List(event) if event.list.account != self.house => self.take_list(event),
            Event::Balance { account, asset, free, locked, .. } if *account != self.house => {
                if let Some(client) = self.clients.get_mut(account) {
                    client.balances.insert(*asset, (*free, *locked));
                }
                changes.balances.entry(*account).or_default().push((*asset, *free, *locked));
            }
            Event::Transfer { account, asset, atoms, at } if *account != self.house => {
                let name = self.asset(*asset).to_owned();
                self.log(&Entry::Transfer {
                    account: account.0,
                    asset: name.clone(),
                    atoms: atoms.to_string(),
                    at: at.unix_nanos(),
                });
                let (atoms, at) = (*atoms, *at);
                self.tell_account(*account, "balanceUpdate", |unit| {
                    report::balance_update(&name, atoms, at, unit)
                });
            }
            Event::Status { symbol, status, .. } => {
                let status = *status;
                if let Some(listed) = self.listed_mut(*symbol) {
                    listed.listing.status = status;
                }
            }
            Event::Fees { account: None, symbol, fees, .. } => {
                for listed in &mut self.listed {
                    if symbol.is_none_or(|symbol| symbol == listed.id) {
                        listed.listing.fees = *fees;
                    }
                }
            }
            Event::Listed { .. }
            | Event::Fees { .. }
            | Event::Opened { .. }
            | Event::Transfer { .. }
            | Event::Execution(_)
            | Event::List(_)
            | Event::BookReset { .. }
            | Event::Balance { .. } => {}
        }
    }

    fn take_trade(&mut self, trade: &PublicTrade) {
        let Some(listed) = self.listed_mut(trade.symbol) else { return };
        let entry = TapeTrade {
            id: trade.trade_id,
            price: listed.price(trade.ticks),
            quantity: listed.quantity(trade.lots),
            quote: listed.worth(trade.ticks, trade.lots),
            at: trade.at,
            taker: trade.taker_side,
        };
        let taker = match trade.taker_side {
            Side::Buy => trade.buyer,
            Side::Sell => trade.seller,
        };
        let done = listed.tape.trade(entry, taker.map(|OrderId(id)| id));
        self.publish_trade(trade.symbol, &entry);
        if let Some(aggregate) = done {
            self.publish_aggregate(trade.symbol, &aggregate);
        }
    }

    fn take_level(&mut self, change: &LevelChange) {
        let Some(listed) = self.listed_mut(change.symbol) else { return };
        let before = listed.update_id;
        listed.update_id = change.update_id;
        for batch in &mut listed.batches {
            batch.add(before, change.side, change.ticks, change.lots);
        }
    }

    /// Ends the aggregate trade of a command and tells the best prices when they changed.
    fn finish_symbol(&mut self, symbol: SymbolId) {
        let best = |core: &Self, side| {
            core.exchange.best(symbol, side).map(|level| (level.ticks, level.lots))
        };
        let top = [best(self, Side::Buy), best(self, Side::Sell)];
        let Some(listed) = self.listed_mut(symbol) else { return };
        let aggregate = listed.tape.flush();
        let is_new_top = listed.top != top;
        listed.top = top;
        if let Some(aggregate) = aggregate {
            self.publish_aggregate(symbol, &aggregate);
        }
        if is_new_top {
            self.publish_top(symbol);
        }
    }

    fn take_execution(&mut self, execution: &Execution) {
        let order = &execution.order;
        if execution.kind == ExecutionKind::Trade
            && execution.fill.is_some_and(|fill| fill.lots == order.executed_lots)
        {
            self.usage.first_fill(self.now, order.account.0);
        }
        if let Some(client) = self.clients.get_mut(&order.account) {
            client.execution(execution);
        }
        let entry = self.order_entry(execution);
        self.log(&Entry::Order(Box::new(entry)));
        let asset = execution.fill.map(|fill| self.asset(fill.commission_asset).to_owned());
        let symbol = order.symbol;
        let listed = usize::try_from(symbol.0).ok().and_then(|place| self.listed.get(place));
        let Some(listed) = listed else { return };
        let events = self.hub.events(order.account, |unit| {
            report::execution_report(listed, execution, asset.as_deref(), unit)
        });
        self.send_user(events, "executionReport");
    }

    fn take_list(&mut self, event: &ListEvent) {
        let list = event.list;
        if let Some(client) = self.clients.get_mut(&list.account) {
            client.lists.insert(list.id.0, list);
        }
        let entry = self.list_entry(event);
        self.log(&Entry::List(entry));
        let Some(listed) = self.listed(list.symbol) else { return };
        let events = self.hub.events(list.account, |unit| report::list_status(listed, event, unit));
        self.send_user(events, "listStatus");
    }

    fn tell_position(&mut self, account: AccountId, balances: &[(AssetId, i128, i128)]) {
        let at = self.now;
        for (asset, free, locked) in balances {
            let entry = Entry::Balance {
                account: account.0,
                asset: self.asset(*asset).to_owned(),
                free_atoms: free.to_string(),
                locked_atoms: locked.to_string(),
                at: at.unix_nanos(),
            };
            self.log(&entry);
        }
        let rows: Vec<(String, i128, i128)> = balances
            .iter()
            .map(|(asset, free, locked)| (self.asset(*asset).to_owned(), *free, *locked))
            .collect();
        self.tell_account(account, "outboundAccountPosition", |unit| {
            let rows: Vec<(&str, i128, i128)> =
                rows.iter().map(|(name, free, locked)| (name.as_str(), *free, *locked)).collect();
            report::position(&rows, at, unit)
        });
    }

    fn order_entry(&self, execution: &Execution) -> OrderEntry {
        let order = &execution.order;
        let fill = execution.fill.map(|fill| FillEntry {
            trade_id: fill.trade_id,
            ticks: fill.ticks,
            lots: fill.lots,
            quote_atoms: fill.quote.to_string(),
            commission_atoms: fill.commission.to_string(),
            commission_asset: self.asset(fill.commission_asset).to_owned(),
            is_maker: fill.is_maker,
        });
        let strategy = self
            .listed(order.symbol)
            .map_or_else(Strategy::default, |listed| listed.strategies.of(order.mark));
        OrderEntry {
            account: order.account.0,
            symbol: self.listed(order.symbol).map(|l| l.name.clone()).unwrap_or_default(),
            order_id: order.id.0,
            client_id: order.client_id.as_str().to_owned(),
            list_id: order.list.map(|list| list.0),
            report: execution.id,
            event: format!("{:?}", execution.kind),
            side: report::side(order.side).to_owned(),
            kind: report::kind(order.kind).to_owned(),
            time_in_force: report::tif(order.time_in_force).to_owned(),
            stp: report::stp(order.stp).to_owned(),
            strategy_id: strategy.id,
            strategy_kind: strategy.kind,
            status: report::status(order.status).to_owned(),
            expiry_reason: order.expiry_reason.map(|why| report::reason(why).to_owned()),
            ticks: order.ticks,
            asked_ticks: Some(order.asked_ticks),
            peg: order.peg.map(|peg| PegEntry {
                reference: report::peg(peg.reference).to_owned(),
                offset_levels: peg.offset_levels,
            }),
            stop_ticks: order.stop_ticks,
            trailing_bips: order.trailing_bips,
            trailing_since: order.trailing_since.map(domain::Timestamp::unix_nanos),
            lots: order.lots,
            quote_atoms: order.quote_atoms.to_string(),
            iceberg_lots: order.iceberg_lots,
            executed_lots: order.executed_lots,
            executed_quote_atoms: order.executed_quote.to_string(),
            kept_atoms: order.kept.to_string(),
            prevented_lots: order.prevented_lots,
            prevented_match: order.prevented_match,
            amends: order.amends,
            is_working: order.is_working,
            placed_at: order.placed_at.unix_nanos(),
            updated_at: order.updated_at.unix_nanos(),
            working_at: order.working_at.map(domain::Timestamp::unix_nanos),
            fill,
            at: execution.at.unix_nanos(),
        }
    }

    fn list_entry(&self, event: &ListEvent) -> ListEntry {
        let list = &event.list;
        let legs = list.legs.iter().flatten();
        ListEntry {
            account: list.account.0,
            symbol: self.listed(list.symbol).map(|l| l.name.clone()).unwrap_or_default(),
            list_id: list.id.0,
            client_id: list.client_id.as_str().to_owned(),
            kind: report::list_kind(list.kind).to_owned(),
            is_done: list.status == matching::ListStatus::AllDone,
            legs: legs.map(|(id, name)| (id.0, name.as_str().to_owned())).collect(),
            placed_at: list.placed_at.unix_nanos(),
            at: event.at.unix_nanos(),
        }
    }

    fn publish_top(&mut self, symbol: SymbolId) {
        for of in [Some(symbol), None] {
            let topic = Topic { symbol: of, feed: Feed::BookTicker };
            if self.hub.has(&topic) {
                self.publish(&topic, symbol, |listed, _| super::publish::book_ticker(listed));
            }
        }
    }
}

fn note(symbols: &mut Vec<SymbolId>, symbol: SymbolId) {
    if symbols.last() != Some(&symbol) && !symbols.contains(&symbol) {
        symbols.push(symbol);
    }
}
