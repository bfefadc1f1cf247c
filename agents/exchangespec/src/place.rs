//! The one gate: every order goes through [`Desk::place`] or [`Desk::place_list`], and nothing else
//! that adds to what is at stake reaches the venue.
//!
//! In this order: the instrument's filters; then, one wish at a time, the lease of the account; then
//! one transaction that reads the halt state and the fence, asks the limits and makes the intent
//! durable; then the venue, which asks the lease and the age of the halt state once more when the
//! bytes are ready. Who listens is told of an order when its bytes are on their way.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use domain::{ClientOrderId, CommandId, Instrument, NewOrder, NewOrderList, Symbol};
use journal::{Beginning, Decided, Intent, JournalError};
use orders::{Order, OrderEvent, OrderState, RejectCode};
use risk::{Approved, Context, Halt};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use venue::{ReplaceError, SubmitError, VenueOrder};
use wire::Failure;

use crate::books::Books;
use crate::desk::Desk;
use crate::lease::Permit;
use crate::refusals;
use crate::tools::listed_rule;

/// How long to wait until what the venue did is on record.
const RECORD_WAIT_MAX: Duration = Duration::from_secs(5);

/// The code of an order that never left this process.
pub(crate) const NOT_SENT: &str = "NOT_SENT";

/// Why something is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause<'a> {
    /// The command that asked for it.
    pub(crate) command: &'a CommandId,
    /// What goes on record with the order, when the command was not put there before.
    pub(crate) beginning: Option<&'a Beginning>,
}

// === impl Cause ===

impl<'a> Cause<'a> {
    /// A command that is on record.
    pub(crate) const fn of(command: &'a CommandId) -> Self {
        Self { command, beginning: None }
    }
}

/// What is asked for at once.
trait Wish: Clone + Send + Sync {
    /// What is sent.
    type Sent: Send;

    /// Its orders.
    fn orders(&self) -> Vec<&NewOrder>;

    /// The list that they make.
    fn list(&self) -> Option<&ClientOrderId>;

    /// The order that makes place for them.
    fn replaces(&self) -> Option<&ClientOrderId>;

    /// The decision.
    fn check(self, ctx: &Context<'_>) -> Result<Approved<Self::Sent>, risk::Refusal>;
}

/// An order in the place of another.
#[derive(Clone)]
struct Replacement {
    new: NewOrder,
    old: ClientOrderId,
}

impl Wish for NewOrder {
    type Sent = Self;

    fn orders(&self) -> Vec<&NewOrder> {
        vec![self]
    }

    fn list(&self) -> Option<&ClientOrderId> {
        None
    }

    fn replaces(&self) -> Option<&ClientOrderId> {
        None
    }

    fn check(self, ctx: &Context<'_>) -> Result<Approved<Self>, risk::Refusal> {
        risk::check(self, ctx)
    }
}

impl Wish for Replacement {
    type Sent = NewOrder;

    fn orders(&self) -> Vec<&NewOrder> {
        vec![&self.new]
    }

    fn list(&self) -> Option<&ClientOrderId> {
        None
    }

    fn replaces(&self) -> Option<&ClientOrderId> {
        Some(&self.old)
    }

    fn check(self, ctx: &Context<'_>) -> Result<Approved<NewOrder>, risk::Refusal> {
        risk::check(self.new, ctx)
    }
}

impl Wish for NewOrderList {
    type Sent = Self;

    fn orders(&self) -> Vec<&NewOrder> {
        self.orders()
    }

    fn list(&self) -> Option<&ClientOrderId> {
        Some(&self.client_list_id)
    }

    fn replaces(&self) -> Option<&ClientOrderId> {
        None
    }

