//! The agent that sizes bets, measures tails and portfolios, and simulates.
//!
//! The mathematics is `quant`'s and the limits are the house's; this crate reads arguments, asks,
//! and says what came of it with its units, its counts and what was assumed. It holds no rule of
//! its own and no state but the limits, so any number of instances answer alike.
//!
//! # Invariants
//!
//! * No tool acts: each answer follows from the arguments and the configured limits alone.
//! * Numbers that do not exist are left out of an answer; none is replaced by zero.

mod answer;
mod choice;
mod covariances;
mod limits;
mod refusals;
mod seed;
mod tools;
mod track;
mod weight_limits;

use agent::{Definition, Environment, OpenError, Opened};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

pub use limits::SizingLimits;

/// The agent.
pub const DEFINITION: Definition<SizingLimits> = Definition {
    name: "riskquant",
    about: "Sizes bets, measures tails and portfolios, simulates; places no orders.",
    version: env!("CARGO_PKG_VERSION"),
    port: 8081,
    tools: tools::TOOLS,
    questions: &[],
    open,
};

fn open(environment: Environment) -> BoxFuture<'static, Result<Opened<SizingLimits>, OpenError>> {
    let limits = environment.config.limits().map_err(|error| OpenError(error.to_string()));
    ready(limits.map(|limits| Opened::new(SizingLimits::from(&limits)))).boxed()
}
