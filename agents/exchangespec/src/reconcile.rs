//! Compares the record with the venue's truth and takes in what differs; it never trades.
//!
//! Once before the first order, then again and again, and at once when something was missed. Open
//! orders, orders and trades since the last comparison and balances are asked for. An order that nobody here
//! sent, or that was filled while nobody listened, is adopted: it is written down as what it is.
//! Money that moved without a trade is written down as a deposit or a withdrawal.
//!
//! # Invariants
//!
//! * Nothing is sent that could change an order or a balance.
//! * A difference of balances counts only when two looks in a row, with nothing learnt between
//!   them, saw the same one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use domain::{Amount, Asset, ClientOrderId, CommandId, NewOrder, OrderId, Symbol, Timestamp};
use journal::Deposit;
use orders::{Order, OrderState};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use venue::{AssetBalance, VenueOrder};

use crate::books::{Books, Week};
use crate::desk::Desk;
use crate::place::hashed_name;

/// What came of the last comparisons.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reconciled {
    /// How often the account was compared.
    pub(crate) count: u64,
    /// When it last was.
    pub(crate) at: Option<Timestamp>,
    /// How long that took.
    pub(crate) took: Duration,
    /// Orders that were found at the venue.
    pub(crate) orders_adopted: u64,
    /// Trades that were found there and not on its stream.
    pub(crate) trades_adopted: u64,
    /// Movements of money without a trade.
    pub(crate) deposits_adopted: u64,
    /// Why the last attempt failed; `None` when it did not.
    pub(crate) failed: Option<String>,
    /// What the balances differed by at the last look, and how much was known then.
    differences: Option<(u64, BTreeMap<Asset, Amount>)>,
}

/// Compares until the desk ends: every so often, and whenever there is doubt.
pub(crate) async fn keep(desk: Arc<Desk>, every: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = desk.doubt.notified() => {}
            () = tokio::time::sleep(every) => {}
        }
        if let Err(why) = desk.reconcile(&stop).await {
            tracing::warn!(%why, "the account could not be compared with the venue");
        }
    }
}

