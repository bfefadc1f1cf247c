//! Takes an open order back. Needs no approval and asks no halt: it can only reduce what is at
//! stake.

use domain::ClientOrderId;
use orders::{Order, OrderEvent, OrderState, RejectCode};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use venue::CancelError;
use wire::Failure;

use crate::desk::Desk;
use crate::place::NOT_SENT;

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
        let mut books = self.books().await;
        let Some(order) = books.order(id).filter(|order| !order.state().is_final()).cloned() else {
            drop(books);
            return Err(self.not_open(id).await);
        };
        // A journal that fails must not keep anybody from cancelling.
        self.note(&mut books, id, &OrderEvent::CancelRequested).await;
        drop(books);
        let symbol = order.request().symbol.clone();
        match self.venue.cancel(symbol, id.clone()).await {
            Ok(told) => self.on_record(id, &told, cancel).await,
            Err(error) => Err(self.not_canceled(id, error).await),
        }
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
        self.note(&mut books, id, &event).await;
        failure.with("client_order_id", json!(id.as_str()))
    }

    async fn note(&self, books: &mut crate::books::Books, id: &ClientOrderId, event: &OrderEvent) {
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

    /// Asks the venue about every order whose outcome is unknown.
    pub(crate) async fn resolve_unknown(&self) {
        let unknown: Vec<(ClientOrderId, domain::Symbol, domain::Timestamp)> = {
            let books = self.books().await;
            let since = |order: &Order| match order.state() {
                OrderState::Unknown { since, .. } => Some(since),
                _ => None,
            };
            let orders = books.orders().filter_map(|order| {
                let request = order.request();
                Some((request.client_order_id.clone(), request.symbol.clone(), since(order)?))
            });
            orders.collect()
        };
        for (id, symbol, since) in unknown {
            self.resolve(&id, symbol, since).await;
        }
    }
}

/// There is no such order.
pub(crate) fn unknown_order(what: &str) -> Failure {
    Failure::refused("ORDER_UNKNOWN", format!("there is no order with {what} on record"))
}
