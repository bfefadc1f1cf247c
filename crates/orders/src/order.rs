//! One order and all that is known of it.

use std::collections::BTreeMap;

use domain::{
    Amount, Asset, ClientOrderId, CommandId, Decimal, Fill, NewOrder, OrderId, Overflow, Quantity,
    Timestamp,
};

use crate::{
    Applied, Cancel, NOT_AT_VENUE, OrderEvent, OrderState, RejectCode, TransitionError, VenueAnswer,
};

/// An order, from the moment it is intended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    request: NewOrder,
    /// What is ordered now: it can only have become less.
    quantity: Quantity,
    command_id: CommandId,
    list: Option<ClientOrderId>,
    stage: Stage,
    cancel: Cancel,
    order_id: Option<OrderId>,
    // The most that the venue has told, which may be ahead of the fills that have come.
    executed_by_venue: Amount,
    totals: Totals,
    // One entry for each fill, at most as many as the order has steps of quantity.
    fills: BTreeMap<u64, Fill>,
    created_at: Timestamp,
    sent_at: Option<Timestamp>,
    updated_at: Timestamp,
}

/// The sums over the fills of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// How much has traded, in base asset.
    pub executed: Amount,
    /// What it was worth, in quote asset; never negative.
    pub cost: Amount,
    /// What it cost, by asset.
    pub fees: BTreeMap<Asset, Amount>,
}

/// What the evidence amounts to, without the quantities.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Intended,
    Sent,
    Unknown {
        since: Timestamp,
        reason: String,
    },
    Live,
    Canceled,
    Expired,
    Rejected {
        code: RejectCode,
        message: String,
    },
    /// The venue, asked, did not know it. Shown as rejected, but a later proof that the venue has
    /// it after all is stronger and is believed.
    Absent,
}

// === impl Totals ===

impl Totals {
    /// What one unit cost on average, to 28 digits; `None` before the first fill.
    #[must_use]
    pub fn average_price(&self) -> Option<Decimal> {
        self.cost.decimal().checked_div(self.executed.decimal()).map(|price| price.normalize())
    }

    fn with(&self, fill: &Fill) -> Result<Self, Overflow> {
        let mut fees = self.fees.clone();
        let fee = fees.entry(fill.fee_asset.clone()).or_default();
        *fee = fee.try_add(fill.fee)?;
        Ok(Self {
            executed: self.executed.try_add(fill.quantity.amount())?,
            cost: self.cost.try_add(fill.price.notional(fill.quantity)?)?,
            fees,
        })
    }
}

// === impl Order ===

impl Order {
    /// An order that was written down and not yet sent.
    #[must_use]
    pub fn new(request: NewOrder, command_id: CommandId, created_at: Timestamp) -> Self {
        Self {
            quantity: request.quantity,
            request,
            command_id,
            list: None,
            stage: Stage::Intended,
            cancel: Cancel::Idle,
            order_id: None,
            executed_by_venue: Amount::ZERO,
            totals: Totals::default(),
            fills: BTreeMap::new(),
            created_at,
            sent_at: None,
            updated_at: created_at,
        }
    }

    /// The same order as one of a list of that name.
    #[must_use]
    pub fn in_list(mut self, list: ClientOrderId) -> Self {
        self.list = Some(list);
        self
    }

    /// The list that it was sent with.
    #[must_use]
    pub const fn list(&self) -> Option<&ClientOrderId> {
        self.list.as_ref()
    }

    /// What was asked for.
    #[must_use]
    pub const fn request(&self) -> &NewOrder {
        &self.request
    }

    /// What is ordered now, what has traded included: less than was asked for once it was made
    /// smaller.
    #[must_use]
    pub const fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// The command that asked for it.
    #[must_use]
    pub const fn command_id(&self) -> &CommandId {
        &self.command_id
    }

    /// The venue's number, once it is known.
    #[must_use]
    pub const fn order_id(&self) -> Option<OrderId> {
        self.order_id
    }

    /// The sums over the fills that have come.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The fills that have come, by trade number.
    pub fn fills(&self) -> impl Iterator<Item = &Fill> {
        self.fills.values()
    }

