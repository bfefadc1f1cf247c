//! The venue itself: one value that owns the exchange, the clients, the connections and the time.
//!
//! Whoever drives it hands it requests and tells it how late it is; it has no task, no lock and no
//! clock of its own, so the same requests at the same times give the same ledger.
//!
//! # Invariants
//!
//! * Time never goes back.
//! * What a request did is on the ledger before its answer is given out.

pub(crate) mod admin;
pub(crate) mod clients;
mod digest;
pub(crate) mod listed;
mod publish;
pub(crate) mod report;
mod restore;
pub(crate) mod serve;
mod timeline;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use domain::{Clock, Timestamp};
use matching::{
    AccountId, AccountSpec, AssetId, Command, Event, Exchange, Funding, Keep, ListId, Refusal,
    Reply, Side, SymbolId, VenueLimits,
};
use tokio::sync::watch;

use crate::directory::Directory;
use crate::faults::Faults;
use crate::latency::Latency;
use crate::ledger::{Entry, Ledger};
use crate::limits::{Limits, Usage};
use crate::market::live::Follow;
use crate::market::{Floor, Market, Stretch};
use crate::options::{Intervals, Options, StartError};
use crate::protocol::{Array, Object};
use crate::streams::Hub;
use clients::Client;
use listed::Listed;
pub(crate) use publish::{kline_row, levels as levels_json, percent};
pub(crate) use serve::{Answer, Auth, Call, Delivery, ReplyTo, Request};
use timeline::Timers;

/// The venue.
#[derive(Debug)]
pub(crate) struct Core {
    clock: Arc<dyn Clock>,
    /// Added to the clock, in nanoseconds: the venue's clock may be wrong on purpose.
    pub(crate) clock_offset: i64,
    now: Timestamp,
    pub(crate) exchange: Exchange,
    pub(crate) events: Vec<Event>,
    pub(crate) listed: Vec<Listed>,
    pub(crate) symbols: BTreeMap<String, SymbolId>,
    pub(crate) lower: BTreeMap<String, SymbolId>,
    pub(crate) assets: Vec<String>,
    pub(crate) clients: BTreeMap<AccountId, Client>,
    pub(crate) keys: watch::Sender<Arc<Directory>>,
    pub(crate) house: AccountId,
    market: Box<dyn Market>,
    pub(crate) hub: Hub,
    pub(crate) usage: Usage,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    pub(crate) ledger: Ledger,
    keys_file: Option<PathBuf>,
    timers: Timers,
    pub(crate) latency: Latency,
    pub(crate) intervals: Intervals,
    seed: u64,
    requests: u64,
    names: u64,
    /// Streams of accounts of the old kind, by listen key.
    pub(crate) listen_keys: BTreeMap<String, AccountId>,
    pub(crate) has_listen_keys: bool,
    pub(crate) is_in_maintenance: bool,
}

// === impl Core ===

impl Core {
    /// Opens the venue: lists the market's symbols, lets its traders fill the books, puts back what
    /// a state folder holds.
    pub(crate) fn try_new(
        options: &Options,
        clock: Arc<dyn Clock>,
        follows: &[Follow],
    ) -> Result<Self, StartError> {
        let start = clock.now();
        let mut market = crate::market::open(start, options, follows)?;
        let (ledger, past, directory) = restore::read(options.state.as_deref())?;
        // The clients' own records are kept here; the exchange needs what it answers from.
        let keep = Keep {
            ended_orders: 100,
            trades: 1,
            prevented_matches: 1,
            amendments: 1,
            ended_lists: 100,
        };
        let mut exchange =
            Exchange::new(VenueLimits::default(), keep, ListId(restore::next_list(&past)));
        let mut events = Vec::new();
        let spec = AccountSpec { funding: Funding::Unlimited, trade_group: None, fees: None };
        let opened = exchange.apply(start, Command::OpenAccount(spec), &mut events);
        let Ok(Reply::Opened(house)) = opened else {
            return Err(StartError::Market("the house account cannot be opened".to_owned()));
        };
        let mut core = Self {
            clock,
            clock_offset: 0,
            now: start,
            exchange,
            events,
            listed: Vec::new(),
            symbols: BTreeMap::new(),
            lower: BTreeMap::new(),
            assets: Vec::new(),
            clients: BTreeMap::new(),
            keys: watch::Sender::new(Arc::new(directory)),
            house,
            market: Box::new(crate::market::Closed),
            hub: Hub::default(),
            usage: Usage::default(),
            limits: options.limits,
            faults: Faults::default(),
            ledger,
            keys_file: options.state.as_ref().map(|folder| folder.join("keys.json")),
            timers: Timers::new(start),
            latency: options.latency,
            intervals: options.intervals,
            // Another start makes up other names: those of an earlier run may still be in use.
            seed: options.seed ^ start.unix_nanos().unsigned_abs(),
            requests: 0,
            names: 0,
            listen_keys: BTreeMap::new(),
            has_listen_keys: options.legacy_listen_key,
            is_in_maintenance: false,
        };
        let marks = restore::marks(&past);
        restore::move_market(market.as_mut(), &marks);
        let opens = start.minus(options.history);
        let mut stretches = market.past(opens, options.past).into_iter();
        for mut listing in market.listings() {
            restore::continue_numbers(&mut listing, &marks);
            core.list(listing, &stretches.next().unwrap_or_default())?;
        }
        core.open_market(market, opens)?;
        restore::replay(&mut core, &past)?;
        core.open_accounts(options)?;
        Ok(core)
    }

