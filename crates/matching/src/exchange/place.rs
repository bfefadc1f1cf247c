//! An order comes: whether it is taken, what it holds, and how it starts.

use domain::{OrderId, Side, TimeInForce};

use super::account::Counts;
use super::market::{Wait, is_reached, reaches};
use super::preview::{OnSelf, Seeker, Want};
use super::turn::{Note, Ready, Turn};
use crate::filters::{self, Candidate, UNITS_MAX};
use crate::money::{ATOMS_MAX, Atoms};
use crate::{
    AccountId, ClientId, ExecutionKind, Filter, Funding, OrderKind, OrderRequest, Permissions,
    Refusal, StpMode, SymbolStatus,
};

/// What part an order plays in a list, which decides what can be checked when it is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// None, or the working order of a list: it starts at once.
    Starts,
    /// One of a pair that starts at once; the pair's prices are checked together.
    Pair,
    /// It starts when the working order is filled.
    Pending,
    /// It starts when the working order is filled, with the quantity that this one received.
    Paid,
}

/// Whether the fields of an order go together.
fn check_shape(request: &OrderRequest, role: Role) -> Result<(), Refusal> {
    let kind = request.kind;
    let is_by_quote = request.quote_atoms != 0;
    let numbers = [request.lots, request.ticks, request.stop_ticks, request.iceberg_lots];
    if numbers.iter().any(|number| *number < 0) || request.quote_atoms < 0 {
        return Err(Refusal::UnsupportedCombination);
    }
    if is_by_quote && (kind != OrderKind::Market || request.lots != 0) {
        return Err(Refusal::UnsupportedCombination);
    }
    let is_paid = role == Role::Paid;
    if is_paid && (is_by_quote || request.lots != 0) {
        return Err(Refusal::OpoPendingQuantity);
    }
    if !is_by_quote && !is_paid && request.lots < 1 {
        return Err(Refusal::Filter(Filter::LotSize));
    }
    if kind.has_price() && request.ticks < 1 && !request.is_unpriced() {
        return Err(Refusal::Filter(Filter::Price));
    }
    let has_stop = request.stop_ticks > 0 || request.trailing_bips > 0;
    let has_stray_price = !kind.has_price() && request.ticks != 0;
    if has_stray_price || kind.is_contingent() != has_stop || request.trailing_bips >= 10_000 {
        return Err(Refusal::UnsupportedCombination);
    }
    let rests = kind.has_price() && request.time_in_force == TimeInForce::GoodTilCanceled;
    if (kind == OrderKind::LimitMaker || request.iceberg_lots > 0) && !rests {
        return Err(Refusal::UnsupportedCombination);
    }
    if request.iceberg_lots > request.lots && !is_paid {
        return Err(Refusal::IcebergExceedsQuantity);
    }
    Ok(())
}

/// Whether the symbol takes such an order.
fn check_permissions(allowed: &Permissions, request: &OrderRequest) -> Result<StpMode, Refusal> {
    if !allowed.has_kind(request.kind) {
        return Err(Refusal::KindNotSupported(request.kind));
    }
    if request.iceberg_lots > 0 && !allowed.icebergs {
        return Err(Refusal::IcebergNotSupported);
    }
    if request.trailing_bips > 0 && !allowed.trailing {
        return Err(Refusal::TrailingNotSupported);
    }
    if request.quote_atoms > 0 && !allowed.quote_market {
        return Err(Refusal::QuoteMarketNotSupported);
    }
    if request.peg.is_some() && !allowed.pegs {
        return Err(Refusal::PegNotSupported);
    }
    match request.stp {
        None => Ok(allowed.stp_default),
        Some(mode) if allowed.has_stp(mode) => Ok(mode),
        Some(_) => Err(Refusal::StpModeNotAllowed),
    }
}

// === impl Turn ===

