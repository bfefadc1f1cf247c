//! The one gate: every order goes through [`Desk::place`], and nothing else reaches the venue.
//!
//! In this order: the instrument's filters; then, one order at a time, the ownership of the
//! account, the halt state, the limits, the durable intent (which reads the halt state again) and
//! the durable `Sent`; then the venue. What comes of it is heard through the venue's reports.

use std::time::Duration;

use domain::{ClientOrderId, CommandId, NewOrder, OrderKind, Symbol};
use journal::{Intent, JournalError};
use orders::{Order, OrderEvent, OrderState, RejectCode};
use risk::{Approved, Context};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use venue::{SubmitError, VenueOrder};
use wire::Failure;

use crate::desk::{ACCOUNT, Desk};
use crate::refusals;

/// How long to wait until what the venue did is on record.
const RECORD_WAIT_MAX: Duration = Duration::from_secs(5);

/// The code of an order that never left this process.
pub(crate) const NOT_SENT: &str = "NOT_SENT";

impl Desk {
    /// Sends an order, if everything allows it, and gives it as it is after all that it did at
    /// once.
    ///
    /// # Errors
    /// `refused` with the rule's code; `unavailable` when nothing was sent; `unknown` when it may
    /// have been.
    pub(crate) async fn place(
        &self,
        command: &CommandId,
        request: NewOrder,
        cancel: &CancellationToken,
    ) -> Result<Order, Failure> {
        let started = Instant::now();
        let id = request.client_order_id.clone();
        let approved = match self.admit(command, request, cancel).await {
            Ok(approved) => approved,
            Err(failure) => {
                self.metrics.order(ACCOUNT, failure.code.word());
                return Err(failure);
            }
        };
        match self.venue.submit(approved).await {
            Ok(ack) => {
                self.latency.add(started.elapsed());
                self.on_record(&id, &ack.order, cancel).await
            }
            Err(error) => Err(self.not_taken(&id, error).await),
        }
    }

    /// Decides, and makes the decision durable.
    async fn admit(
        &self,
        command: &CommandId,
        request: NewOrder,
        cancel: &CancellationToken,
    ) -> Result<Approved<NewOrder>, Failure> {
        let mut books = self.books().await;
        if let Some(why) = self.trouble() {
            return Err(Failure::unavailable(format!("nothing was sent to the venue: {why}")));
        }
        if let Some(ownership) = self.ownership.lock().await.as_mut() {
            ownership.check().await.map_err(|error| refusals::not_sent(&error))?;
        }
        let (id, symbol) = (request.client_order_id.clone(), request.symbol.clone());
        let listed = books.instrument(&symbol).cloned().ok_or_else(|| not_listed(self, &symbol))?;
        let mut at_stake = books.symbols_at_stake();
        at_stake.push(symbol.clone());
        let prices = self.prices(&at_stake).await;
        let market = prices.get(&symbol);
        // A market order without a price to value it at is refused below, for that.
        let reference = match request.kind {
            OrderKind::Limit { price, .. } => Some(price),
            OrderKind::Market => market.map(|market| market.touch(request.side)),
        };
        if let Some(reference) = reference {
            let filtered = listed.check(&request, reference);
            filtered.map_err(|failure| refusals::of_filter(&failure, &listed, &request))?;
        }
        let halt = self.journal.read_halt().await;
        let equity = self.value(&mut books, &prices).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the day cannot be opened");
            None
        });
        let (exposure, complete) = books.exposure(&symbol, &prices);
        let equity = equity.filter(|_| complete);
        let now = self.clock.now();
        let context = Context {
            limits: &self.limits,
            halt: &halt,
            now,
            instrument: &listed,
            market,
            equity,
            day_loss: equity.and_then(|equity| books.day?.loss_share(equity)),
            exposure: &exposure,
        };
        let order = Order::new(request.clone(), command.clone(), now);
        let approved = risk::check(request, &context).map_err(|r| refusals::of_risk(&r))?;
        if cancel.is_cancelled() {
            return Err(Failure::unavailable("the call was given up; nothing was sent"));
        }
        match self.journal.record_intent(&order).await {
            Ok(Intent::Recorded { .. }) => books.put(order),
            Ok(Intent::Stopped(halt)) => return Err(refusals::of_halt(halt)),
            Ok(Intent::Duplicate) => return Err(duplicate(&id)),
            Err(error) => return Err(refusals::not_sent(&error)),
        }
        if let Err(error) = self.record(&mut books, &id, &OrderEvent::Sent, now).await {
            let failure = refusals::not_sent(&error);
            self.reject(&mut books, &id, &error.to_string()).await;
            return Err(failure);
        }
        Ok(approved)
    }

    /// Ends an order that never left; one that cannot be ended now is ended at the next start.
    async fn reject(&self, books: &mut crate::books::Books, id: &ClientOrderId, why: &str) {
        let event = OrderEvent::Rejected { code: NOT_SENT.into(), message: why.to_owned() };
        if let Err(error) = self.record(books, id, &event, self.clock.now()).await {
            tracing::error!(%error, order = %id, "an order that was not sent stays open");
        }
    }

    /// What the venue did not take, or may not have.
    async fn not_taken(&self, id: &ClientOrderId, error: SubmitError) -> Failure {
        let command = {
            let books = self.books().await;
            books.order(id).map(|order| order.command_id().to_string())
        };
        let (event, failure) = match error {
            SubmitError::Rejected { code, message } => (
                OrderEvent::Rejected {
                    code: RejectCode(code.to_string()),
                    message: message.clone(),
                },
                venue_rejected(&code.to_string(), &message, id),
            ),
            SubmitError::NotSent { why } => (
                OrderEvent::Rejected { code: NOT_SENT.into(), message: why.clone() },
                Failure::unavailable(format!("the order was not sent: {why}"))
                    .with("client_order_id", json!(id.as_str())),
            ),
            SubmitError::Unknown { why } => (
                OrderEvent::OutcomeUnknown { reason: why.clone() },
                unknown(id, &why, command.as_deref()),
            ),
        };
        let mut books = self.books().await;
        if let Err(error) = self.record(&mut books, id, &event, self.clock.now()).await {
            tracing::error!(%error, order = %id, "what came of an order is not on record");
            let why = format!("what came of it could not be recorded: {error}");
            return unknown(id, &why, command.as_deref());
        }
        failure
    }

    /// Waits until the journal knows of an order what the venue has told.
    pub(crate) async fn on_record(
        &self,
        id: &ClientOrderId,
        told: &VenueOrder,
        cancel: &CancellationToken,
    ) -> Result<Order, Failure> {
        let mut changed = self.changed.subscribe();
        let deadline = Instant::now() + RECORD_WAIT_MAX;
        loop {
            changed.borrow_and_update();
            let known = self.books().await.order(id).cloned();
            let known = match known {
                Some(order) => order,
                None => self.settled(id).await?,
            };
            if reflects(&known, told) {
                return Ok(known);
            }
            let why = tokio::select! {
                biased;
                heard = changed.changed() => match heard {
                    Ok(()) => continue,
                    Err(_) => "the desk was closed",
                },
                () = cancel.cancelled() => "the call was given up",
                () = tokio::time::sleep_until(deadline) => "the record is late",
            };
            let why = format!("the venue took it and {why}");
            return Err(unknown(id, &why, Some(known.command_id().as_str())));
        }
    }

    async fn settled(&self, id: &ClientOrderId) -> Result<Order, Failure> {
        match self.journal.load_order(id).await {
            Ok(Some(order)) => Ok(order),
            Ok(None) => Err(unknown(id, "it is not on record", None)),
            Err(error) => Err(unknown(id, &error.to_string(), None)),
        }
    }
}

