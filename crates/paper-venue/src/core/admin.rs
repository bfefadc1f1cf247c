//! What somebody who tests a client may do to the venue.

use std::time::Duration;

use domain::{OrderId, Side, TimeInForce};
use matching::{
    AccountId, AccountSpec, Cancel, CancelRestriction, ClientId, Command, Fees, Funding, OrderRef,
    OrderRequest, Reply, SymbolId, SymbolStatus,
};
use serde::Deserialize;

use super::Core;
use super::clients::Client;
use super::listed::ATOMS_PER_E8;
use crate::directory::{Credentials, Key, is_key_text, random_text};
use crate::ledger::Entry;
use crate::protocol::number::parse_e8;
use crate::protocol::signature::Verifier;
use crate::protocol::{Array, Object};

/// Sales that a crash may be made of; each is at most five million units of the quote asset.
const CRASH_SALES_MAX: usize = 1_000;

/// The key of an account that is opened.
#[derive(Debug, Clone)]
pub(crate) enum NewKey {
    /// Make up a key and a secret.
    Random,
    /// These.
    Given(Credentials),
    /// Make up a key; requests are verified with this public key in PEM form.
    Public(String),
}

/// A change of the market from outside.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum MarketAction {
    /// Opens, halts or closes a symbol: `TRADING`, `HALT`, `BREAK`, `CANCEL_ONLY`.
    Status {
        /// Which symbol.
        symbol: String,
        /// The status from now on.
        status: String,
    },
    /// Changes filters; what is absent stays.
    Filters {
        /// Which symbol.
        symbol: String,
        /// Decimal; a multiple of the present tick.
        tick_size: Option<String>,
        /// Decimal; a multiple of the present step.
        step_size: Option<String>,
        /// Decimal.
        min_quantity: Option<String>,
        /// Decimal.
        max_quantity: Option<String>,
        /// Decimal.
        min_notional: Option<String>,
        /// Open orders per account; zero for no limit.
        max_orders: Option<u32>,
    },
    /// Changes fees, of one symbol or all.
    Fees {
        /// Which symbol; all when absent.
        symbol: Option<String>,
        /// Decimal rate, for example `0.001`.
        maker: String,
        /// Decimal rate.
        taker: String,
    },
    /// Somebody sells everything down by so many percent at once.
    FlashCrash {
        /// Which symbol.
        symbol: String,
        /// 1 to 90.
        percent: u32,
    },
    /// All simulated orders of a side go away.
    EmptySide {
        /// Which symbol.
        symbol: String,
        /// `BUY` or `SELL`.
        side: String,
    },
    /// The simulated traders think of another price from now on.
    SetPrice {
        /// Which symbol.
        symbol: String,
        /// Decimal.
        price: String,
    },
    /// The house places a limit order.
    AddLiquidity {
        /// Which symbol.
        symbol: String,
        /// `BUY` or `SELL`.
        side: String,
        /// Decimal.
        price: String,
        /// Decimal.
        quantity: String,
    },
    /// Every request is refused while this is on.
    Maintenance {
        /// On or off.
        on: bool,
    },
}

fn side_of(text: &str) -> Result<Side, String> {
    match text {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(format!("side is {text:?} and must be \"BUY\" or \"SELL\"")),
    }
}

fn decimal(field: &str, text: &str) -> Result<i128, String> {
    parse_e8(text).map_err(|_error| {
        format!(
            "{field} is {text:?} and must be a decimal of at most 8 places, for example \"0.01\""
        )
    })
}

fn request(side: Side, ticks: i64, lots: i64, tif: TimeInForce) -> OrderRequest {
    OrderRequest {
        time_in_force: tif,
        stp: Some(matching::StpMode::None),
        ..OrderRequest::limit(side, ticks, lots)
    }
}

