//! The agent that sizes bets, measures tails and portfolios, and simulates.
//!
//! The mathematics is `quant`'s and the limits are the house's; this crate reads arguments, asks,
//! and says what came of it with its units, its counts and what was assumed. It holds no rule of
//! its own and no state but the limits and the datasets, which it only reads, so any number of
//! instances answer alike.
//!
//! # Invariants
//!
//! * No tool acts: each answer follows from the arguments, the datasets they name and the
//!   configured limits alone.
//! * Numbers that do not exist are left out of an answer; none is replaced by zero.

mod answer;
mod choice;
mod covariances;
mod limits;
mod plots;
mod refusals;
mod seed;
mod stored;
mod tools;
mod track;
mod weight_limits;

use agent::{Definition, Environment, OpenError, Opened};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

pub use limits::SizingLimits;

/// What the tools know besides their arguments.
#[derive(Debug)]
pub struct Quant {
    /// The limits that sizes and portfolios are judged by.
    pub(crate) limits: SizingLimits,
    /// The series that people imported.
    pub(crate) datasets: dataset::Store,
}

/// The agent.
pub const DEFINITION: Definition<Quant> = Definition {
    name: "riskquant",
    about: "Sizes bets, measures tails and portfolios, simulates; places no orders.",
    version: env!("CARGO_PKG_VERSION"),
    port: 8081,
    tools: tools::TOOLS,
    questions: &[],
    open,
};

fn open(environment: Environment) -> BoxFuture<'static, Result<Opened<Quant>, OpenError>> {
    let limits = environment.config.limits().map_err(|error| OpenError(error.to_string()));
    let datasets = dataset::Store::new(environment.config.datasets_dir(&environment.state_dir));
    ready(limits.map(|limits| Opened::new(Quant { limits: SizingLimits::from(&limits), datasets })))
        .boxed()
}