impl Desk {
    /// What came of the last comparisons.
    pub(crate) fn reconciled(&self) -> Reconciled {
        self.reconciled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Reconciled)) {
        change(&mut self.reconciled.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Compares the record with the venue once.
    ///
    /// # Errors
    /// When the venue or the journal did not answer; what was learnt until then stands.
    pub(crate) async fn reconcile(&self, stop: &CancellationToken) -> Result<(), String> {
        let started = Instant::now();
        let compared = self.compare(stop).await;
        let (at, took) = (self.clock.now(), started.elapsed());
        self.note(|known| match &compared {
            Ok(()) => {
                known.count = known.count.saturating_add(1);
                (known.at, known.took, known.failed) = (Some(at), took, None);
            }
            Err(why) => known.failed = Some(why.clone()),
        });
        compared
    }

    async fn compare(&self, stop: &CancellationToken) -> Result<(), String> {
        let open = self.venue.open_orders().await.map_err(|error| error.to_string())?;
        let mut seen = BTreeSet::new();
        for told in &open {
            let id = self.name_of(told).await?;
            self.compare_order(&id, told, stop).await;
            seen.insert(id);
        }
        self.ask_about_others(&seen, stop).await;
        self.compare_orders(stop).await?;
        self.compare_trades(stop).await?;
        self.compare_balances().await
    }

    /// Our name for an order of the venue: what we called it, or for one that nobody here sent, a
    /// name made from its number. One that is new is adopted.
    pub(crate) async fn name_of(&self, told: &VenueOrder) -> Result<ClientOrderId, String> {
        let id = &told.client_order_id;
        let known = self.books().await.order(id).map(Order::order_id);
        // A name may be used again once its order has ended, so the number must not contradict.
        let is_it = |number: Option<OrderId>| number.is_none_or(|number| number == told.order_id);
        match known {
            Some(number) if is_it(number) => return Ok(id.clone()),
            _ => {}
        }
        let recorded = self.journal.load_order(id).await.map_err(|error| error.to_string())?;
        if recorded.is_some_and(|order| is_it(order.order_id())) {
            return Ok(id.clone());
        }
        let number = told.order_id.0.to_string();
        let name = hashed_name("b4f-", &[&self.name, told.symbol.as_str(), &number]);
        self.adopt(&name, told).await?;
        Ok(name)
    }

    /// Writes down an order that was found at the venue.
    async fn adopt(&self, name: &ClientOrderId, told: &VenueOrder) -> Result<(), String> {
        let command = format!("found:{name}");
        let command: CommandId = command.parse().expect("invariant: a name with a short prefix");
        let request = NewOrder {
            client_order_id: name.clone(),
            symbol: told.symbol.clone(),
            side: told.side,
            quantity: told.quantity,
            kind: told.kind,
        };
        let order = Order::new(request, command, told.created_at);
        let found_as = told.client_order_id.as_str();
        let mut books = self.books().await;
        let recorded = self.journal.record_found(&self.name, found_as, &order).await;
        if recorded.map_err(|error| error.to_string())? {
            tracing::warn!(order = %name, venue_order = told.order_id.0, "adopted an order");
            self.note(|known| known.orders_adopted = known.orders_adopted.saturating_add(1));
            books.put(order);
        }
        Ok(())
    }

    pub(crate) async fn compare_order(
        &self,
        id: &ClientOrderId,
        told: &VenueOrder,
        stop: &CancellationToken,
    ) {
        let differs = {
            let books = self.books().await;
            books.order(id).is_none_or(|known| {
                matches!(known.state(), OrderState::Unknown { .. })
                    || known.order_id() != Some(told.order_id)
                    || known.totals().executed != told.executed
                    || known.quantity() != told.quantity
            })
        };
        if differs {
            self.believe(id, told, stop).await;
        }
    }

    /// Asks about every order that is not settled here and not open there.
    async fn ask_about_others(&self, open: &BTreeSet<ClientOrderId>, stop: &CancellationToken) {
        let others: Vec<(ClientOrderId, Symbol, Timestamp, Option<OrderId>)> = {
            let books = self.books().await;
            let other = |order: &Order| {
                let request = order.request();
                let id = request.client_order_id.clone();
                let since = order.sent_at().unwrap_or(order.created_at());
                (!open.contains(&id)).then(|| (id, request.symbol.clone(), since, order.order_id()))
            };
            books.orders().filter_map(other).collect()
        };
        for (id, symbol, since, number) in others {
            let is_found = id.as_str().starts_with("b4f-");
            match number.filter(|_| is_found) {
                // The venue knows it by its number only.
                Some(number) => match self.order_numbered(&symbol, number).await {
                    Ok(Some(told)) => self.believe(&id, &told, stop).await,
                    Ok(None) => tracing::warn!(order = %id, "an adopted order is gone"),
                    Err(why) => tracing::warn!(%why, order = %id, "the venue was not heard"),
                },
                None => self.resolve(&id, symbol, since, stop).await,
            }
        }
    }

    async fn order_numbered(
        &self,
        symbol: &Symbol,
        number: OrderId,
    ) -> Result<Option<VenueOrder>, String> {
        let found = self.venue.orders_from(symbol.clone(), number).await;
        let found = found.map_err(|error| error.to_string())?;
        Ok(found.into_iter().find(|told| told.order_id == number))
    }

    /// Takes in the trades since the last comparison, whoever made them.
    async fn compare_trades(&self, stop: &CancellationToken) -> Result<(), String> {
        let failed = |error: journal::JournalError| error.to_string();
        let cursors = self.journal.cursors(&self.name).await.map_err(failed)?;
        for (symbol, cursor) in cursors {
            let mut next = cursor.saturating_add(1);
            loop {
                let page = self.venue.trades_from(symbol.clone(), next).await;
                let page = page.map_err(|error| error.to_string())?;
                let Some(last) = page.iter().map(|trade| trade.trade_id).max() else { break };
                let orders: BTreeSet<OrderId> = page.iter().map(|trade| trade.order_id).collect();
                for number in orders {
                    self.compare_traded(&symbol, number, stop).await?;
                }
                self.journal.advance_cursor(&self.name, &symbol, last).await.map_err(failed)?;
                next = last.saturating_add(1);
            }
        }
        Ok(())
    }

    /// An order has traded: makes sure that the record has all of it.
    async fn compare_traded(
        &self,
        symbol: &Symbol,
        number: OrderId,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        let known = self.journal.order_of_number(&self.name, Some(symbol), number).await;
        let known = known.map_err(|error| error.to_string())?;
        if known.as_ref().is_some_and(Order::is_settled) {
            return Ok(());
        }
        let Some(told) = self.order_numbered(symbol, number).await? else {
            return Err(format!("the venue lists a trade of order {} and not the order", number.0));
        };
        let id = self.name_of(&told).await?;
        let before = self.reconciled_trades(&id).await;
        self.believe(&id, &told, stop).await;
        if before != Some(told.executed) {
            self.note(|known| known.trades_adopted = known.trades_adopted.saturating_add(1));
        }
        Ok(())
    }

    async fn reconciled_trades(&self, id: &ClientOrderId) -> Option<Amount> {
        self.books().await.order(id).map(|order| order.totals().executed)
    }

    /// Takes in money that moved without a trade.
    async fn compare_balances(&self) -> Result<(), String> {
        let known_before = *self.changed.borrow();
        let told = self.venue.balances().await.map_err(|error| error.to_string())?;
        let mut books = self.books().await;
        // An order on its way may have moved money that nobody here has heard of yet.
        let on_its_way = books.orders().any(|order| order.order_id().is_none());
        let differences = differences(&told, books.totals());
        let known = *self.changed.borrow();
        if on_its_way || known != known_before {
            self.note(|seen| seen.differences = None);
            return Ok(());
        }
        let seen_before = self.reconciled().differences;
        let is_first = books.totals().is_empty();
        if !is_first && seen_before != Some((known, differences.clone())) {
            self.note(|seen| seen.differences = Some((known, differences)));
            return Ok(());
        }
        for (asset, amount) in differences {
            let count = self.deposits(&asset).await?;
            let deposit = Deposit {
                deposit_id: format!("{}:{asset}:{count}", self.name),
                account: self.name.clone(),
                asset: asset.clone(),
                amount,
                at: self.clock.now(),
            };
            let new = self.journal.record_deposit(&deposit).await;
            if new.map_err(|error| error.to_string())? {
                tracing::info!(%asset, %amount, "adopted a movement of money");
                self.note(|seen| seen.deposits_adopted = seen.deposits_adopted.saturating_add(1));
                books.deposit(&asset, amount).map_err(|error| error.to_string())?;
                self.move_starts(&mut books, &asset, amount).await?;
            }
        }
        Ok(())
    }

    /// Money that came or went is neither profit nor loss: what losses are measured from moves by
    /// what it is worth now. What has no price now cannot be told from a profit or a loss.
    async fn move_starts(
        &self,
        books: &mut Books,
        asset: &Asset,
        amount: Amount,
    ) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let value = if *asset == self.quote {
            Some(amount)
        } else {
            let listed = books.instruments.iter();
            let mut of_asset = listed.filter(|i| i.base == *asset && i.quote == self.quote);
            let symbol = of_asset.next().map(|instrument| instrument.symbol.clone());
            let prices = self.prices(symbol.as_slice()).await;
            let mid = symbol.and_then(|symbol| prices.get(&symbol)).map(risk::Market::mid);
            mid.and_then(|mid| mid.value_of(amount).ok())
        };
        let Some(value) = value else {
            tracing::warn!(%asset, %amount, "what came or went has no price and counts as a result");
            return Ok(());
        };
        let monday = Week::monday_of(self.clock.now());
        let moved = self.journal.move_starts(&self.name, monday, value).await;
        moved.map_err(|error| failed(&error))?;
        books.forget_starts();
        Ok(())
    }

    /// How many deposits of an asset are on record: the next one's number.
    async fn deposits(&self, asset: &Asset) -> Result<usize, String> {
        let (mut count, mut after) = (0_usize, 0);
        loop {
            let page = self.journal.load_deposits(&self.name, after, journal::PAGE_MAX).await;
            let page = page.map_err(|error| error.to_string())?;
            count = count.saturating_add(page.rows.iter().filter(|d| d.asset == *asset).count());
            match page.next_after() {
                Some(next) => after = next,
                None => return Ok(count),
            }
        }
    }
}

