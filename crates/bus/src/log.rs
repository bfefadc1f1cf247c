//! Logs: numbered entries that outlive whoever wrote them and wait for whoever reads them.
//!
//! A topic is for whoever listens at the moment. What must not be lost is in the journal of its
//! owner, and on a log, where others read it at their own pace and again. Its owner's own numbers
//! order it, so that an entry is there once however often it is written, and a writer that comes back
//! asks the log itself what it has.
//!
//! Redis may forget a log at a restart; its owner then writes it anew from the journal.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::{AgentName, Failure, topics};

use crate::Bus;
use crate::carrier::CarrierError;

/// Entries that are kept, at least; older ones are forgotten.
pub(crate) const ENTRIES_KEPT: u64 = 100_000;

/// Writes and reads a log.
#[derive(Debug, Clone)]
pub struct Log {
    bus: Bus,
    key: String,
}

impl Bus {
    /// The log of that name of an agent.
    #[must_use]
    pub fn log(&self, agent: &AgentName, name: &str) -> Log {
        Log { bus: self.clone(), key: topics::log_key(agent, name) }
    }
}

// === impl Log ===

impl Log {
    /// Writes an entry under its number; false when the log has that number or a later one already.
    ///
    /// # Errors
    /// `unavailable` when the bus did not answer; the entry may be there nonetheless, and may be
    /// written again.
    pub async fn append(&self, number: u64, entry: &impl Serialize) -> Result<bool, Failure> {
        let text = serde_json::to_vec(entry).map_err(|e| Failure::unavailable(e.to_string()))?;
        let appended = self.bus.carrier.append(self.key.clone(), number, Bytes::from(text)).await;
        appended.map_err(unavailable)
    }

    /// The number of the last entry; 0 when there is none.
    ///
    /// # Errors
    /// `unavailable` when the bus did not answer.
    pub async fn last(&self) -> Result<u64, Failure> {
        self.bus.carrier.last(self.key.clone()).await.map_err(unavailable)
    }

    /// At most `count` entries after that number, with their numbers, the oldest first.
    ///
    /// # Errors
    /// `unavailable` when the bus did not answer, or for an entry that is none.
    pub async fn after<T: DeserializeOwned>(
        &self,
        number: u64,
        count: u32,
    ) -> Result<Vec<(u64, T)>, Failure> {
        let entries = self.bus.carrier.entries(self.key.clone(), number, count).await;
        let read = |(number, text): (u64, Bytes)| match serde_json::from_slice(&text) {
            Ok(entry) => Ok((number, entry)),
            Err(error) => {
                Err(Failure::unavailable(format!("entry {number} of {}: {error}", self.key)))
            }
        };
        entries.map_err(unavailable)?.into_iter().map(read).collect()
    }
}

fn unavailable(error: CarrierError) -> Failure {
    Failure::unavailable(error.to_string())
}