    fn check(self, ctx: &Context<'_>) -> Result<Approved<Self>, risk::Refusal> {
        risk::check_list(self, ctx)
    }
}

/// What may be sent, and what is asked at the last moment.
struct Admitted<W> {
    approved: Approved<W>,
    permit: Arc<Permit>,
    /// The orders as they are on record.
    orders: Vec<Order>,
}

impl Desk {
    /// Sends an order, if everything allows it, and gives it as it is after all that it did at
    /// once.
    ///
    /// # Errors
    /// `refused` with the rule's code; `unavailable` when nothing was sent; `unknown` when it may
    /// have been.
    pub(crate) async fn place(
        &self,
        cause: Cause<'_>,
        request: NewOrder,
        cancel: &CancellationToken,
    ) -> Result<Order, Failure> {
        let started = Instant::now();
        let id = request.client_order_id.clone();
        let Admitted { approved, permit, orders } = self.admitted(cause, request, cancel).await?;
        let submitted = self.leave(self.venue.submit(approved, permit), &orders).await;
        self.outcome(submitted.is_err()).await;
        match submitted {
            Ok(ack) => {
                self.latency.add(started.elapsed());
                self.take_in_answer(&id, &ack.order, ack.fills).await;
                self.on_record(&id, &ack.order, cancel).await
            }
            Err(error) => Err(self.not_taken(&[id], error).await),
        }
    }

    /// Sends orders that belong together, if everything allows all of them.
    ///
    /// # Errors
    /// As for [`Desk::place`].
    pub(crate) async fn place_list(
        &self,
        cause: Cause<'_>,
        list: NewOrderList,
        cancel: &CancellationToken,
    ) -> Result<Vec<Order>, Failure> {
        let started = Instant::now();
        let ids: Vec<ClientOrderId> =
            list.orders().iter().map(|order| order.client_order_id.clone()).collect();
        let Admitted { approved, permit, orders } = self.admitted(cause, list, cancel).await?;
        let submitted = self.leave(self.venue.submit_list(approved, permit), &orders).await;
        self.outcome(submitted.is_err()).await;
        match submitted {
            Ok(ack) => {
                self.latency.add(started.elapsed());
                let mut placed = Vec::new();
                for told in &ack.orders {
                    let id = &told.client_order_id;
                    self.take_in_answer(id, told, Vec::new()).await;
                    placed.push(self.on_record(id, told, cancel).await?);
                }
                Ok(placed)
            }
            Err(error) => Err(self.not_taken(&ids, error).await),
        }
    }

    /// Cancels an open order and sends another in its place, in one step at the venue; gives both
    /// as they are afterwards.
    ///
    /// # Errors
    /// As for [`Desk::place`]; `refused` with CANCEL_REJECTED when the old order stays, and with
    /// REPLACEMENT_REJECTED when it is gone and the new one was refused.
    pub(crate) async fn replace(
        &self,
        command: &CommandId,
        old: &ClientOrderId,
        new: NewOrder,
        cancel: &CancellationToken,
    ) -> Result<(Order, Order), Failure> {
        let (_, name) = self.open_order(old).await?;
        let id = new.client_order_id.clone();
        let wish = Replacement { new, old: old.clone() };
        let cause = Cause::of(command);
        let Admitted { approved, permit, orders } = self.admitted(cause, wish, cancel).await?;
        let replacing = self.venue.replace(name, approved, permit);
        let replaced = self.leave(replacing, &orders).await;
        let stays = matches!(replaced, Err(ReplaceError::CancelRejected { .. }));
        self.outcome(replaced.is_err() && !stays).await;
        let error = match replaced {
            Ok(replaced) => {
                self.take_in_answer(old, &replaced.canceled, Vec::new()).await;
                self.take_in_answer(&id, &replaced.ack.order, replaced.ack.fills).await;
                let canceled = self.on_record(old, &replaced.canceled, cancel).await?;
                let placed = self.on_record(&id, &replaced.ack.order, cancel).await?;
                return Ok((canceled, placed));
            }
            Err(error) => error,
        };
        self.doubt.notify_one();
        let ids = [id];
        match error {
            ReplaceError::CancelRejected { code, message } => {
                let why = format!("the order that it was to replace stays: {code} {message}");
                drop(self.not_taken(&ids, SubmitError::NotSent { why }).await);
                let says = format!("the venue refused to cancel {old}: {code} {message}");
                Err(Failure::refused("CANCEL_REJECTED", says)
                    .with("venue_code", json!(code.to_string())))
            }
            ReplaceError::NewRejected { canceled, code, message } => {
                if let Some(told) = canceled {
                    self.take_in_answer(old, &told, Vec::new()).await;
                }
                let rejected = SubmitError::Rejected { code, message: message.clone() };
                drop(self.not_taken(&ids, rejected).await);
                let says =
                    format!("{old} is cancelled and the new order was refused: {code} {message}");
                Err(Failure::refused("REPLACEMENT_REJECTED", says)
                    .with("venue_code", json!(code.to_string())))
            }
            ReplaceError::NotSent { why } => {
                Err(self.not_taken(&ids, SubmitError::NotSent { why }).await)
            }
            ReplaceError::Unknown { why } => {
                let lost = OrderEvent::SightLost { reason: why.clone() };
                self.learn(old, &lost, self.clock.now(), &CancellationToken::new()).await;
                Err(self.not_taken(&ids, SubmitError::Unknown { why }).await)
            }
        }
    }

