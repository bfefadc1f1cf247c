//! What a caller may conclude from a failure of the journal.

use domain::{ClientOrderId, CommandId};
use thiserror::Error;

/// Why the journal did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JournalError {
    /// The address is none.
    #[error("journal address: {why}; use \"sqlite:PATH\" or \"postgres://USER@HOST/DATABASE\"")]
    Address {
        /// What is wrong with it.
        why: String,
    },
    /// The journal cannot be opened.
    #[error("cannot open the journal {what}: {why}")]
    Open {
        /// Which one; without a password.
        what: String,
        /// What went wrong.
        why: String,
    },
    /// Nothing happened.
    #[error("{during}: the journal is unavailable, nothing was written: {why}")]
    Unavailable {
        /// What was tried.
        during: &'static str,
        /// What went wrong.
        why: String,
    },
    /// The commit was sent and its outcome is not known: read before acting again.
    #[error("{during}: it is not known whether the journal was written: {why}")]
    Unknown {
        /// What was tried.
        during: &'static str,
        /// What went wrong.
        why: String,
    },
    /// The journal holds something that cannot be.
    #[error("the journal's table {table} is corrupt: {what}")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// What it holds.
        what: String,
    },
    /// There is no such order.
    #[error("the journal has no order {client_order_id}")]
    NoSuchOrder {
        /// Its name.
        client_order_id: ClientOrderId,
    },
    /// There is no such command.
    #[error("the journal has no command {command_id}")]
    NoSuchCommand {
        /// Its name.
        command_id: CommandId,
    },
    /// What should be written does not follow from what is written; nothing was.
    #[error("order {client_order_id}: {why}")]
    Conflict {
        /// The order.
        client_order_id: ClientOrderId,
        /// In which way.
        why: String,
    },
    /// A value that the tables have no room for; nothing was written.
    #[error("{field}: {why}")]
    NotStorable {
        /// Which value.
        field: &'static str,
        /// What it is and must be.
        why: String,
    },
}

/// What a statement's failure means before the commit: the transaction is rolled back.
pub(crate) fn unavailable(during: &'static str) -> impl Fn(sqlx::Error) -> JournalError {
    move |error| match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            JournalError::Corrupt { table: "of this operation", what: format!("{during}: {error}") }
        }
        error => JournalError::Unavailable { during, why: error.to_string() },
    }
}

/// What a failure of the commit itself means.
pub(crate) fn unknown(during: &'static str) -> impl Fn(sqlx::Error) -> JournalError {
    move |error| JournalError::Unknown { during, why: error.to_string() }
}
