//! What is known of an order, as one value with the data that only that state has.

use std::fmt;

use domain::{Amount, OrderId, Timestamp};

/// The code of an order that the venue, asked, does not know.
pub const NOT_AT_VENUE: &str = "NOT_AT_VENUE";

/// The state of an order. `filled` is in base asset, the most that any evidence tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderState {
    /// Written down and not yet sent.
    Intended,
    /// Handed to the connection; nothing was heard since.
    Sent,
    /// The venue has it.
    Open {
        /// The venue's number; `None` while only fills have told of the order.
        order_id: Option<OrderId>,
        /// How much has traded.
        filled: Amount,
    },
    /// All of it has traded.
    Filled,
    /// Cancelled before all of it traded.
    Canceled {
        /// How much had traded.
        filled: Amount,
    },
    /// Ended by its time in force or by the venue before all of it traded.
    Expired {
        /// How much had traded.
        filled: Amount,
    },
    /// The venue did not take it.
    Rejected {
        /// The venue's code.
        code: RejectCode,
        /// The venue's words.
        message: String,
    },
    /// Nobody here knows: it may rest, may have traded, may never have arrived.
    Unknown {
        /// Since when.
        since: Timestamp,
        /// How much is known to have traded.
        filled: Amount,
        /// What went wrong.
        reason: String,
    },
}

/// A venue's code for a refusal, as it writes it: `-2010`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RejectCode(pub String);

/// What is known of a wish to cancel; [`Cancel::Idle`] again once the order has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancel {
    /// Nobody wishes to.
    Idle,
    /// Asked for; no answer yet.
    Requested {
        /// Since when.
        since: Timestamp,
    },
    /// The venue did not do it.
    Refused {
        /// The venue's code.
        code: RejectCode,
        /// The venue's words.
        message: String,
    },
    /// Whether the request arrived is not known. Asking again is safe: it can only cancel.
    Unknown {
        /// Since when.
        since: Timestamp,
        /// What went wrong.
        reason: String,
    },
}

// === impl OrderState ===

impl OrderState {
    /// The name of the state, as the journal and the bus write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Sent => "sent",
            Self::Open { .. } => "open",
            Self::Filled => "filled",
            Self::Canceled { .. } => "canceled",
            Self::Expired { .. } => "expired",
            Self::Rejected { .. } => "rejected",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// No further trade is expected.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Filled | Self::Canceled { .. } | Self::Expired { .. } | Self::Rejected { .. } => {
                true
            }
            Self::Intended | Self::Sent | Self::Open { .. } | Self::Unknown { .. } => false,
        }
    }
}

// === impl RejectCode ===

impl fmt::Display for RejectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for RejectCode {
    fn from(code: &str) -> Self {
        Self(code.to_owned())
    }
}