impl Core {
    /// Opens an account with a key and money.
    pub(crate) fn open_account(
        &mut self,
        balances: &[(String, String)],
        key: &NewKey,
    ) -> Result<(AccountId, Credentials), String> {
        let mut deposits = Vec::new();
        for (asset, amount) in balances {
            deposits.push(self.deposit_of(asset, amount)?);
        }
        let random = || random_text().ok_or("the system has no random numbers".to_owned());
        let (credentials, verifier) = match key {
            NewKey::Random => {
                let credentials = Credentials { api_key: random()?, secret: random()? };
                let verifier = Verifier::hmac(&credentials.secret);
                (credentials, verifier)
            }
            NewKey::Given(credentials) => {
                if !is_key_text(&credentials.api_key) {
                    return Err("an API key must be 16 to 128 letters and digits".to_owned());
                }
                (credentials.clone(), Verifier::hmac(&credentials.secret))
            }
            NewKey::Public(pem) => {
                let verifier = Verifier::from_pem(pem).ok_or_else(|| {
                    "public_key must be an RSA or Ed25519 key in PEM form (BEGIN PUBLIC KEY)"
                        .to_owned()
                })?;
                (Credentials { api_key: random()?, secret: String::new() }, verifier)
            }
        };
        if self.keys.borrow().find(&credentials.api_key).is_some() {
            return Err("the API key is taken".to_owned());
        }
        let spec = AccountSpec { funding: Funding::Limited, trade_group: None, fees: None };
        let reply = self.apply(Command::OpenAccount(spec));
        let Ok(Reply::Opened(account)) = reply else {
            return Err("the account cannot be opened".to_owned());
        };
        let at = self.now;
        self.clients.insert(account, Client::new(account, at));
        self.log(&Entry::Account { account: account.0, at: at.unix_nanos() });
        let name = credentials.api_key.clone();
        self.change_keys(|keys| {
            keys.insert(Key {
                name,
                account,
                verifier,
                can_trade: true,
                can_withdraw: false,
                created_at: at.unix_nanos(),
            });
        })?;
        for (asset, atoms) in deposits {
            self.apply(Command::Deposit { account, asset, atoms })
                .map_err(|refusal| refusal.message())?;
        }
        self.ledger.flush();
        Ok((account, credentials))
    }

    fn deposit_of(&self, asset: &str, amount: &str) -> Result<(matching::AssetId, i128), String> {
        let id = self.asset_of(asset).ok_or_else(|| {
            format!("asset {asset:?} is not traded here; there are {}", self.assets.join(", "))
        })?;
        let value = decimal(asset, amount)?;
        if value == 0 {
            return Err(format!("{asset} is {amount:?} and must be more than zero"));
        }
        Ok((id, value.saturating_mul(ATOMS_PER_E8)))
    }

    /// Puts money into an account.
    pub(crate) fn deposit(
        &mut self,
        account: u32,
        asset: &str,
        amount: &str,
    ) -> Result<(), String> {
        let account = AccountId(account);
        if !self.clients.contains_key(&account) {
            return Err(format!("there is no account {}", account.0));
        }
        let (asset, atoms) = self.deposit_of(asset, amount)?;
        let reply = self.apply(Command::Deposit { account, asset, atoms });
        self.ledger.flush();
        reply.map(|_| ()).map_err(|refusal| refusal.message())
    }

    fn named(&self, symbol: &str) -> Result<SymbolId, String> {
        self.symbol(symbol).map(|listed| listed.id).ok_or_else(|| {
            let names: Vec<&str> = self.symbols.keys().map(String::as_str).collect();
            format!("symbol {symbol:?} is not listed; there are {}", names.join(", "))
        })
    }

    /// Changes the market.
    pub(crate) fn act(&mut self, action: MarketAction) -> Result<(), String> {
        let words = format!("{action:?}");
        self.log(&Entry::Admin { action: words, at: self.now.unix_nanos() });
        match action {
            MarketAction::Status { symbol, status } => {
                let symbol = self.named(&symbol)?;
                let status = match status.as_str() {
                    "TRADING" => SymbolStatus::Trading,
                    "HALT" => SymbolStatus::Halt,
                    "BREAK" => SymbolStatus::Break,
                    "CANCEL_ONLY" => SymbolStatus::CancelOnly,
                    other => {
                        return Err(format!(
                            "status is {other:?} and must be TRADING, HALT, BREAK or CANCEL_ONLY"
                        ));
                    }
                };
                self.command(Command::SetStatus { symbol, status })
            }
            MarketAction::Fees { symbol, maker, taker } => {
                let symbol = symbol.map(|name| self.named(&name)).transpose()?;
                let part = |field: &str, text: &str| {
                    let parts = decimal(field, text)?;
                    i64::try_from(parts).map_err(|_error| format!("{field} is too large"))
                };
                let (maker_parts, taker_parts) = (part("maker", &maker)?, part("taker", &taker)?);
                let fees = Fees { maker_parts, taker_parts };
                self.command(Command::SetFees { account: None, symbol, fees })
            }
            MarketAction::FlashCrash { symbol, percent } => self.crash(&symbol, percent),
            MarketAction::EmptySide { symbol, side } => self.empty_side(&symbol, side_of(&side)?),
            MarketAction::SetPrice { symbol, price } => {
                let id = self.named(&symbol)?;
                let price = decimal("price", &price)?;
                let ticks = self.listed(id).and_then(|listed| listed.ticks(price).ok());
                let ticks = ticks.filter(|ticks| *ticks > 0);
                let ticks = ticks.ok_or("price is not on the grid of the symbol".to_owned())?;
                self.market.set_price(&symbol, ticks);
                Ok(())
            }
            MarketAction::AddLiquidity { symbol, side, price, quantity } => {
                let id = self.named(&symbol)?;
                let side = side_of(&side)?;
                let (price, quantity) =
                    (decimal("price", &price)?, decimal("quantity", &quantity)?);
                let listed = self.listed(id).ok_or("no such symbol".to_owned())?;
                let ticks = listed.ticks(price).map_err(|error| error.message)?;
                let lots = listed.lots(quantity).map_err(|error| error.message)?;
                self.house_order(id, request(side, ticks, lots, TimeInForce::GoodTilCanceled))
            }
            MarketAction::Maintenance { on } => {
                self.is_in_maintenance = on;
                Ok(())
            }
            filters @ MarketAction::Filters { .. } => self.change_filters(filters),
        }
    }

