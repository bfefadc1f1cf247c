//! What can be heard of an order, and why it may be impossible.

use domain::{Amount, ClientOrderId, Fill, OrderId, Overflow, Quantity};
use thiserror::Error;

use crate::RejectCode;

/// One piece of evidence. When it was learnt is told to [`crate::Order::apply`] beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderEvent {
    /// We hand it to the connection.
    Sent,
    /// The venue has taken it.
    Acknowledged {
        /// The venue's number.
        order_id: OrderId,
    },
    /// A part of it traded.
    Filled(Fill),
    /// It was cancelled.
    Canceled {
        /// How much had traded by then, by the venue's count.
        executed: Amount,
    },
    /// It ended by its time in force or by the venue.
    Expired {
        /// How much had traded by then, by the venue's count.
        executed: Amount,
    },
    /// It was made smaller and keeps its place.
    Reduced {
        /// What it is now, what has traded included.
        quantity: Quantity,
    },
    /// The venue did not take it.
    Rejected {
        /// The venue's code.
        code: RejectCode,
        /// The venue's words.
        message: String,
    },
    /// Whether it was sent or arrived is not known. Old news once the venue was heard of it.
    OutcomeUnknown {
        /// What went wrong.
        reason: String,
    },
    /// The venue had it, and what happened to it since may have been missed.
    SightLost {
        /// What went wrong.
        reason: String,
    },
    /// We ask the venue to cancel it.
    CancelRequested,
    /// The venue did not cancel it. Says nothing of the order itself.
    CancelRejected {
        /// The venue's code.
        code: RejectCode,
        /// The venue's words.
        message: String,
    },
    /// Whether the request to cancel arrived is not known.
    CancelUnknown {
        /// What went wrong.
        reason: String,
    },
    /// The venue was asked what became of it, and answered.
    Resolved(VenueAnswer),
}

/// What the venue says of an order when it is asked.
///
/// `executed` is how much has traded by the venue's count, in base asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VenueAnswer {
    /// It rests, or has just begun to.
    Open {
        /// The venue's number.
        order_id: OrderId,
        /// How much has traded.
        executed: Amount,
    },
    /// All of it has traded.
    Filled {
        /// The venue's number.
        order_id: OrderId,
    },
    /// It was cancelled.
    Canceled {
        /// The venue's number.
        order_id: OrderId,
        /// How much has traded.
        executed: Amount,
    },
    /// It ended by its time in force or by the venue.
    Expired {
        /// The venue's number.
        order_id: OrderId,
        /// How much has traded.
        executed: Amount,
    },
    /// The venue did not take it.
    Rejected {
        /// The venue's code.
        code: RejectCode,
        /// The venue's words.
        message: String,
    },
    /// The venue has never seen it and, by its own rules, will not take it any more: the asker
    /// has waited until a request still on its way is too old to be accepted.
    NotFound,
}

/// What an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Something new is known.
    Changed,
    /// It was known already, or later evidence has overtaken it; nothing changed.
    Nothing,
}

/// Why an event cannot be true of an order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransitionError {
    /// The state excludes the event.
    #[error("an order that is {state} cannot be {event}")]
    Impossible {
        /// The name of the state.
        state: &'static str,
        /// The name of the event.
        event: &'static str,
    },
    /// More would be executed than was ordered.
    #[error("{event}: {executed} executed is more than the {ordered} ordered, or less than zero")]
    Executed {
        /// The name of the event.
        event: &'static str,
        /// How much would be executed.
        executed: Amount,
        /// The order's quantity.
        ordered: Quantity,
    },
    /// The event is of another order.
    #[error("filled: the fill is of {found} and the order is {expected}")]
    OtherOrder {
        /// The order.
        expected: ClientOrderId,
        /// The fill's.
        found: ClientOrderId,
    },
    /// The fill names another symbol or the other side.
    #[error("filled: trade {trade_id} has another symbol or side than the order")]
    OtherSide {
        /// The trade.
        trade_id: u64,
    },
    /// The same trade was told before with other numbers.
    #[error("filled: trade {trade_id} was told before with other numbers")]
    OtherTrade {
        /// The trade.
        trade_id: u64,
    },
    /// The venue's number differs from the one it gave before.
    #[error("{event}: the venue calls the order {} and called it {}", .found.0, .known.0)]
    OtherOrderId {
        /// The name of the event.
        event: &'static str,
        /// What it gave before.
        known: OrderId,
        /// What it gives now.
        found: OrderId,
    },
    /// A total cannot be held.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

// === impl OrderEvent ===

impl OrderEvent {
    /// The name of the event, as the journal and the bus write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Filled(_) => "filled",
            Self::Canceled { .. } => "canceled",
            Self::Expired { .. } => "expired",
            Self::Reduced { .. } => "reduced",
            Self::Rejected { .. } => "rejected",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::SightLost { .. } => "sight_lost",
            Self::CancelRequested => "cancel_requested",
            Self::CancelRejected { .. } => "cancel_rejected",
            Self::CancelUnknown { .. } => "cancel_unknown",
            Self::Resolved(answer) => answer.event_name(),
        }
    }
}

// === impl VenueAnswer ===

impl VenueAnswer {
    const fn event_name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "resolved_open",
            Self::Filled { .. } => "resolved_filled",
            Self::Canceled { .. } => "resolved_canceled",
            Self::Expired { .. } => "resolved_expired",
            Self::Rejected { .. } => "resolved_rejected",
            Self::NotFound => "resolved_not_found",
        }
    }
}