    /// Lists a symbol with what traded before; the numbers of its trades go on after those.
    fn list(&mut self, mut listing: matching::Listing, past: &[Stretch]) -> Result<(), StartError> {
        let first_trade = listing.start.trade_id;
        let trades: u64 = past.iter().map(|stretch| stretch.trades).sum();
        listing.start.trade_id = first_trade.saturating_add(trades);
        let command = Command::List(Box::new(listing.clone()));
        let reply = self.apply(command).map_err(|refusal| StartError::Market(refusal.message()))?;
        let Reply::Listed(id) = reply else {
            return Err(StartError::Market(format!("{} is not listed", listing.symbol)));
        };
        self.assets = self.exchange.assets().map(|(_, asset)| asset.name.to_string()).collect();
        let mut listed =
            Listed::try_new(id, listing).map_err(|error| StartError::Market(error.to_string()))?;
        listed.remember(past, first_trade);
        self.symbols.insert(listed.name.clone(), id);
        self.lower.insert(listed.name.to_lowercase(), id);
        self.listed.push(listed);
        Ok(())
    }

    /// Lets the market run from then up to now.
    fn open_market(
        &mut self,
        mut market: Box<dyn Market>,
        from: Timestamp,
    ) -> Result<(), StartError> {
        let until = self.now;
        self.now = from;
        let mut floor = self.floor();
        market.open(&mut floor).map_err(StartError::Market)?;
        self.digest();
        self.market = market;
        while let Some(at) = self.market.next_at().filter(|at| *at <= until) {
            self.step_market(at);
        }
        self.now = until;
        self.timers.start(until);
        Ok(())
    }

    fn open_accounts(&mut self, options: &Options) -> Result<(), StartError> {
        for account in &options.accounts {
            if self.keys.borrow().find(&account.credentials.api_key).is_some() {
                continue;
            }
            self.open_account(
                &account.balances,
                &admin::NewKey::Given(account.credentials.clone()),
            )
            .map_err(StartError::Account)?;
        }
        Ok(())
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// The time that the clock shows, with the offset that it was given.
    pub(crate) fn clock_now(&self) -> Timestamp {
        let now = self.clock.now().unix_nanos().saturating_add(self.clock_offset);
        Timestamp::from_unix_nanos(now)
    }

    fn floor(&mut self) -> Floor<'_> {
        Floor {
            exchange: &mut self.exchange,
            events: &mut self.events,
            at: self.now,
            house: self.house,
        }
    }

    /// Gives the exchange a command and tells everybody what came of it.
    pub(crate) fn apply(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.events.clear();
        let reply = self.exchange.apply(self.now, command, &mut self.events);
        self.digest();
        reply
    }

    pub(crate) fn symbol(&self, name: &str) -> Option<&Listed> {
        self.listed(*self.symbols.get(name)?)
    }

    pub(crate) fn listed(&self, id: SymbolId) -> Option<&Listed> {
        self.listed.get(usize::try_from(id.0).ok()?)
    }

    pub(crate) fn listed_mut(&mut self, id: SymbolId) -> Option<&mut Listed> {
        self.listed.get_mut(usize::try_from(id.0).ok()?)
    }

    pub(crate) fn asset(&self, id: AssetId) -> &str {
        let place = usize::try_from(id.0).unwrap_or(usize::MAX);
        self.assets.get(place).map_or("", String::as_str)
    }

    pub(crate) fn asset_of(&self, name: &str) -> Option<AssetId> {
        let place = self.assets.iter().position(|known| known == name)?;
        u32::try_from(place).ok().map(AssetId)
    }

    /// The best levels of a side as ticks and lots.
    pub(crate) fn levels(&self, symbol: SymbolId, side: Side, count: usize) -> Vec<(i64, i64)> {
        self.exchange
            .levels(symbol, side)
            .take(count)
            .map(|level| (level.ticks, level.lots))
            .collect()
    }

    /// A name of 22 letters and digits, as the venue makes up for orders without one.
    pub(crate) fn made_up_name(&mut self) -> String {
        self.names = self.names.saturating_add(1);
        let mut draws = crate::draws::Draws::new(self.seed ^ 0x006e_616d_6573, self.names);
        let (first, second) = (draws.bits(), draws.bits());
        let mut name = crate::directory::letters(first, 11);
        name.push_str(&crate::directory::letters(second, 11));
        name
    }

    pub(crate) fn log(&mut self, entry: &Entry) {
        self.ledger.write(entry);
    }

    /// What the market is, for people.
    pub(crate) fn market_words(&self) -> (String, String) {
        let books = || {
            Array::of(self.listed.iter().map(|listed| {
                let has = |side| self.exchange.best(listed.id, side).is_some();
                let is_live = has(Side::Buy) && has(Side::Sell);
                let state = if is_live { "live" } else { "no book" };
                Object::new().str("symbol", &listed.name).str("state", state).end()
            }))
        };
        (self.market.description(), self.market.health().unwrap_or_else(books))
    }

    /// Replaces the keys and writes them down.
    pub(crate) fn change_keys(
        &mut self,
        change: impl FnOnce(&mut Directory),
    ) -> Result<(), String> {
        let mut directory = Directory::clone(&self.keys.borrow());
        change(&mut directory);
        if let Some(path) = &self.keys_file {
            directory.save(path).map_err(|error| error.to_string())?;
        }
        self.keys.send_replace(Arc::new(directory));
        Ok(())
    }
}