    /// Lets what was admitted leave, and tells of it when its bytes are on their way: whoever
    /// listens can wait, the order cannot.
    async fn leave<T>(&self, sending: impl Future<Output = T>, orders: &[Order]) -> T {
        let mut sending = pin!(sending);
        let answered = futures_util::poll!(sending.as_mut());
        // The connection's own task writes next.
        tokio::task::yield_now().await;
        {
            let books = self.books().await;
            for order in orders {
                // Of one that is further already later news was told.
                if books.order(&order.request().client_order_id) == Some(order) {
                    self.tell(order);
                }
            }
        }
        match answered {
            Poll::Ready(answer) => answer,
            Poll::Pending => sending.await,
        }
    }

    async fn admitted<W: Wish>(
        &self,
        cause: Cause<'_>,
        wish: W,
        cancel: &CancellationToken,
    ) -> Result<Admitted<W::Sent>, Failure> {
        let admitted = self.admit(cause, wish, cancel).await;
        if let Err(failure) = &admitted {
            self.metrics.order(&self.name, failure.code.word());
        }
        admitted
    }

    /// Waits for the turn to decide. A decision is as old as its order when that leaves, so no more
    /// are made than have a way out: what waits is decided later, under what is known then.
    async fn turn(&self, cancel: &CancellationToken) -> Result<OwnedSemaphorePermit, Failure> {
        tokio::select! {
            biased;
            turn = Arc::clone(&self.turns).acquire_owned() => {
                turn.map_err(|_closed| Failure::unavailable("the desk was closed"))
            }
            () = cancel.cancelled() => Err(given_up()),
        }
    }

