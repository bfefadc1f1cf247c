//! A bounded stream of events that says what it dropped.
//!
//! A slow reader must not hold up the venue, so the oldest events are dropped when it falls behind.
//! It is told how many, and can then ask the venue for the truth; the total is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// A reader of events.
#[derive(Debug)]
pub struct Subscription<T> {
    receiver: broadcast::Receiver<T>,
    missed: Arc<AtomicU64>,
}

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received<T> {
    /// The next event.
    Event(T),
    /// This many events were dropped here, because the reader was slow.
    Missed(u64),
}

/// The sending end: any number of readers, one bound for each.
#[derive(Debug, Clone)]
pub struct Publisher<T> {
    sender: broadcast::Sender<T>,
    missed: Arc<AtomicU64>,
}

// === impl Publisher ===

impl<T: Clone> Publisher<T> {
    /// A sender whose readers may each be `capacity` events behind.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let (sender, _) = broadcast::channel(capacity);
        Self { sender, missed: Arc::default() }
    }

    /// Whether anybody reads.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// Tells every reader.
    pub fn publish(&self, event: T) {
        // Without readers there is nobody to tell, which is no failure.
        if self.is_read() {
            drop(self.sender.send(event));
        }
    }

    /// Events that readers have missed so far.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// A reader of what comes from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription<T> {
        Subscription { receiver: self.sender.subscribe(), missed: Arc::clone(&self.missed) }
    }
}

// === impl Subscription ===

impl<T: Clone> Subscription<T> {
    /// Waits for the next event; `None` when the venue is gone.
    pub async fn next(&mut self) -> Option<Received<T>> {
        match self.receiver.recv().await {
            Ok(event) => Some(Received::Event(event)),
            Err(RecvError::Lagged(count)) => Some(self.count(count)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next event if there is one already.
    pub fn try_next(&mut self) -> Option<Received<T>> {
        match self.receiver.try_recv() {
            Ok(event) => Some(Received::Event(event)),
            Err(TryRecvError::Lagged(count)) => Some(self.count(count)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }

    fn count(&self, missed: u64) -> Received<T> {
        self.missed.fetch_add(missed, Ordering::Relaxed);
        Received::Missed(missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_is_told_how_much_it_missed() {
        let publisher = Publisher::new(2);
        let mut reader = publisher.subscribe();
        for event in 1..=5 {
            publisher.publish(event);
        }
        assert_eq!(reader.try_next(), Some(Received::Missed(3)));
        assert_eq!(reader.try_next(), Some(Received::Event(4)));
        assert_eq!(publisher.missed(), 3);
        assert_eq!(reader.try_next(), Some(Received::Event(5)));
        assert_eq!(reader.try_next(), None);
    }
}
