//! The right to send for an account, while it lasts.
//!
//! It is renewed by the caretaker and looked at twice: before an order is admitted, and again when
//! its bytes are ready. In between the process may have been stopped for any length of time, so the
//! second look also asks how long ago the halt state was read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use venue::LastCheck;

/// Who may send, and until when.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Grows with each owner of the account; the journal refuses what has a lower one.
    pub(crate) fence: i64,
    term: Arc<Mutex<Term>>,
}

#[derive(Debug, Clone)]
enum Term {
    /// As long as the process lives: the operating system or the database holds the lock.
    Always,
    Until(Instant),
    Over(String),
}

/// What is asked when an order's bytes are ready.
#[derive(Debug)]
pub(crate) struct Permit {
    lease: Arc<Lease>,
    halt_read_at: Instant,
    halt_age_max: Duration,
    /// Its turn to leave, until it does.
    turn: Mutex<Option<OwnedSemaphorePermit>>,
}

// === impl Lease ===

impl Lease {
    /// A right that ends with the process.
    pub(crate) fn always(fence: i64) -> Self {
        Self { fence, term: Arc::new(Mutex::new(Term::Always)) }
    }

    /// A right that ends then unless it is extended.
    pub(crate) fn until(fence: i64, end: Instant) -> Self {
        Self { fence, term: Arc::new(Mutex::new(Term::Until(end))) }
    }

    /// The same right, under the fence that was given to it.
    pub(crate) fn with_fence(&self, fence: i64) -> Arc<Self> {
        Arc::new(Self { fence, term: Arc::clone(&self.term) })
    }

    fn term(&self) -> MutexGuard<'_, Term> {
        self.term.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Extends it. A right that has ended stays ended: somebody else may have had it meanwhile.
    pub(crate) fn extend(&self, end: Instant) {
        let ended = self.check().is_err();
        let mut term = self.term();
        if !ended && matches!(*term, Term::Until(_)) {
            *term = Term::Until(end);
        }
    }

    /// Ends it.
    pub(crate) fn end(&self, why: &str) {
        *self.term() = Term::Over(why.to_owned());
    }

    /// Whether it lasts.
    ///
    /// # Errors
    /// Why not, for people.
    pub(crate) fn check(&self) -> Result<(), String> {
        match &*self.term() {
            Term::Always => Ok(()),
            Term::Until(end) if Instant::now() < *end => Ok(()),
            Term::Until(_) => Err("the lease of the account has ended".to_owned()),
            Term::Over(why) => Err(why.clone()),
        }
    }

    /// A permit for an order whose halt state was read then.
    pub(crate) fn permit(
        self: &Arc<Self>,
        halt_read_at: Instant,
        halt_age_max: Duration,
        turn: OwnedSemaphorePermit,
    ) -> Arc<Permit> {
        let (lease, turn) = (Arc::clone(self), Mutex::new(Some(turn)));
        Arc::new(Permit { lease, halt_read_at, halt_age_max, turn })
    }
}

// === impl Permit ===

impl LastCheck for Permit {
    fn may_send(&self) -> Result<(), String> {
        self.lease.check()?;
        let age = self.halt_read_at.elapsed();
        if age > self.halt_age_max {
            let (age, max) = (age.as_millis(), self.halt_age_max.as_millis());
            return Err(format!("the halt state was read {age} ms ago and may be {max} ms old"));
        }
        drop(self.turn.lock().unwrap_or_else(PoisonError::into_inner).take());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::sync::Semaphore;

    const SECOND: Duration = Duration::from_secs(1);

    fn turn(turns: &Arc<Semaphore>) -> OwnedSemaphorePermit {
        Arc::clone(turns).try_acquire_owned().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_that_has_ended_cannot_be_extended() {
        let lease = Arc::new(Lease::until(1, Instant::now() + SECOND));
        lease.extend(Instant::now() + 2 * SECOND);
        tokio::time::advance(SECOND).await;
        assert_eq!(lease.check(), Ok(()));
        tokio::time::advance(SECOND).await;
        lease.extend(Instant::now() + SECOND);
        assert_eq!(lease.check(), Err("the lease of the account has ended".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_that_was_held_up_does_not_leave_under_an_old_halt_state() {
        let lease = Arc::new(Lease::always(1));
        let turns = Arc::new(Semaphore::new(1));
        let permit = lease.permit(Instant::now(), SECOND / 4, turn(&turns));
        tokio::time::advance(SECOND / 4).await;
        assert_eq!(turns.available_permits(), 0, "it waits");
        assert_eq!(permit.may_send(), Ok(()));
        assert_eq!(turns.available_permits(), 1, "it has left");
        tokio::time::advance(SECOND / 1000).await;
        let why = "the halt state was read 251 ms ago and may be 250 ms old";
        assert_eq!(permit.may_send(), Err(why.to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_that_was_held_up_does_not_leave_after_the_lease() {
        let lease = Arc::new(Lease::until(1, Instant::now() + SECOND));
        let permit = lease.permit(Instant::now(), 9 * SECOND, turn(&Arc::new(Semaphore::new(1))));
        assert_eq!(permit.may_send(), Ok(()));
        lease.end("the instance stops");
        assert_eq!(permit.may_send(), Err("the instance stops".to_owned()));
    }
}