    /// Decides, and makes the decision durable.
    async fn admit<W: Wish>(
        &self,
        cause: Cause<'_>,
        wish: W,
        cancel: &CancellationToken,
    ) -> Result<Admitted<W::Sent>, Failure> {
        let turn = self.turn(cancel).await?;
        let mut books = self.books().await;
        if let Some(why) = self.trouble() {
            return Err(Failure::unavailable(format!("nothing was sent to the venue: {why}")));
        }
        self.lease
            .check()
            .map_err(|why| Failure::unavailable(format!("nothing was sent: {why}")))?;
        let symbol = wish.orders().first().map(|order| order.symbol.clone());
        let symbol = symbol.ok_or_else(|| Failure::unavailable("nothing was asked for"))?;
        let listed = books.instrument(&symbol).cloned().ok_or_else(|| not_listed(self, &symbol))?;
        let replaced = wish.replaces().cloned();
        let situation = self.situation(&mut books, listed, replaced.as_ref()).await;
        for order in wish.orders() {
            check_filters(order, &situation.listed, situation.market())?;
        }
        let model = situation.model.as_ref();
        let portfolio = model.and_then(|made| books.portfolio(&made.model, replaced.as_ref()));
        if cancel.is_cancelled() {
            return Err(given_up());
        }
        let now = self.clock.now();
        let orders = sent(&wish, cause.command, now);
        let mut approved = None;
        let decision = |halt: &Halt| {
            let context = situation.context(&self.quote, halt, now, portfolio);
            approved = Some(wish.clone().check(&context).map_err(|r| refusals::of_risk(&r))?);
            Ok(orders.clone())
        };
        // Taken before it is read: it is never older than it says.
        let halt_read_at = Instant::now();
        let decided = self.journal.decide(self.sender(), cause.beginning, now, decision).await;
        self.intended(&mut books, &orders, decided).await?;
        let approved = approved.ok_or_else(|| Failure::unavailable("nothing was decided"))?;
        let permit = self.lease.permit(halt_read_at, self.halt_age_max, turn);
        Ok(Admitted { approved, permit, orders })
    }

    /// Takes in what became of a decision: from here on the orders may be at the venue.
    async fn intended(
        &self,
        books: &mut Books,
        orders: &[Order],
        decided: Result<Decided<Failure>, JournalError>,
    ) -> Result<(), Failure> {
        match decided {
            Ok(Decided::Intent(Intent::Recorded { .. })) => {
                for order in orders {
                    books.rate.sent(order.created_at(), self.order_window());
                    books.put(order.clone());
                }
                Ok(())
            }
            Ok(Decided::Refused(refusal)) => Err(refusal),
            Ok(Decided::Known(_)) => Err(Failure::unavailable(
                "nothing was sent: another instance began the command meanwhile; ask again",
            )),
            Ok(Decided::Intent(Intent::Stopped(halt))) => Err(refusals::of_halt(halt)),
            Ok(Decided::Intent(Intent::Duplicate)) => Err(duplicate(orders)),
            Ok(Decided::Intent(Intent::Fenced { current })) => {
                let why = format!("another instance owns the account, under fence {current}");
                self.lease.end(&why);
                Err(Failure::unavailable(format!("nothing was sent: {why}")))
            }
            Err(error) => {
                // It may be on record nonetheless; nothing of it was sent, and that is written down.
                for order in orders {
                    let id = &order.request().client_order_id;
                    if let Ok(Some(known)) = self.journal.load_order(id).await {
                        books.put(known);
                        self.reject(books, id, &error.to_string()).await;
                    }
                }
                Err(refusals::not_sent(&error))
            }
        }
    }

    /// Ends an order that never left; one that cannot be ended now is resolved by asking the venue.
    async fn reject(&self, books: &mut Books, id: &ClientOrderId, why: &str) {
        let event = OrderEvent::Rejected { code: NOT_SENT.into(), message: why.to_owned() };
        if let Err(error) = self.record(books, id, &event, self.clock.now()).await {
            tracing::error!(%error, order = %id, "an order that was not sent stays open");
        }
    }

