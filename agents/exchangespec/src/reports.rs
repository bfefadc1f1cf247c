//! Takes in what the venue says of orders: in answers, on its stream, and when it is asked.
//!
//! All three are evidence for the same state machine, so it does not matter which comes first, or
//! twice, or never. A piece of evidence that cannot be made durable is not dropped: the desk stays at
//! it until the journal takes it, and takes no new orders meanwhile. What is heard of an order that
//! nobody here sent, or missed, is a reason to reconcile.

use std::sync::Arc;
use std::time::Duration;

use domain::{Amount, ClientOrderId, Fill, Symbol, Timestamp};
use journal::JournalError;
use orders::{Applied, OrderEvent, VenueAnswer};
use tokio_util::sync::CancellationToken;
use venue::{Received, Subscription, VenueEvent, VenueEventKind, VenueOrder, VenueOrderStatus};

use crate::books::Books;
use crate::desk::Desk;
use crate::place::may_pass;

/// How long to wait before the journal is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

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
            Some(Received::Event(event)) => desk.take_in_event(&event, &stop).await,
            Some(Received::Missed(count)) => {
                tracing::warn!(count, "reports of the venue were missed");
                desk.doubt.notify_one();
            }
            None => {
                desk.set_trouble(Some("the venue has ended".to_owned()));
                return;
            }
        }
    }
}

impl Desk {
    async fn take_in_event(&self, event: &VenueEvent, stop: &CancellationToken) {
        match &event.kind {
            // Balances are compared when the account is reconciled.
            VenueEventKind::Balances(_) => {}
            VenueEventKind::Gap { why } => {
                tracing::warn!(%why, "reports of the venue may have been missed");
                self.doubt.notify_one();
            }
            VenueEventKind::Fill(fill) => {
                let evidence = OrderEvent::Filled(fill.clone());
                self.learn(&fill.client_order_id, &evidence, event.at, stop).await;
            }
            VenueEventKind::Order(told) => {
                let id = &told.client_order_id;
                let mut evidence = Vec::from_iter(self.reduction(id, told).await);
                evidence.extend(evidence_of(told));
                if !evidence.is_empty() {
                    self.learn_all(id, &evidence, event.at, stop).await;
                }
            }
        }
    }

    /// Takes in the venue's answer to an order that was just sent.
    pub(crate) async fn take_in_answer(
        &self,
        id: &ClientOrderId,
        told: &VenueOrder,
        fills: Vec<Fill>,
    ) {
        let never = CancellationToken::new();
        let traded =
            fills.iter().try_fold(Amount::ZERO, |sum, fill| sum.try_add(fill.quantity.amount()));
        if traded != Ok(told.executed) {
            return self.believe(id, told, &never).await;
        }
        self.take_in(id, told, fills, &never).await;
    }

    /// Takes in all that the venue tells of an order when asked.
    pub(crate) async fn believe(
        &self,
        id: &ClientOrderId,
        told: &VenueOrder,
        stop: &CancellationToken,
    ) {
        let recorded = self.books().await.order(id).map(|order| order.totals().executed);
        let trades = if recorded.unwrap_or_default() == told.executed {
            Vec::new()
        } else {
            match self.venue.trades_of(told.symbol.clone(), told.order_id).await {
                Ok(trades) => trades,
                Err(error) => {
                    self.doubt.notify_one();
                    return tracing::warn!(%error, order = %id, "the venue was not heard");
                }
            }
        };
        let fills = trades.into_iter().map(|trade| trade.fill_of(id.clone())).collect();
        self.take_in(id, told, fills, stop).await;
    }

    /// Trades first, so that the record never counts a trade that it does not hold.
    async fn take_in(
        &self,
        id: &ClientOrderId,
        told: &VenueOrder,
        fills: Vec<Fill>,
        stop: &CancellationToken,
    ) {
        let known = OrderEvent::Acknowledged { order_id: told.order_id };
        let mut evidence = vec![known];
        evidence.extend(fills.into_iter().map(OrderEvent::Filled));
        evidence.extend(self.reduction(id, told).await);
        evidence.push(OrderEvent::Resolved(told.answer()));
        self.learn_all(id, &evidence, self.clock.now(), stop).await;
    }