/// The record has every trade that the venue told of, and the order's end if it has ended.
fn reflects(known: &Order, told: &VenueOrder) -> bool {
    let state = known.state();
    let traded = known.totals().executed >= told.executed;
    let stands = if told.is_open() {
        known.order_id().is_some() || state.is_final()
    } else {
        known.is_settled()
    };
    traded && stands
}

fn not_listed(desk: &Desk, symbol: &Symbol) -> Failure {
    let listed: Vec<String> =
        desk.venue.instruments().iter().map(|i| i.symbol.to_string()).collect();
    let rule = format!("must be one of {}", listed.join(", "));
    Failure::invalid("symbol", symbol, &rule, json!(listed.first()))
}

fn duplicate(id: &ClientOrderId) -> Failure {
    let message = format!("an order called {id} is on record already; nothing was sent");
    Failure::refused("DUPLICATE_CLIENT_ORDER_ID", message)
        .with("client_order_id", json!(id.as_str()))
}

fn venue_rejected(code: &str, message: &str, id: &ClientOrderId) -> Failure {
    Failure::refused("VENUE_REJECTED", format!("the venue refused the order: {code} {message}"))
        .with("venue_code", json!(code))
        .with("venue_message", json!(message))
        .with("client_order_id", json!(id.as_str()))
}

fn unknown(id: &ClientOrderId, why: &str, command: Option<&str>) -> Failure {
    let message = format!(
        "what became of order {id} is not known: {why}; it is not sent again: ask for its status"
    );
    Failure::unknown(message, command).with("client_order_id", json!(id.as_str()))
}

/// What an order that is on record answers to the command that made it.
///
/// # Errors
/// As for [`Desk::place`].
pub(crate) fn answer_of(order: Order) -> Result<Order, Failure> {
    let id = &order.request().client_order_id;
    match order.state() {
        OrderState::Rejected { code, message }
            if code.0 == NOT_SENT || code.0 == orders::NOT_AT_VENUE =>
        {
            let message = format!("nothing happened: {message}");
            Err(Failure::unavailable(message).with("client_order_id", json!(id.as_str())))
        }
        OrderState::Rejected { code, message } => Err(venue_rejected(&code.0, &message, id)),
        OrderState::Unknown { reason, .. } => {
            Err(unknown(id, &reason, Some(order.command_id().as_str())))
        }
        _ => Ok(order),
    }
}

/// A name for the order of a command: the same command, the same name.
pub(crate) fn order_name(command: &CommandId) -> ClientOrderId {
    const PREFIX: &str = "b4-";
    let text = command.as_str();
    let name = if text.len() + PREFIX.len() <= ClientOrderId::LEN_MAX {
        format!("{PREFIX}{text}")
    } else {
        // 128 bits of a hash are as good as the name itself.
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let hex: String = digest.as_ref().iter().take(16).map(|b| format!("{b:02x}")).collect();
        format!("b4h-{hex}")
    };
    name.parse().expect("invariant: both forms are legal and fit")
}

/// Whether a failure of the journal may go away by itself.
pub(crate) const fn may_pass(error: &JournalError) -> bool {
    matches!(error, JournalError::Unavailable { .. } | JournalError::Unknown { .. })
}

#[cfg(test)]
mod tests;
