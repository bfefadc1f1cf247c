//! The task that owns the venue: takes messages in order, lets time pass in between.

use std::sync::Arc;
use std::time::Duration;

use domain::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::core::{Core, Request};
use crate::protocol::ApiError;
use crate::streams::{ConnId, NewConn};

/// Messages that may wait for the venue.
pub(crate) const MESSAGES_MAX: usize = 8_192;

/// Messages that are taken before connections get their turn.
const BATCH: usize = 256;

/// Something done to the venue from outside.
type Action = Box<dyn FnOnce(&mut Core) + Send>;

/// A message to the venue.
pub(crate) enum Message {
    Request(Box<Request>),
    /// A connection was made; the answer says whether it may stay.
    Open(ConnId, Box<NewConn>, oneshot::Sender<Result<(), ApiError>>),
    Close(ConnId),
    Act(Action),
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Request(_) => "Request",
            Self::Open(..) => "Open",
            Self::Close(_) => "Close",
            Self::Act(_) => "Act",
        })
    }
}

/// Sends messages to the venue.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox(mpsc::Sender<Message>);

// === impl Mailbox ===

impl Mailbox {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
        (Self(sender), receiver)
    }

    /// Waits for a place in the queue; false when the venue is gone.
    pub(crate) async fn send(&self, message: Message) -> bool {
        self.0.send(message).await.is_ok()
    }

    /// Does something to the venue and gives what comes of it; `None` when the venue is gone.
    pub(crate) async fn act<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut Core) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let action: Action = Box::new(move |core| sender.send(action(core)).unwrap_or(()));
        if !self.send(Message::Act(action)).await {
            return None;
        }
        receiver.await.ok()
    }
}

/// Runs the venue until it is stopped.
pub(crate) async fn run(
    mut core: Core,
    clock: Arc<dyn Clock>,
    mut messages: mpsc::Receiver<Message>,
    stop: CancellationToken,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let is_caught_up = core.run_until(clock.now());
        let wait = if is_caught_up {
            core.next_due().since(clock.now()).min(Duration::from_secs(1))
        } else {
            Duration::ZERO
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            count = messages.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    break;
                }
                core.run_until(clock.now());
                for message in batch.drain(..) {
                    take(&mut core, message);
                }
                core.ledger.flush();
            }
            () = tokio::time::sleep(wait) => {}
        }
        tokio::task::yield_now().await;
    }
    core.ledger.flush();
}

fn take(core: &mut Core, message: Message) {
    match message {
        Message::Request(request) => core.accept(*request),
        Message::Open(id, new, reply) => {
            let now = core.now();
            let mut allowed = core.usage.connection(&core.limits, now, new.address);
            if allowed.is_ok() && new.weight > 0 {
                let used = core.usage.request(&core.limits, now, new.address, new.weight);
                allowed = used.map(|_weight| ());
            }
            if allowed.is_ok() {
                let now = core.now().unix_millis();
                core.hub.open(id, *new, now);
            }
            reply.send(allowed).unwrap_or(());
        }
        Message::Close(id) => core.hub.close(id),
        Message::Act(action) => action(core),
    }
}
