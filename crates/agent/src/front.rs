//! What a process says over HTTP, also while its agent still starts.
//!
//! An agent that cannot reach its bus is alive and not ready. Its supervisor must be able to learn
//! that, with the reason, rather than find a closed port and restart it in a circle.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bus::{Bus, Health};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde_json::value::RawValue;
use wire::{Failure, ToolName};

use crate::Answer;
use crate::http::Served;

/// Stands before an agent and hands everything on once it is there.
pub(crate) struct Front {
    bus: Bus,
    agent: OnceLock<Arc<dyn Served>>,
}

// === impl Front ===

impl Front {
    pub(crate) const fn new(bus: Bus) -> Self {
        Self { bus, agent: OnceLock::new() }
    }

    /// The agent is there.
    pub(crate) fn opens(&self, agent: Arc<dyn Served>) {
        self.agent.get_or_init(|| agent);
    }
}

impl Served for Front {
    fn not_ready(&self) -> Vec<String> {
        if let Some(agent) = self.agent.get() {
            return agent.not_ready();
        }
        let mut reasons = vec!["the agent is starting".to_owned()];
        if let Health::Down(why) = &*self.bus.health().borrow() {
            reasons.push(format!("the bus is down: {why}"));
        }
        reasons
    }

    fn read(self: Arc<Self>, tool: ToolName, args: Box<RawValue>) -> BoxFuture<'static, Answer> {
        match self.agent.get() {
            Some(agent) => Arc::clone(agent).read(tool, args),
            None => ready(Err(Failure::unavailable("the agent is starting"))).boxed(),
        }
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("agent", &self.agent.get()).finish_non_exhaustive()
    }
}