impl Turn<'_> {
    /// Places an order.
    pub(super) fn place(
        &mut self,
        account: AccountId,
        request: &OrderRequest,
    ) -> Result<OrderId, Refusal> {
        let ready = self.check(account, request)?;
        let key = self.admit(account, request, &ready, None);
        let id = self.market.orders.at(key).order.id;
        self.hold(key, ready.hold);
        self.start(key);
        self.drain();
        Ok(id)
    }

    /// Everything that `place` checks.
    pub(super) fn check(
        &self,
        account: AccountId,
        request: &OrderRequest,
    ) -> Result<Ready, Refusal> {
        self.check_open()?;
        let ready = self.check_one(account, request, Role::Starts)?;
        self.check_counts(account, &Counts::of(request))?;
        self.check_funds(account, request.side, ready.hold)?;
        Ok(ready)
    }

    pub(super) fn check_open(&self) -> Result<(), Refusal> {
        match self.market.listing.status {
            SymbolStatus::Trading => Ok(()),
            SymbolStatus::Halt | SymbolStatus::Break | SymbolStatus::CancelOnly => {
                Err(Refusal::MarketClosed)
            }
        }
    }

    pub(super) fn check_counts(&self, account: AccountId, adds: &Counts) -> Result<(), Refusal> {
        let filters = &self.market.listing.filters;
        let account = self.account(account);
        // Simulated traders are many people in one account.
        if account.spec.funding == Funding::Unlimited {
            return Ok(());
        }
        let standing = account.standing(self.symbol);
        filters::check_counts(filters, self.limits, &standing.counts, &account.counts, adds)
    }

    pub(super) fn check_funds(
        &self,
        account: AccountId,
        side: Side,
        atoms: Atoms,
    ) -> Result<(), Refusal> {
        let account = self.account(account);
        let free = account.balance(self.given(side)).free;
        if account.is_limited() && free < atoms {
            return Err(Refusal::InsufficientBalance);
        }
        Ok(())
    }

    /// Checks everything about one order but money and counts.
    pub(super) fn check_one(
        &self,
        account: AccountId,
        request: &OrderRequest,
        role: Role,
    ) -> Result<Ready, Refusal> {
        check_shape(request, role)?;
        let stp = check_permissions(&self.market.listing.permissions, request)?;
        let lots = self.lots_of(account, request, stp)?;
        let ticks = self.entry_ticks(request, role)?;
        self.check_values(request, lots, role)?;
        // A pegged order passes with the price that was asked for, and with the one it takes.
        let pegged;
        let request = if request.peg.is_some() && ticks > 0 {
            pegged = OrderRequest { ticks, ..*request };
            self.check_values(&pegged, lots, role)?;
            &pegged
        } else {
            request
        };
        self.check_position(account, request.side, lots)?;
        if self.is_name_taken(account, request.client_id) {
            return Err(Refusal::DuplicateClientId);
        }
        if role == Role::Starts && self.would_trigger(request) {
            return Err(Refusal::WouldTrigger);
        }
        let starts = matches!(role, Role::Starts | Role::Pair);
        if starts && self.would_take(request) {
            return Err(Refusal::WouldTake);
        }
        let hold = match role {
            Role::Pending | Role::Paid => 0,
            Role::Starts | Role::Pair => self.hold_of(account, request, lots, stp),
        };
        Ok(Ready { lots, ticks, stp, hold })
    }

    /// Checks what can be known of an order's prices, quantity and value by now.
    fn check_values(&self, request: &OrderRequest, lots: i64, role: Role) -> Result<(), Refusal> {
        self.check_prices(request)?;
        if role != Role::Paid {
            self.check_amounts(request, lots)?;
        }
        self.check_size(request, lots)
    }

    /// Checks the prices of an order against the filters.
    pub(super) fn check_prices(&self, request: &OrderRequest) -> Result<(), Refusal> {
        let average = |minutes: u32| self.market.averages.average(minutes, self.at);
        filters::check_prices(&self.market.listing.filters, request, &average)
    }

    /// Checks the quantity and the value of an order against the filters.
    pub(super) fn check_amounts(&self, request: &OrderRequest, lots: i64) -> Result<(), Refusal> {
        let candidate = Candidate { request, lots, tick_lot_atoms: self.market.tick_lot_atoms };
        let average = |minutes: u32| self.market.averages.average(minutes, self.at);
        filters::check_amounts(&self.market.listing.filters, &candidate, &average)
    }

    /// Checks an order that is paid now, whose quantity nobody knew when it came.
    pub(super) fn check_paid(&self, request: &OrderRequest) -> Result<(), Refusal> {
        check_shape(request, Role::Pending)?;
        self.check_amounts(request, request.lots)?;
        self.check_size(request, request.lots)
    }

    /// Whether an open order of the account has this name.
    pub(super) fn is_name_taken(&self, account: AccountId, name: ClientId) -> bool {
        let standing = self.account(account).standing(self.symbol);
        !name.is_none() && standing.clients.contains_key(&name)
    }

    /// How many lots an order is for.
    fn lots_of(
        &self,
        account: AccountId,
        request: &OrderRequest,
        stp: StpMode,
    ) -> Result<i64, Refusal> {
        if request.quote_atoms == 0 {
            return Ok(request.lots);
        }
        let seeker = self.seeker(account, request, stp, Want::Quote(request.quote_atoms));
        let found = if self.is_blind() { 0 } else { self.market.preview(&seeker).lots };
        let filters = &self.market.listing.filters;
        let rest = found.checked_rem(filters.market_multiple()).unwrap_or(0);
        let lots = found.saturating_sub(rest);
        if found < 1 {
            Err(Refusal::NoLiquidity)
        } else if lots < filters.lot_size.min_lots.max(1) {
            Err(Refusal::LiquidityBelowLotSize)
        } else if lots < filters.market_lot_size.min_lots {
            Err(Refusal::LiquidityBelowMarketLotSize)
        } else {
            Ok(lots)
        }
    }

    fn seeker(
        &self,
        account: AccountId,
        request: &OrderRequest,
        stp: StpMode,
        want: Want,
    ) -> Seeker {
        let owner = self.account(account).owner(account);
        Seeker { side: request.side, limit: None, owner, on_self: OnSelf::at_most(stp), want }
    }

    /// What an order will hold of the asset that it gives.
    ///
    /// A sale holds its quantity; a purchase at a limit price what it costs there; a market
    /// purchase what it would cost now, or the quote quantity; a purchase that waits to become a
    /// market order, or to take its price from the book, what it costs at its stop, else at the
    /// last price.
    pub(super) fn hold_of(
        &self,
        account: AccountId,
        request: &OrderRequest,
        lots: i64,
        stp: StpMode,
    ) -> Atoms {
        match (request.side, request.kind) {
            (Side::Sell, _) => self.market.base_atoms(lots),
            (Side::Buy, OrderKind::Market) if request.quote_atoms > 0 => request.quote_atoms,
            // Without limits nothing is locked, so nobody needs to know.
            (Side::Buy, OrderKind::Market) if !self.account(account).is_limited() => 0,
            (Side::Buy, OrderKind::Market) => {
                let seeker = self.seeker(account, request, stp, Want::Lots(lots));
                if self.is_blind() { 0 } else { self.market.preview(&seeker).cost }
            }
            (
                Side::Buy,
                OrderKind::Limit
                | OrderKind::LimitMaker
                | OrderKind::StopLoss
                | OrderKind::StopLossLimit
                | OrderKind::TakeProfit
                | OrderKind::TakeProfitLimit,
            ) => {
                let known =
                    [request.ticks, request.stop_ticks].into_iter().find(|ticks| *ticks > 0);
                let ticks = known.or_else(|| self.market.last_ticks()).unwrap_or(0);
                self.market.cost(ticks, lots)
            }
        }
    }

    /// Whether values stay countable, whatever the filters allow.
    pub(super) fn check_size(&self, request: &OrderRequest, lots: i64) -> Result<(), Refusal> {
        let ticks = request.ticks.max(request.stop_ticks);
        if lots > UNITS_MAX || ticks > UNITS_MAX || request.quote_atoms > ATOMS_MAX {
            return Err(Refusal::ZeroNotional);
        }
        let value = self.market.cost(ticks, lots).max(self.market.base_atoms(lots));
        if value > ATOMS_MAX { Err(Refusal::ZeroNotional) } else { Ok(()) }
    }

    /// `MAX_POSITION`: what the account has and what its open purchases may bring.
    fn check_position(&self, id: AccountId, side: Side, lots: i64) -> Result<(), Refusal> {
        let max = self.market.listing.filters.position_max_lots;
        if max == 0 || side == Side::Sell {
            return Ok(());
        }
        let account = self.account(id);
        let balance = account.balance(self.market.base);
        let open = account.standing(self.symbol).buy_lots.saturating_add(lots);
        let position = balance.free.saturating_add(balance.locked);
        let position = position.saturating_add(self.market.base_atoms(open));
        if position > self.market.base_atoms(max) {
            return Err(Refusal::Filter(Filter::Position));
        }
        Ok(())
    }

    /// Whether the stop of an order is reached by the last price already.
    pub(super) fn would_trigger(&self, request: &OrderRequest) -> bool {
        let (kind, side, stop) = (request.kind, request.side, request.stop_ticks);
        let last = self.market.last_ticks();
        stop > 0 && last.is_some_and(|last| is_reached(kind, side, stop, last))
    }

    /// Whether a limit maker would meet somebody.
    pub(super) fn would_take(&self, request: &OrderRequest) -> bool {
        let best = self.market.opposite_best(request.side);
        request.kind == OrderKind::LimitMaker
            && !self.is_blind()
            && best.is_some_and(|best| reaches(request.side, Some(request.ticks), best))
    }

    /// Reports an order as accepted, and lets it wait for its stop or trade.
    pub(super) fn start(&mut self, key: u32) {
        let order = self.market.orders.at(key).order;
        if order.kind.is_contingent() {
            self.park(key);
            self.report(key, Note::of(ExecutionKind::New));
        } else {
            let at = self.at;
            let record = self.market.orders.at_mut(key);
            record.wait = Wait::Nothing;
            record.order.is_working = true;
            record.order.working_at = Some(at);
            self.report(key, Note::of(ExecutionKind::New));
            self.work(key);
        }
    }
}