    fn command(&mut self, command: Command) -> Result<(), String> {
        self.apply(command).map(|_| ()).map_err(|refusal| refusal.message())
    }

    fn house_order(&mut self, symbol: SymbolId, order: OrderRequest) -> Result<(), String> {
        self.command(Command::Place { account: self.house, symbol, order })
    }

    fn change_filters(&mut self, action: MarketAction) -> Result<(), String> {
        let MarketAction::Filters {
            symbol,
            tick_size,
            step_size,
            min_quantity,
            max_quantity,
            min_notional,
            max_orders,
        } = action
        else {
            return Ok(());
        };
        let id = self.named(&symbol)?;
        let listed = self.listed(id).ok_or("no such symbol".to_owned())?;
        let mut filters = listed.listing.filters.clone();
        let ticks = |field: &str, text: &str| {
            let value = decimal(field, text)?;
            listed
                .ticks(value)
                .map_err(|_error| format!("{field} is {text:?} and must be a multiple of the tick"))
        };
        let lots = |field: &str, text: &str| {
            let value = decimal(field, text)?;
            listed
                .lots(value)
                .map_err(|_error| format!("{field} is {text:?} and must be a multiple of the step"))
        };
        if let Some(text) = &tick_size {
            filters.tick_multiple = ticks("tick_size", text)?;
        }
        if let Some(text) = &step_size {
            filters.lot_size.multiple = lots("step_size", text)?;
        }
        if let Some(text) = &min_quantity {
            filters.lot_size.min_lots = lots("min_quantity", text)?;
        }
        if let Some(text) = &max_quantity {
            filters.lot_size.max_lots = lots("max_quantity", text)?;
        }
        if let Some(text) = &min_notional {
            let min = decimal("min_notional", text)?.saturating_mul(ATOMS_PER_E8);
            if let Some(notional) = &mut filters.notional {
                notional.min = min;
            }
        }
        if let Some(max) = max_orders {
            filters.orders_max = max;
        }
        self.command(Command::SetFilters { symbol: id, filters: Box::new(filters.clone()) })?;
        if let Some(listed) = self.listed_mut(id) {
            listed.listing.filters = filters;
        }
        Ok(())
    }

    fn crash(&mut self, symbol: &str, percent: u32) -> Result<(), String> {
        if !(1..=90).contains(&percent) {
            return Err(format!("percent is {percent} and must be 1 to 90, for example 10"));
        }
        let id = self.named(symbol)?;
        let best = self.levels(id, Side::Buy, 1);
        let best = best.first().ok_or("nobody buys".to_owned())?.0;
        let at =
            |down: u32| (best / 100).saturating_mul(i64::from(100_u32.saturating_sub(down))).max(1);
        // Somebody still buys a little at each percent on the way down, so that prices are printed.
        let listed = self.listed(id).ok_or("no such symbol".to_owned())?;
        let worth = |ticks: i64, units: i128| {
            let lot = listed.worth(ticks, 1_000_000).max(1);
            let lots = units.saturating_mul(100_000_000).saturating_mul(1_000_000) / lot;
            i64::try_from(lots).unwrap_or(i64::MAX).max(1)
        };
        let (small, large) = (worth(at(percent), 20), worth(best, 5_000_000));
        for down in 1..=percent {
            let order = request(Side::Buy, at(down), small, TimeInForce::GoodTilCanceled);
            self.house_order(id, order)?;
        }
        let floor = at(percent);
        for _ in 0..CRASH_SALES_MAX {
            let lots = self.lots_to(id, Side::Buy, floor);
            if lots <= 0 {
                break;
            }
            let order = request(Side::Sell, floor, lots.min(large), TimeInForce::ImmediateOrCancel);
            self.house_order(id, order)?;
        }
        Ok(())
    }

    /// Lots that stand on a side up to a price.
    fn lots_to(&self, symbol: SymbolId, side: Side, ticks: i64) -> i64 {
        let reaches = |level: &i64| match side {
            Side::Buy => *level >= ticks,
            Side::Sell => *level <= ticks,
        };
        let levels = self.levels(symbol, side, usize::MAX);
        let levels = levels.iter().take_while(|(at, _)| reaches(at));
        levels.fold(0_i64, |sum, (_, lots)| sum.saturating_add(*lots))
    }

