//! Takes in what the venue says: one task, in the venue's order.
//!
//! A report that cannot be made durable is not dropped: the task stays at it until the journal
//! takes it, and the desk takes no new orders meanwhile. When the venue says that reports were
//! missed, every order that is not settled is asked about, trades before states.

use std::sync::Arc;
use std::time::Duration;

use domain::{ClientOrderId, Symbol, Timestamp};
use journal::JournalError;
use orders::{Applied, OrderEvent, VenueAnswer};
use tokio_util::sync::CancellationToken;
use venue::{Received, Subscription, VenueEvent, VenueEventKind, VenueOrder, VenueOrderStatus};

use crate::books::Books;
use crate::desk::Desk;
use crate::place::may_pass;

/// How long to wait before the journal is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// How long a venue may still take an order that it does not know yet.
const ARRIVAL_MAX: Duration = Duration::from_secs(5);

/// Takes in reports until the venue or the desk ends.
pub(crate) async fn take_in(
    desk: Arc<Desk>,
    mut reports: Subscription<VenueEvent>,
    stop: CancellationToken,
) {
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = reports.next() => received,
        };
        match received {
            Some(Received::Event(event)) => desk.until_durable(&event, &stop).await,
            Some(Received::Missed(count)) => {
                tracing::warn!(count, "reports of the venue were missed");
                desk.reconcile(&stop).await;
            }
            None => {
                desk.set_trouble(Some("the venue has ended".to_owned()));
                return;
            }
        }
    }
}

impl Desk {
    async fn until_durable(&self, event: &VenueEvent, stop: &CancellationToken) {
        let (id, evidence) = match &event.kind {
            VenueEventKind::Balances(_) => return,
            VenueEventKind::Fill(fill) => (&fill.client_order_id, OrderEvent::Filled(fill.clone())),
            VenueEventKind::Order(order) => (&order.client_order_id, evidence_of(order)),
        };
        self.learn(id, &evidence, event.at, stop).await;
    }

    /// Records one piece of evidence, however long the journal takes.
    async fn learn(
        &self,
        id: &ClientOrderId,
        evidence: &OrderEvent,
        at: Timestamp,
        stop: &CancellationToken,
    ) {
        let mut waited = false;
        loop {
            let mut books = self.books().await;
            let recorded = match books.order(id) {
                Some(_) => self.record(&mut books, id, evidence, at).await,
                // What is settled is told once more at its end, which is no news; a trade is.
                None if !matches!(evidence, OrderEvent::Filled(_)) => break,
                None => self.record_late(&mut books, id, evidence, at).await,
            };
            drop(books);
            match recorded {
                Ok(_) => break,
                Err(error) if may_pass(&error) => {
                    waited = true;
                    self.set_trouble(Some(format!(
                        "what the venue says is not on record: {error}"
                    )));
                }
                Err(error) => {
                    let why = format!("what the venue says contradicts the record: {error}");
                    return self.set_trouble(Some(why));
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
        }
        if waited {
            self.set_trouble(None);
        }
    }

    /// Records a trade of an order that was taken to have ended without it: the proof is stronger.
    async fn record_late(
        &self,
        books: &mut Books,
        id: &ClientOrderId,
        evidence: &OrderEvent,
        at: Timestamp,
    ) -> Result<Applied, JournalError> {
        let Some(order) = self.journal.load_order(id).await? else {
            return Err(JournalError::NoSuchOrder { client_order_id: id.clone() });
        };
        books.revive(order.clone());
        let recorded = self.record(books, id, evidence, at).await;
        if recorded != Ok(Applied::Changed) {
            books.put(order);
        }
        recorded
    }

    /// Asks about every order that is not settled.
    async fn reconcile(&self, stop: &CancellationToken) {
        let orders: Vec<(ClientOrderId, Symbol)> = {
            let books = self.books().await;
            let name = |order: &orders::Order| {
                let request = order.request();
                (request.client_order_id.clone(), request.symbol.clone())
            };
            // An order that was not sent yet is none of the venue's business.
            books.orders().filter(|order| order.sent_at().is_some()).map(name).collect()
        };
        for (id, symbol) in orders {
            match self.venue.order(symbol, id.clone()).await {
                Ok(Some(told)) => self.believe(&id, &told, stop).await,
                // It is on its way: its own sender hears of it.
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, order = %id, "the venue was not heard"),
            }
        }
    }

    /// Takes in all that the venue tells of an order when asked: trades first, so that the record
    /// never counts a trade that it does not hold.
    async fn believe(&self, id: &ClientOrderId, told: &VenueOrder, stop: &CancellationToken) {
        let fills = match self.venue.fills(told.symbol.clone(), told.order_id).await {
            Ok(fills) => fills,
            Err(error) => return tracing::warn!(%error, order = %id, "the venue was not heard"),
        };
        let at = self.clock.now();
        let known = OrderEvent::Acknowledged { order_id: told.order_id };
        self.learn(id, &known, at, stop).await;
        for fill in fills {
            self.learn(id, &OrderEvent::Filled(fill), at, stop).await;
        }
        self.learn(id, &OrderEvent::Resolved(told.answer()), at, stop).await;
    }

    /// Asks about an order whose outcome is unknown since then.
    pub(crate) async fn resolve(&self, id: &ClientOrderId, symbol: Symbol, since: Timestamp) {
        let never = CancellationToken::new();
        match self.venue.order(symbol, id.clone()).await {
            Ok(Some(told)) => self.believe(id, &told, &never).await,
            Ok(None) if self.clock.now().since(since) >= ARRIVAL_MAX => {
                let event = OrderEvent::Resolved(VenueAnswer::NotFound);
                self.learn(id, &event, self.clock.now(), &never).await;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, order = %id, "its outcome stays unknown"),
        }
    }
}

/// What an order's report says that its trades do not.
fn evidence_of(order: &VenueOrder) -> OrderEvent {
    let (order_id, executed) = (order.order_id, order.executed);
    match &order.status {
        VenueOrderStatus::New => OrderEvent::Acknowledged { order_id },
        VenueOrderStatus::Canceled => OrderEvent::Canceled { executed },
        VenueOrderStatus::Expired { .. } => OrderEvent::Expired { executed },
        VenueOrderStatus::PartiallyFilled
        | VenueOrderStatus::Filled
        | VenueOrderStatus::Rejected { .. } => OrderEvent::Resolved(order.answer()),
    }
}
