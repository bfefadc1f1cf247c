//! Takes an open order back. Needs no approval and asks no halt: it can only reduce what is at
//! stake.

use domain::{ClientOrderId, Quantity, Symbol};
use orders::{Order, OrderEvent, RejectCode};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use venue::{CancelError, VenueOrder};
use wire::Failure;

use crate::desk::Desk;
use crate::place::{NOT_SENT, hashed_name};

impl Desk {
    /// Cancels an order and gives it as it is afterwards.
    ///
    /// # Errors
    /// `refused` with ORDER_NOT_OPEN when it has ended, or CANCEL_REJECTED; `unavailable` when the
    /// wish did not reach the venue; `unknown` when it may have.
    pub(crate) async fn cancel(
        &self,
        id: &ClientOrderId,
        cancel: &CancellationToken,
    ) -> Result<Order, Failure> {
        let (order, name) = self.open_order(id).await?;
        let mut books = self.books().await;
        // A journal that fails must not keep anybody from cancelling.
        self.jot(&mut books, id, &OrderEvent::CancelRequested).await;
        drop(books);
        match self.venue.cancel(order.request().symbol.clone(), name).await {
            Ok(told) => {
                self.take_in_answer(id, &told, Vec::new()).await;
                self.on_record(id, &told, cancel).await
            }
            Err(error) => {
                self.doubt.notify_one();
                Err(self.not_canceled(id, error).await)
            }
        }
    }

    /// Makes an open order smaller, to `quantity` in all, and gives it as it is afterwards.
    ///
    /// # Errors
    /// As for [`Desk::cancel`].
    pub(crate) async fn reduce(
        &self,
        id: &ClientOrderId,
        quantity: Quantity,
        cancel: &CancellationToken,
    ) -> Result<Order, Failure> {
        let (order, name) = self.open_order(id).await?;
        match self.venue.reduce(order.request().symbol.clone(), name, quantity).await {
            Ok(told) => {
                self.take_in_answer(id, &told, Vec::new()).await;
                self.on_record(id, &told, cancel).await
            }
            Err(error) => {
                self.doubt.notify_one();
                Err(not_changed(id, error))
            }
        }
    }

    /// Cancels every open order of a symbol, whoever sent it; gives how many that were.
    ///
    /// # Errors
    /// As for [`Desk::cancel`].
    pub(crate) async fn cancel_all(&self, symbol: &Symbol) -> Result<Vec<VenueOrder>, Failure> {
        match self.venue.cancel_all(symbol.clone()).await {
            Ok(told) => {
                for order in &told {
                    self.take_in_answer(&order.client_order_id, order, Vec::new()).await;
                }
                self.doubt.notify_one();
                Ok(told)
            }
            Err(error) => {
                self.doubt.notify_one();
                let name = hashed_name("all-", &[symbol.as_str()]);
                Err(not_changed(&name, error))
            }
        }
    }

    /// An order that has not ended, and what the venue calls it.
    pub(crate) async fn open_order(
        &self,
        id: &ClientOrderId,
    ) -> Result<(Order, ClientOrderId), Failure> {
        let found = {
            let books = self.books().await;
            books.order(id).filter(|order| !order.state().is_final()).cloned()
        };
        let Some(order) = found else { return Err(self.not_open(id).await) };
        let found_as = self.journal.found_as(id).await;
        let found_as = found_as.map_err(|error| Failure::unavailable(error.to_string()))?;
        let name = found_as.and_then(|name| name.parse().ok()).unwrap_or_else(|| id.clone());
        Ok((order, name))
    }

    async fn not_canceled(&self, id: &ClientOrderId, error: CancelError) -> Failure {
        let (event, failure) = match error {
            CancelError::Rejected { code, message } => (
                OrderEvent::CancelRejected {
                    code: RejectCode(code.to_string()),
                    message: message.clone(),
                },
                Failure::refused(
                    "CANCEL_REJECTED",
                    format!("the venue refused to cancel {id}: {code} {message}"),
                )
                .with("venue_code", json!(code.to_string())),
            ),
            CancelError::NotSent { why } => (
                OrderEvent::CancelRejected { code: NOT_SENT.into(), message: why.clone() },
                Failure::unavailable(format!("the wish to cancel {id} was not sent: {why}")),
            ),
            CancelError::Unknown { why } => (
                OrderEvent::CancelUnknown { reason: why.clone() },
                Failure::unknown(
                    format!("whether {id} is cancelled is not known: {why}; cancel it again"),
                    None,
                ),
            ),
        };
        let mut books = self.books().await;
        self.jot(&mut books, id, &event).await;
        failure.with("client_order_id", json!(id.as_str()))
    }

    async fn jot(&self, books: &mut crate::books::Books, id: &ClientOrderId, event: &OrderEvent) {
        if let Err(error) = self.record(books, id, event, self.clock.now()).await {
            tracing::warn!(%error, order = %id, event = event.name(), "not on record");
        }
    }

    async fn not_open(&self, id: &ClientOrderId) -> Failure {
        let order = match self.journal.load_order(id).await {
            Ok(Some(order)) => order,
            Ok(None) => return unknown_order(&format!("client_order_id {id}")),
            Err(error) => return Failure::unavailable(error.to_string()),
        };
        let state = order.state();
        let message = format!("order {id} is {} and cannot be cancelled", state.name());
        Failure::refused("ORDER_NOT_OPEN", message)
            .with("state", json!(state.name()))
            .with("executed_quantity", json!(order.filled().to_string()))
    }
}

/// A wish to change an open order that did not come true; the order is as it was, or nobody knows.
fn not_changed(id: &ClientOrderId, error: CancelError) -> Failure {
    match error {
        CancelError::Rejected { code, message } => {
            let says = format!("the venue refused: {code} {message}");
            Failure::refused("CHANGE_REJECTED", says).with("venue_code", json!(code.to_string()))
        }
        CancelError::NotSent { why } => {
            Failure::unavailable(format!("the wish was not sent: {why}"))
        }
        CancelError::Unknown { why } => {
            let says =
                format!("whether it was done is not known: {why}; ask for the order's status");
            Failure::unknown(says, None)
        }
    }
    .with("client_order_id", json!(id.as_str()))
}

/// There is no such order.
pub(crate) fn unknown_order(what: &str) -> Failure {
    Failure::refused("ORDER_UNKNOWN", format!("there is no order with {what} on record"))
}