    fn empty_side(&mut self, symbol: &str, side: Side) -> Result<(), String> {
        let id = self.named(symbol)?;
        let house = self.house;
        let orders: Vec<OrderId> = self
            .exchange
            .resting(id, side)
            .filter(|order| order.account == house)
            .map(|order| order.id)
            .collect();
        for order in orders {
            let cancel = Cancel {
                order: OrderRef::Id(order),
                restriction: CancelRestriction::None,
                cancel_id: ClientId::NONE,
            };
            self.command(Command::Cancel { account: house, symbol: id, cancel })?;
        }
        Ok(())
    }

    /// Lets the house fill a client's order, a moment before it would be cancelled.
    pub(crate) fn fill_order(&mut self, account: AccountId, symbol: SymbolId, order: OrderRef) {
        let (id, name) = match order {
            OrderRef::Id(id) => (Some(id), None),
            OrderRef::Client(name) => (None, Some(name)),
            OrderRef::Both(id, name) => (Some(id), Some(name)),
        };
        let found = self.clients.get(&account).and_then(|client| client.find(symbol, id, name));
        let Some(found) = found.copied().filter(|order| order.is_working) else { return };
        let lots = self.lots_to(symbol, found.side, found.ticks);
        let left = found.lots.saturating_sub(found.executed_lots);
        let side = found.side.opposite();
        let order = request(side, found.ticks, lots.max(left), TimeInForce::ImmediateOrCancel);
        // A filter may refuse so large an order; the cancellation then simply succeeds.
        self.house_order(symbol, order).unwrap_or(());
    }

    /// Moves the venue's clock against the true one.
    pub(crate) fn set_clock_offset(&mut self, millis: i64) -> Result<(), String> {
        if millis.unsigned_abs() > 86_400_000 {
            return Err(format!(
                "offset_ms is {millis} and must be within a day, for example -2000"
            ));
        }
        self.clock_offset = millis.saturating_mul(1_000_000);
        Ok(())
    }

    /// The venue in a few words.
    pub(crate) fn health(&self) -> String {
        let (market, feed) = self.market_words();
        let counters = self.exchange.counters();
        let ledger = match &self.ledger.broken {
            Some(why) => why.clone(),
            None => "ok".to_owned(),
        };
        Object::new()
            .str("status", if self.ledger.broken.is_some() { "degraded" } else { "ok" })
            .str("market", &market)
            .raw("feed", &feed)
            .int("time", self.now.unix_millis())
            .int("behind_ms", millis(self.clock.now().since(self.now)))
            .raw("symbols", &{
                let mut names = Array::new();
                for name in self.symbols.keys() {
                    names.str(name);
                }
                names.end()
            })
            .int("accounts", u32::try_from(self.clients.len()).unwrap_or(u32::MAX))
            .int("connections", u32::try_from(self.hub.conns().count()).unwrap_or(u32::MAX))
            .int("slow_connections_dropped", self.hub.slow)
            .int("requests", self.requests)
            .int("commands", counters.commands)
            .int("commands_refused", counters.refused)
            .int("orders", counters.orders)
            .int("trades", counters.trades)
            .int("ledger_entries", self.ledger.count)
            .str("ledger", &ledger)
            .end()
    }

    /// The ledger from an entry on, with balances as they are now.
    pub(crate) fn ledger_json(&self, from: u64) -> String {
        let (gone, entries) = self.ledger.since(from);
        let mut balances = Array::new();
        for client in self.clients.values() {
            for (asset, (free, locked)) in &client.balances {
                balances.raw(
                    &Object::new()
                        .int("account", client.id.0)
                        .str("asset", self.asset(*asset))
                        .str("free_atoms", &free.to_string())
                        .str("locked_atoms", &locked.to_string())
                        .end(),
                );
            }
        }
        let mut collected = Array::new();
        for (place, name) in self.assets.iter().enumerate() {
            let id = matching::AssetId(u32::try_from(place).unwrap_or(u32::MAX));
            let fees = self.exchange.collected(id).to_string();
            let house = self.exchange.balance(self.house, id);
            let house = house.free.saturating_add(house.locked).to_string();
            collected.raw(
                &Object::new()
                    .str("asset", name)
                    .str("commission_atoms", &fees)
                    .str("house_atoms", &house)
                    .end(),
            );
        }
        Object::new()
            .int("count", self.ledger.count)
            .int("forgotten", gone)
            .raw("entries", &Array::of(entries))
            .raw("balances", &balances.end())
            .raw("assets", &collected.end())
            .end()
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