/// What the venue has more than the record, by asset; less is negative.
fn differences(told: &[AssetBalance], known: &BTreeMap<Asset, Amount>) -> BTreeMap<Asset, Amount> {
    let mut differences = BTreeMap::new();
    let total = |balance: &AssetBalance| balance.free.try_add(balance.locked).ok();
    let told: BTreeMap<&Asset, Amount> =
        told.iter().filter_map(|balance| Some((&balance.asset, total(balance)?))).collect();
    let assets: BTreeSet<&Asset> = told.keys().copied().chain(known.keys()).collect();
    for asset in assets {
        let there = told.get(asset).copied().unwrap_or_default();
        let here = known.get(asset).copied().unwrap_or_default();
        if let Ok(difference) = there.try_sub(here)
            && difference != Amount::ZERO
        {
            differences.insert(asset.clone(), difference);
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_the_sign_of_what_the_venue_has_more() {
        let balance = |asset: &str, free: &str, locked: &str| AssetBalance {
            asset: asset.parse().unwrap(),
            free: free.parse().unwrap(),
            locked: locked.parse().unwrap(),
        };
        let told =
            [balance("USDT", "90", "10"), balance("BTC", "1", "0"), balance("BNB", "2", "0")];
        let amount = |text: &str| text.parse::<Amount>().unwrap();
        let known: BTreeMap<Asset, Amount> = [("USDT", "100"), ("BTC", "1.5"), ("ETH", "3")]
            .map(|(asset, text)| (asset.parse().unwrap(), amount(text)))
            .into();
        let expected: BTreeMap<Asset, Amount> = [("BTC", "-0.5"), ("BNB", "2"), ("ETH", "-3")]
            .map(|(asset, text)| (asset.parse().unwrap(), amount(text)))
            .into();
        assert_eq!(differences(&told, &known), expected);
    }
}
