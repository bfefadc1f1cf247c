//! Where an account's history begins for this house, and the orders that it has had since.
//!
//! Open orders and trades do not tell of all: an order that somebody else placed and cancelled while
//! nobody here listened has left neither. So the venue's numbers are gone through, too, each once.

use domain::{OrderId, Symbol};
use tokio_util::sync::CancellationToken;
use venue::VenueOrder;

use crate::desk::Desk;

/// Pages of an account's older orders and trades that are skipped at its first opening.
const PAGES_MAX: usize = 100;

fn failed(error: &impl std::fmt::Display) -> String {
    error.to_string()
}

impl Desk {
    /// Sets the beginning of a symbol's history, once in the life of an account.
    pub(crate) async fn begin_history(&self, symbol: &Symbol) -> Result<(), String> {
        let cursors = self.journal.order_cursors(&self.name).await.map_err(|e| failed(&e))?;
        if !cursors.contains_key(symbol) {
            let last = self.last_order(symbol).await?;
            let done = self.journal.advance_order_cursor(&self.name, symbol, last).await;
            done.map_err(|e| failed(&e))?;
        }
        let cursors = self.journal.cursors(&self.name).await.map_err(|e| failed(&e))?;
        if !cursors.contains_key(symbol) {
            let last = self.last_trade(symbol).await?;
            let done = self.journal.advance_cursor(&self.name, symbol, last).await;
            done.map_err(|e| failed(&e))?;
        }
        Ok(())
    }

    async fn last_order(&self, symbol: &Symbol) -> Result<OrderId, String> {
        let mut last = OrderId(0);
        for _ in 0..PAGES_MAX {
            match last_of(&self.orders_after(symbol, last).await?) {
                Some(number) => last = number,
                None => return Ok(last),
            }
        }
        Err(format!("the account has more than {PAGES_MAX},000 older orders in {symbol}"))
    }

    async fn last_trade(&self, symbol: &Symbol) -> Result<u64, String> {
        let mut last = 0_u64;
        for _ in 0..PAGES_MAX {
            let from = if last == 0 { 0 } else { last.saturating_add(1) };
            let page = self.venue.trades_from(symbol.clone(), from).await;
            let page = page.map_err(|e| failed(&e))?;
            match page.iter().map(|trade| trade.trade_id).max() {
                Some(number) => last = number,
                None => return Ok(last),
            }
        }
        Err(format!("the account has more than {PAGES_MAX},000 older trades in {symbol}"))
    }

    async fn orders_after(
        &self,
        symbol: &Symbol,
        last: OrderId,
    ) -> Result<Vec<VenueOrder>, String> {
        let from = OrderId(last.0.saturating_add(1));
        self.venue.orders_from(symbol.clone(), from).await.map_err(|e| failed(&e))
    }

    /// Takes in the orders since the last comparison, whoever sent them and whatever became of them.
    pub(crate) async fn compare_orders(&self, stop: &CancellationToken) -> Result<(), String> {
        let cursors = self.journal.order_cursors(&self.name).await.map_err(|e| failed(&e))?;
        for (symbol, mut last) in cursors {
            loop {
                let page = self.orders_after(&symbol, last).await?;
                let Some(newest) = last_of(&page) else { break };
                for told in &page {
                    let number = told.order_id;
                    let known =
                        self.journal.order_of_number(&self.name, Some(&symbol), number).await;
                    if known.map_err(|e| failed(&e))?.is_none() {
                        let id = self.name_of(told).await?;
                        self.compare_order(&id, told, stop).await;
                    }
                }
                let done = self.journal.advance_order_cursor(&self.name, &symbol, newest).await;
                done.map_err(|e| failed(&e))?;
                last = newest;
            }
        }
        Ok(())
    }
}

fn last_of(page: &[VenueOrder]) -> Option<OrderId> {
    page.iter().map(|told| told.order_id).max()
}
