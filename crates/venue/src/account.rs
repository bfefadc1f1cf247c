//! Numbers and publishes what happens to the account.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Timestamp;

use crate::{Publisher, StreamStatus, Subscription, VenueEvent, VenueEventKind};

/// Events that a slow reader may be behind.
const EVENTS_BEHIND_MAX: usize = 4096;

/// The stream of the account's own events.
#[derive(Debug)]
pub(crate) struct AccountEvents {
    publisher: Publisher<VenueEvent>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sequence: u64,
    stream: StreamStatus,
}

// === impl AccountEvents ===

impl Default for AccountEvents {
    fn default() -> Self {
        Self { publisher: Publisher::new(EVENTS_BEHIND_MAX), state: Mutex::default() }
    }
}

impl AccountEvents {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells every reader.
    pub(crate) fn publish(&self, at: Timestamp, kind: VenueEventKind) {
        // Under the lock, so that the numbers leave in their order.
        let mut state = self.state();
        state.sequence = state.sequence.saturating_add(1);
        self.publisher.publish(VenueEvent { sequence: state.sequence, at, kind });
    }

    pub(crate) fn subscribe(&self) -> Subscription<VenueEvent> {
        self.publisher.subscribe()
    }

    pub(crate) fn missed(&self) -> u64 {
        self.publisher.missed()
    }

    /// The stream is open; after a break, readers are told that events may be missing.
    pub(crate) fn opened(&self, now: Timestamp) {
        let was_broken = {
            let mut state = self.state();
            state.stream.live = true;
            state.stream.last_message_at = Some(now);
            state.stream.last_fault.clone()
        };
        if let Some(why) = was_broken {
            let why = format!("the account's stream was interrupted: {why}");
            self.publish(now, VenueEventKind::Gap { why });
        }
    }

    /// The stream is gone, or could not be had.
    pub(crate) fn broken(&self, why: &str) {
        let mut state = self.state();
        if state.stream.live {
            state.stream.reconnects = state.stream.reconnects.saturating_add(1);
        }
        state.stream.live = false;
        state.stream.last_fault = Some(why.to_owned());
    }

    pub(crate) fn heard(&self, now: Timestamp) {
        self.state().stream.last_message_at = Some(now);
    }

    pub(crate) fn stream(&self) -> StreamStatus {
        self.state().stream.clone()
    }
}