    /// An order that was made smaller must be known to be, before its end is counted.
    async fn reduction(&self, id: &ClientOrderId, told: &VenueOrder) -> Option<OrderEvent> {
        let books = self.books().await;
        let is_smaller = books.order(id).is_some_and(|order| told.quantity < order.quantity());
        is_smaller.then_some(OrderEvent::Reduced { quantity: told.quantity })
    }

    /// Records one piece of evidence, however long the journal takes.
    pub(crate) async fn learn(
        &self,
        id: &ClientOrderId,
        evidence: &OrderEvent,
        at: Timestamp,
        stop: &CancellationToken,
    ) {
        self.learn_all(id, std::slice::from_ref(evidence), at, stop).await;
    }

    /// Records pieces of evidence together, however long the journal takes.
    async fn learn_all(
        &self,
        id: &ClientOrderId,
        evidence: &[OrderEvent],
        at: Timestamp,
        stop: &CancellationToken,
    ) {
        let (mut waited, mut has_looked) = (false, false);
        loop {
            let mut books = self.books().await;
            let recorded = match books.order(id) {
                Some(_) => self.record_all(&mut books, id, evidence, at).await,
                None => self.record_late(&mut books, id, evidence, at).await,
            };
            drop(books);
            match recorded {
                Ok(_) => break,
                // Not sent by this house, or by an owner whose record this one has not read.
                Err(JournalError::NoSuchOrder { .. }) => {
                    self.doubt.notify_one();
                    break;
                }
                // Another owner wrote meanwhile; the books have what it wrote now.
                Err(JournalError::Conflict { .. }) if !has_looked => {
                    has_looked = true;
                    continue;
                }
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

    /// Records what is heard of an order that was settled: most often it is known already, but a
    /// trade of an order that was taken to have ended without it is the stronger proof.
    async fn record_late(
        &self,
        books: &mut Books,
        id: &ClientOrderId,
        evidence: &[OrderEvent],
        at: Timestamp,
    ) -> Result<Applied, JournalError> {
        let known = match books.settled(id) {
            Some(order) => Some(order.clone()),
            None => self.journal.load_order(id).await?,
        };
        let Some(order) = known else {
            return Err(JournalError::NoSuchOrder { client_order_id: id.clone() });
        };
        let is_settled = order.is_settled();
        // What was told of it before its end is no news after it.
        let is_news = |event: &&OrderEvent| {
            !is_settled || matches!(event, OrderEvent::Filled(_) | OrderEvent::Resolved(_))
        };
        let evidence: Vec<OrderEvent> = evidence.iter().filter(is_news).cloned().collect();
        books.revive(order.clone());
        let recorded = self.record_all(books, id, &evidence, at).await;
        if recorded != Ok(Applied::Changed) {
            books.put(order);
        }
        match recorded {
            // A name may be used again at the venue once its order has ended: this is of another.
            Err(JournalError::Conflict { .. }) if is_settled => {
                Err(JournalError::NoSuchOrder { client_order_id: id.clone() })
            }
            recorded => recorded,
        }
    }

    /// Asks about an order that was handed over since then.
    pub(crate) async fn resolve(
        &self,
        id: &ClientOrderId,
        symbol: Symbol,
        since: Timestamp,
        stop: &CancellationToken,
    ) {
        match self.venue.order(symbol, id.clone()).await {
            Ok(Some(told)) => self.believe(id, &told, stop).await,
            Ok(None) if self.clock.now().since(since) >= self.arrival_max => {
                let event = OrderEvent::Resolved(VenueAnswer::NotFound);
                self.learn(id, &event, self.clock.now(), stop).await;
            }
            // It may still be on its way: its own sender hears of it, or the next look does.
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, order = %id, "its outcome stays unknown"),
        }
    }
}

/// What an order's report says that its trades do not; `None` when its trades say it all.
fn evidence_of(order: &VenueOrder) -> Option<OrderEvent> {
    let (order_id, executed) = (order.order_id, order.executed);
    Some(match &order.status {
        VenueOrderStatus::Pending | VenueOrderStatus::New => OrderEvent::Acknowledged { order_id },
        VenueOrderStatus::Canceled => OrderEvent::Canceled { executed },
        VenueOrderStatus::Expired { .. } => OrderEvent::Expired { executed },
        VenueOrderStatus::PartiallyFilled
        | VenueOrderStatus::Filled
        | VenueOrderStatus::Rejected { .. } => OrderEvent::Resolved(order.answer()),
    })
}
