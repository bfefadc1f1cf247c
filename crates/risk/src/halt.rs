//! Whether trading is allowed at all.

use domain::Timestamp;

/// The halt state as it was read before an order. Only [`Halt::Running`] lets an order pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// Trading is allowed.
    Running {
        /// Counts the changes of the state; a newer state has a higher number.
        version: u64,
    },
    /// Somebody or something has stopped trading.
    Halted {
        /// Counts the changes of the state.
        version: u64,
        /// Why.
        reason: String,
        /// Since when.
        since: Timestamp,
        /// Who did it.
        by: String,
    },
    /// There is no state where it should be.
    Missing,
    /// The state could not be read or makes no sense.
    Unreadable {
        /// What went wrong.
        why: String,
    },
}

// === impl Halt ===

impl Halt {
    /// Trading is allowed.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }
}