    /// When it was written down.
    #[must_use]
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When it was handed to the connection.
    #[must_use]
    pub const fn sent_at(&self) -> Option<Timestamp> {
        self.sent_at
    }

    /// When the last new thing was learnt.
    #[must_use]
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// What is known of a wish to cancel it.
    #[must_use]
    pub const fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// How much has traded by the best evidence: the fills, or the venue's count when it is ahead.
    #[must_use]
    pub fn filled(&self) -> Amount {
        self.totals.executed.max(self.executed_by_venue)
    }

    /// How much has not traded.
    #[must_use]
    pub fn remaining(&self) -> Amount {
        let rest = self.quantity.amount().try_sub(self.filled());
        rest.expect(
            "invariant: a filled quantity was taken in only when it leaves a rest that fits",
        )
    }

    /// How much the venue counts whose fills have not come yet; ask for them while it is not zero.
    #[must_use]
    pub fn missing_fills(&self) -> Amount {
        let missing = self.filled().try_sub(self.totals.executed);
        missing.expect("invariant: what is missing has no more digits than what is filled or open")
    }

    /// The state of the order by all evidence.
    #[must_use]
    pub fn state(&self) -> OrderState {
        let filled = self.filled();
        match &self.stage {
            Stage::Rejected { code, message } => {
                OrderState::Rejected { code: code.clone(), message: message.clone() }
            }
            Stage::Absent => OrderState::Rejected {
                code: NOT_AT_VENUE.into(),
                message: "the venue does not know the order".to_owned(),
            },
            _ if self.is_complete() => OrderState::Filled,
            Stage::Intended => OrderState::Intended,
            Stage::Sent => OrderState::Sent,
            Stage::Unknown { since, reason } => {
                OrderState::Unknown { since: *since, filled, reason: reason.clone() }
            }
            Stage::Live => OrderState::Open { order_id: self.order_id, filled },
            Stage::Canceled => OrderState::Canceled { filled },
            Stage::Expired => OrderState::Expired { filled },
        }
    }