    /// What the venue did not take, or may not have.
    pub(crate) async fn not_taken(&self, ids: &[ClientOrderId], error: SubmitError) -> Failure {
        let Some(first) = ids.first() else {
            return Failure::unavailable("nothing was sent");
        };
        let command = {
            let books = self.books().await;
            books.order(first).map(|order| order.command_id().to_string())
        };
        let (event, failure) = match error {
            SubmitError::Rejected { code, message } => (
                OrderEvent::Rejected {
                    code: RejectCode(code.to_string()),
                    message: message.clone(),
                },
                venue_rejected(&code.to_string(), &message, first),
            ),
            SubmitError::NotSent { why } => (
                OrderEvent::Rejected { code: NOT_SENT.into(), message: why.clone() },
                Failure::unavailable(format!("the order was not sent: {why}"))
                    .with("client_order_id", json!(first.as_str())),
            ),
            SubmitError::Unknown { why } => {
                self.doubt.notify_one();
                (
                    OrderEvent::OutcomeUnknown { reason: why.clone() },
                    unknown(first, &why, command.as_deref()),
                )
            }
        };
        let is_sure = matches!(event, OrderEvent::Rejected { .. });
        let mut books = self.books().await;
        for id in ids {
            if let Err(error) = self.record(&mut books, id, &event, self.clock.now()).await {
                // Its end is on record already: somebody asked the venue, who does not know it.
                if is_sure && matches!(error, JournalError::NoSuchOrder { .. }) {
                    continue;
                }
                tracing::error!(%error, order = %id, "what came of an order is not on record");
                let why = format!("what came of it could not be recorded: {error}");
                return unknown(id, &why, command.as_deref());
            }
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
            let known = {
                let books = self.books().await;
                books.order(id).or_else(|| books.settled(id)).cloned()
            };
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

fn given_up() -> Failure {
    Failure::unavailable("the call was given up; nothing was sent")
}

fn not_listed(desk: &Desk, symbol: &Symbol) -> Failure {
    let instruments = desk.venue.instruments();
    let (rule, example) = listed_rule(&instruments);
    Failure::invalid("symbol", symbol, &rule, json!(example))
}

/// The orders as they are recorded: intended and handed over at the same moment.
fn sent<W: Wish>(wish: &W, command: &CommandId, now: domain::Timestamp) -> Vec<Order> {
    let order = |request: &&NewOrder| {
        let mut order = Order::new((*request).clone(), command.clone(), now);
        if let Some(list) = wish.list() {
            order = order.in_list(list.clone());
        }
        order.apply(&OrderEvent::Sent, now).expect("invariant: an intent can be sent");
        order
    };
    wish.orders().iter().map(order).collect()
}

pub(crate) fn check_filters(
    order: &NewOrder,
    listed: &Instrument,
    market: Option<&risk::Market>,
) -> Result<(), Failure> {
    // A market order without a price to value it at is refused later, for that.
    let touch = market.map(|market| market.touch(order.side));
    let Some(reference) = touch.or(order.kind.named_price()) else { return Ok(()) };
    let filtered = listed.check(order, reference);
    filtered.map_err(|failure| refusals::of_filter(&failure, listed, order))
}

fn duplicate(orders: &[Order]) -> Failure {
    let names: Vec<&str> =
        orders.iter().map(|order| order.request().client_order_id.as_str()).collect();
    let message =
        format!("an order called {} is on record already; nothing was sent", names.join(" or "));
    Failure::refused("DUPLICATE_CLIENT_ORDER_ID", message)
        .with("client_order_id", json!(names.first()))
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
    if text.len() + PREFIX.len() <= ClientOrderId::LEN_MAX {
        let name = format!("{PREFIX}{text}");
        return name.parse().expect("invariant: a command id has the same characters");
    }
    hashed_name("b4h-", &[text])
}

/// A name for one of the orders of a command.
pub(crate) fn leg_name(command: &CommandId, leg: &str) -> ClientOrderId {
    hashed_name("b4l-", &[command.as_str(), leg])
}

/// A name made from a hash: 128 bits of it are as good as the parts themselves.
pub(crate) fn hashed_name(prefix: &str, parts: &[&str]) -> ClientOrderId {
    let hash = agent::short_hash(parts.join("\0").as_bytes());
    format!("{prefix}{hash}").parse().expect("invariant: a short prefix and hex fit")
}

/// Whether a failure of the journal may go away by itself.
pub(crate) const fn may_pass(error: &JournalError) -> bool {
    matches!(error, JournalError::Unavailable { .. } | JournalError::Unknown { .. })
}
