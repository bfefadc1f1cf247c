//! Why the paper venue says no, in the codes and words that Binance's Spot API uses.

use domain::{FilterFailure, Overflow};
use ledger::BalanceError;
use thiserror::Error;

use crate::{CancelError, ReadError, SubmitError};

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Refusal {
    #[error("Invalid symbol.")]
    InvalidSymbol,
    #[error("Filter failure: {0}")]
    Filter(#[from] FilterFailure),
    #[error("Filter failure: MAX_NUM_ORDERS")]
    TooManyOrders,
    #[error("Filter failure: price or quantity is not on the grid")]
    OffGrid,
    #[error("Account has insufficient balance for requested action.")]
    InsufficientBalance,
    #[error("Duplicate order sent.")]
    DuplicateOrder,
    #[error("Order would immediately match and take.")]
    WouldTake,
    #[error("Market is closed.")]
    MarketClosed,
    #[error("Unknown order sent.")]
    UnknownOrder,
    #[error("Filter failure: NOTIONAL: {0}")]
    Overflow(#[from] Overflow),
    #[error("balance: {0}")]
    Balance(#[from] BalanceError),
}

// === impl Refusal ===

impl Refusal {
    /// The code of the same refusal at Binance.
    pub(super) const fn code(&self) -> i32 {
        match self {
            Self::InvalidSymbol => -1121,
            Self::Filter(_) | Self::TooManyOrders | Self::OffGrid | Self::Overflow(_) => -1013,
            Self::InsufficientBalance
            | Self::DuplicateOrder
            | Self::WouldTake
            | Self::MarketClosed
            | Self::Balance(_) => -2010,
            Self::UnknownOrder => -2011,
        }
    }
}

impl From<Refusal> for SubmitError {
    fn from(refusal: Refusal) -> Self {
        Self::Rejected { code: refusal.code(), message: refusal.to_string() }
    }
}

impl From<Refusal> for CancelError {
    fn from(refusal: Refusal) -> Self {
        Self::Rejected { code: refusal.code(), message: refusal.to_string() }
    }
}

impl From<Refusal> for ReadError {
    fn from(refusal: Refusal) -> Self {
        Self::Rejected { code: refusal.code(), message: refusal.to_string() }
    }
}