    /// The order has ended and all its fills have come: nothing more is to be learnt.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.state().is_final() && self.missing_fills() == Amount::ZERO
    }

    /// Takes in one event that was learnt at `at`.
    ///
    /// # Errors
    /// [`TransitionError`] when the event cannot be true of this order; nothing has changed then.
    pub fn apply(&mut self, event: &OrderEvent, at: Timestamp) -> Result<Applied, TransitionError> {
        let mut next = self.clone();
        next.learn(event, at)?;
        if next.state().is_final() {
            next.cancel = Cancel::Idle;
        }
        if next == *self {
            return Ok(Applied::Nothing);
        }
        next.updated_at = self.updated_at.max(at);
        *self = next;
        Ok(Applied::Changed)
    }

    fn learn(&mut self, event: &OrderEvent, at: Timestamp) -> Result<(), TransitionError> {
        match event {
            OrderEvent::Sent => self.learn_sent(event, at),
            OrderEvent::Acknowledged { order_id } => {
                if self.order_id == Some(*order_id) {
                    // Told before: no news, and so no reason to leave a later doubt.
                    return Ok(());
                }
                self.learn_order_id(event, *order_id)?;
                self.learn_live(event)
            }
            OrderEvent::Filled(fill) => self.learn_fill(event, fill),
            OrderEvent::Canceled { executed } => self.learn_end(event, Stage::Canceled, *executed),
            OrderEvent::Expired { executed } => self.learn_end(event, Stage::Expired, *executed),
            OrderEvent::Reduced { quantity } => self.learn_reduced(event, *quantity),
            OrderEvent::Rejected { code, message } => self.learn_rejected(event, code, message),
            OrderEvent::OutcomeUnknown { reason } => {
                if matches!(self.stage, Stage::Intended | Stage::Sent) {
                    self.stage = Stage::Unknown { since: at, reason: reason.clone() };
                }
                Ok(())
            }
            OrderEvent::SightLost { reason } => {
                if self.stage == Stage::Intended {
                    return Err(self.impossible(event));
                }
                if matches!(self.stage, Stage::Sent | Stage::Live) && !self.is_complete() {
                    self.stage = Stage::Unknown { since: at, reason: reason.clone() };
                }
                Ok(())
            }
            OrderEvent::CancelRequested
            | OrderEvent::CancelRejected { .. }
            | OrderEvent::CancelUnknown { .. } => self.learn_cancel(event, at),
            OrderEvent::Resolved(answer) => self.learn_answer(event, answer),
        }
    }

    fn learn_sent(&mut self, event: &OrderEvent, at: Timestamp) -> Result<(), TransitionError> {
        if self.sent_at.is_some() {
            return Ok(());
        }
        match self.stage {
            Stage::Intended => self.stage = Stage::Sent,
            // What may have been sent already is not sent again.
            Stage::Unknown { .. } | Stage::Absent => return Err(self.impossible(event)),
            Stage::Sent
            | Stage::Live
            | Stage::Canceled
            | Stage::Expired
            | Stage::Rejected { .. } => {}
        }
        self.sent_at = Some(at);
        Ok(())
    }

    /// It is smaller now. What was told before a smaller size is old news.
    fn learn_reduced(
        &mut self,
        event: &OrderEvent,
        quantity: Quantity,
    ) -> Result<(), TransitionError> {
        if quantity >= self.quantity {
            return Ok(());
        }
        if self.filled() > quantity.amount() {
            let (executed, ordered) = (self.filled(), quantity);
            return Err(TransitionError::Executed { event: event.name(), executed, ordered });
        }
        self.learn_live(event)?;
        self.quantity = quantity;
        Ok(())
    }

    /// Proof that the venue has the order.
    fn learn_live(&mut self, event: &OrderEvent) -> Result<(), TransitionError> {
        match self.stage {
            Stage::Rejected { .. } => Err(self.impossible(event)),
            Stage::Intended | Stage::Sent | Stage::Unknown { .. } | Stage::Absent => {
                self.stage = Stage::Live;
                Ok(())
            }
            Stage::Live | Stage::Canceled | Stage::Expired => Ok(()),
        }
    }

    fn learn_order_id(
        &mut self,
        event: &OrderEvent,
        found: OrderId,
    ) -> Result<(), TransitionError> {
        match self.order_id {
            Some(known) if known != found => {
                Err(TransitionError::OtherOrderId { event: event.name(), known, found })
            }
            _ => {
                self.order_id = Some(found);
                Ok(())
            }
        }
    }

    fn learn_executed(
        &mut self,
        event: &OrderEvent,
        executed: Amount,
    ) -> Result<(), TransitionError> {
        self.check_executed(event, executed)?;
        self.executed_by_venue = self.executed_by_venue.max(executed);
        Ok(())
    }

    /// An executed quantity is within the order's and leaves a rest that can be held.
    fn check_executed(&self, event: &OrderEvent, executed: Amount) -> Result<(), TransitionError> {
        let ordered = self.quantity;
        if executed.is_negative() || executed > ordered.amount() {
            return Err(TransitionError::Executed { event: event.name(), executed, ordered });
        }
        ordered.amount().try_sub(executed)?;
        Ok(())
    }

    fn learn_fill(&mut self, event: &OrderEvent, fill: &Fill) -> Result<(), TransitionError> {
        let (request, trade_id) = (&self.request, fill.trade_id);
        if fill.client_order_id != request.client_order_id {
            let (expected, found) = (request.client_order_id.clone(), fill.client_order_id.clone());
            return Err(TransitionError::OtherOrder { expected, found });
        }
        if fill.symbol != request.symbol || fill.side != request.side {
            return Err(TransitionError::OtherSide { trade_id });
        }
        match self.fills.get(&trade_id) {
            Some(known) if known == fill => return Ok(()),
            Some(_) => return Err(TransitionError::OtherTrade { trade_id }),
            None => {}
        }
        let totals = self.totals.with(fill)?;
        self.check_executed(event, totals.executed)?;
        self.learn_live(event)?;
        self.totals = totals;
        self.fills.insert(trade_id, fill.clone());
        Ok(())
    }

    fn learn_end(
        &mut self,
        event: &OrderEvent,
        end: Stage,
        executed: Amount,
    ) -> Result<(), TransitionError> {
        let ended_otherwise =
            matches!(self.stage, Stage::Canceled | Stage::Expired) && self.stage != end;
        let complete = self.is_complete() && executed < self.quantity.amount();
        if ended_otherwise || complete {
            return Err(self.impossible(event));
        }
        self.learn_executed(event, executed)?;
        self.learn_live(event)?;
        self.stage = end;
        Ok(())
    }

    fn learn_rejected(
        &mut self,
        event: &OrderEvent,
        code: &RejectCode,
        message: &str,
    ) -> Result<(), TransitionError> {
        match self.stage {
            Stage::Rejected { .. } => Ok(()),
            Stage::Live | Stage::Canceled | Stage::Expired => Err(self.impossible(event)),
            _ if self.was_at_venue() => Err(self.impossible(event)),
            Stage::Intended | Stage::Sent | Stage::Unknown { .. } | Stage::Absent => {
                self.stage = Stage::Rejected { code: code.clone(), message: message.to_owned() };
                Ok(())
            }
        }
    }

    fn learn_cancel(&mut self, event: &OrderEvent, at: Timestamp) -> Result<(), TransitionError> {
        if self.state().is_final() {
            return Ok(());
        }
        self.cancel = match (event, &self.cancel) {
            (OrderEvent::CancelRequested, Cancel::Requested { since }) => {
                Cancel::Requested { since: *since }
            }
            (OrderEvent::CancelRequested, _) => Cancel::Requested { since: at },
            (OrderEvent::CancelRejected { code, message }, _) => {
                Cancel::Refused { code: code.clone(), message: message.clone() }
            }
            (OrderEvent::CancelUnknown { reason }, Cancel::Requested { .. }) => {
                Cancel::Unknown { since: at, reason: reason.clone() }
            }
            (_, Cancel::Idle) => return Err(self.impossible(event)),
            (_, known) => known.clone(),
        };
        Ok(())
    }

    fn learn_answer(
        &mut self,
        event: &OrderEvent,
        answer: &VenueAnswer,
    ) -> Result<(), TransitionError> {
        match answer {
            VenueAnswer::Open { order_id, executed } => {
                self.learn_order_id(event, *order_id)?;
                self.learn_executed(event, *executed)?;
                self.learn_live(event)
            }
            VenueAnswer::Filled { order_id } => {
                if matches!(self.stage, Stage::Canceled | Stage::Expired) && !self.is_complete() {
                    return Err(self.impossible(event));
                }
                self.learn_order_id(event, *order_id)?;
                self.learn_executed(event, self.quantity.amount())?;
                self.learn_live(event)
            }
            VenueAnswer::Canceled { order_id, executed } => {
                self.learn_order_id(event, *order_id)?;
                self.learn_end(event, Stage::Canceled, *executed)
            }
            VenueAnswer::Expired { order_id, executed } => {
                self.learn_order_id(event, *order_id)?;
                self.learn_end(event, Stage::Expired, *executed)
            }
            VenueAnswer::Rejected { code, message } => self.learn_rejected(event, code, message),
            VenueAnswer::NotFound => match self.stage {
                Stage::Rejected { .. } | Stage::Absent => Ok(()),
                Stage::Live | Stage::Canceled | Stage::Expired => Err(self.impossible(event)),
                _ if self.was_at_venue() => Err(self.impossible(event)),
                Stage::Intended | Stage::Sent | Stage::Unknown { .. } => {
                    self.stage = Stage::Absent;
                    Ok(())
                }
            },
        }
    }

    /// Some evidence has come from the venue that it took the order.
    fn was_at_venue(&self) -> bool {
        self.order_id.is_some() || self.filled() > Amount::ZERO
    }

    fn is_complete(&self) -> bool {
        self.filled() == self.quantity.amount()
    }

    fn impossible(&self, event: &OrderEvent) -> TransitionError {
        TransitionError::Impossible { state: self.state().name(), event: event.name() }
    }
}

#[cfg(test)]
mod tests;
