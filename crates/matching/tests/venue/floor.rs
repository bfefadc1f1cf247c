//! A small trading floor for the tests: one or two symbols, a few accounts, readable outcomes.

use domain::{Side, Timestamp};
use matching::{
    AccountId, AccountSpec, Atoms, Cancel, CancelRestriction, ClientId, Command, Event, Exchange,
    ExecutionKind, Filters, Funding, Keep, Liquidity, ListId, Listing, Order, OrderId, OrderRef,
    OrderRequest, Refusal, Reply, SymbolId, VenueLimits,
};

/// One unit of any asset.
pub(crate) const ONE: Atoms = 1_000_000_000_000;

/// A venue with its clock and the events of the last command.
#[derive(Debug)]
pub(crate) struct Floor {
    pub(crate) exchange: Exchange,
    pub(crate) events: Vec<Event>,
    pub(crate) symbol: SymbolId,
    now: i64,
}

/// A listing where one lot at one tick is one unit of the quote asset, so numbers stay readable.
pub(crate) fn listing() -> Listing {
    let pair = ("BTC".parse().unwrap(), "USDT".parse().unwrap());
    Listing::new("BTCUSDT".parse().unwrap(), pair, "1".parse().unwrap(), "1".parse().unwrap())
}

pub(crate) fn name(text: &str) -> ClientId {
    text.parse().unwrap()
}

pub(crate) fn buy(ticks: i64, lots: i64) -> OrderRequest {
    OrderRequest::limit(Side::Buy, ticks, lots)
}

pub(crate) fn sell(ticks: i64, lots: i64) -> OrderRequest {
    OrderRequest::limit(Side::Sell, ticks, lots)
}

impl Floor {
    pub(crate) fn new(listing: Listing) -> Self {
        let mut floor = Self {
            exchange: Exchange::new(VenueLimits::default(), Keep::default(), ListId(1)),
            events: Vec::new(),
            symbol: SymbolId(0),
            now: 1_000,
        };
        floor.ok(Command::List(Box::new(listing)));
        floor
    }

    pub(crate) fn plain() -> Self {
        Self::new(listing())
    }

    pub(crate) fn with_filters(filters: Filters) -> Self {
        Self::new(Listing { filters, ..listing() })
    }

    pub(crate) fn external(model: matching::QueueModel) -> Self {
        Self::new(Listing { liquidity: Liquidity::External(model), ..listing() })
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now += seconds;
    }

    pub(crate) fn at(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.now * 1_000)
    }

    pub(crate) fn apply(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.events.clear();
        let at = self.at();
        self.exchange.apply(at, command, &mut self.events)
    }

    #[track_caller]
    pub(crate) fn ok(&mut self, command: Command) -> Reply {
        self.apply(command).unwrap()
    }

    /// An account with so many units of base and quote.
    pub(crate) fn account(&mut self, base: i64, quote: i64) -> AccountId {
        let account = self.open(Funding::Limited, None);
        for (asset, units) in self.pair().into_iter().zip([base, quote]) {
            if units > 0 {
                let atoms = Atoms::from(units) * ONE;
                self.ok(Command::Deposit { account, asset, atoms });
            }
        }
        account
    }

    pub(crate) fn rich(&mut self) -> AccountId {
        self.account(1_000_000, 100_000_000)
    }

    pub(crate) fn open(&mut self, funding: Funding, trade_group: Option<u32>) -> AccountId {
        let spec = AccountSpec { funding, trade_group, fees: None };
        match self.ok(Command::OpenAccount(spec)) {
            Reply::Opened(account) => account,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn pair(&self) -> [matching::AssetId; 2] {
        let (base, quote) = self.exchange.pair(self.symbol).unwrap();
        [base, quote]
    }

    #[track_caller]
    pub(crate) fn place(&mut self, account: AccountId, order: OrderRequest) -> OrderId {
        match self.try_place(account, order).unwrap() {
            Reply::Placed(id) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn try_place(
        &mut self,
        account: AccountId,
        order: OrderRequest,
    ) -> Result<Reply, Refusal> {
        let symbol = self.symbol;
        self.apply(Command::Place { account, symbol, order })
    }

    /// The words of the refusal of an order, or `ok`; nothing may have happened when refused.
    #[track_caller]
    pub(crate) fn refusal(&mut self, account: AccountId, order: OrderRequest) -> String {
        let symbol = self.symbol;
        let checked = self.apply(Command::Check { account, symbol, order });
        assert_eq!(self.events, [], "checking does nothing");
        let placed = self.try_place(account, order);
        match placed {
            Ok(_) => {
                assert_eq!(checked, Ok(Reply::Checked));
                "ok".to_owned()
            }
            Err(refusal) => {
                assert_eq!(self.events, [], "a refused order does nothing");
                assert_eq!(checked, Err(refusal.clone()));
                format!("{} {refusal}", refusal.code())
            }
        }
    }

    pub(crate) fn cancel(&mut self, account: AccountId, id: OrderId) -> Result<Reply, Refusal> {
        let symbol = self.symbol;
        let order = OrderRef::Id(id);
        let restriction = CancelRestriction::None;
        let cancel = Cancel { order, restriction, cancel_id: ClientId::NONE };
        self.apply(Command::Cancel { account, symbol, cancel })
    }

    #[track_caller]
    pub(crate) fn order(&self, account: AccountId, id: OrderId) -> Order {
        *self.exchange.order(account, self.symbol, OrderRef::Id(id)).unwrap()
    }

    /// Free and locked base, free and locked quote, in units; rounded down.
    pub(crate) fn money(&self, account: AccountId) -> [i64; 4] {
        let [base, quote] = self.pair().map(|asset| self.exchange.balance(account, asset));
        [base.free, base.locked, quote.free, quote.locked]
            .map(|atoms| i64::try_from(atoms.div_euclid(ONE)).unwrap())
    }

    /// The executions of the last command: `id kind status executed/lots`, and what they are about.
    pub(crate) fn executions(&self) -> Vec<String> {
        self.events.iter().filter_map(Self::execution).collect()
    }

    fn execution(event: &Event) -> Option<String> {
        let Event::Execution(execution) = event else { return None };
        let order = execution.order;
        let mut text = format!(
            "{} {:?} {:?} {}/{}",
            order.id.0, execution.kind, order.status, order.executed_lots, order.lots
        );
        if let Some(fill) = execution.fill {
            text += &format!(" {}@{}", fill.lots, fill.ticks);
        }
        if let Some(prevention) = execution.prevention {
            text += &format!(" prevented {}@{}", prevention.lots, prevention.ticks);
        }
        if let Some(reason) = order.expiry_reason
            && execution.kind == ExecutionKind::Expired
        {
            text += &format!(" {reason:?}");
        }
        Some(text)
    }

    /// The list reports of the last command.
    pub(crate) fn list_reports(&self) -> Vec<String> {
        let report = |event: &Event| match event {
            Event::List(event) => Some(format!("{:?} {:?}", event.kind, event.list.status)),
            _ => None,
        };
        self.events.iter().filter_map(report).collect()
    }

    /// The levels of both sides, best first: bids, then asks.
    pub(crate) fn book(&self) -> String {
        let side = |side: Side| {
            let levels = self.exchange.levels(self.symbol, side);
            levels
                .map(|level| format!("{}x{}", level.lots, level.ticks))
                .collect::<Vec<_>>()
                .join(" ")
        };
        format!("{} | {}", side(Side::Buy), side(Side::Sell))
    }
}
