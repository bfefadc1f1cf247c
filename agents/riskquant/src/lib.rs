//! The agent that sizes bets, measures tails and portfolios, and simulates.
//!
//! The mathematics is `quant`'s and the limits are the house's; this crate reads arguments, asks,
//! and says what came of it with its units, its counts and what was assumed. It holds no rule of
//! its own and no state but the limits in force and the datasets, which it only reads, so any number
//! of instances answer alike. What it must know of the accounts it asks their owner.
//!
//! # Invariants
//!
//! * No tool places an order. What computes follows from the arguments, the datasets they name and the
//!   limits in force alone.
//! * Numbers that do not exist are left out of an answer; none is replaced by zero.

mod answer;
mod choice;
mod covariances;
mod house;
mod limits;
mod plots;
mod refusals;
mod seed;
mod stored;
mod tools;
mod track;
mod weight_limits;

use std::sync::Arc;

use agent::{Definition, Environment, OpenError, Opened, Tooling};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::house::House;

pub use limits::SizingLimits;

/// The name of the agent.
const NAME: &str = "riskquant";

/// What the tools know besides their arguments.
#[derive(Debug)]
pub struct Quant {
    /// The owner of the accounts, who knows the limits in force.
    pub(crate) house: Arc<House>,
    /// The series that people imported.
    pub(crate) datasets: dataset::Store,
}

/// The agent.
pub const DEFINITION: Definition<Quant> = Definition {
    name: NAME,
    about: "Sizes bets, measures tails and portfolios, simulates; places no orders.",
    version: env!("CARGO_PKG_VERSION"),
    port: 8081,
    tools: tools::TOOLS,
    questions: &[],
    open,
};

fn open(environment: Environment) -> BoxFuture<'static, Result<Opened<Quant>, OpenError>> {
    async move {
        let house = Arc::new(House::open(&environment).await?);
        let datasets = dataset::Store::new(environment.config.datasets_dir(&environment.state_dir));
        let clock = Arc::clone(&environment.clock);
        let tooling = Arc::new(Tooling::new(tools::GUARDED, house.clone(), clock));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(Arc::clone(&house).follow(stop.clone()));
        tasks.spawn(Arc::clone(&tooling).follow(stop.clone()));
        let close = move || {
            async move {
                stop.cancel();
                tasks.close();
                tasks.wait().await;
            }
            .boxed()
        };
        Ok(Opened::new(Quant { house, datasets }).guarded_by(tooling).on_close(close))
    }
    .boxed()
}

// === impl Quant ===

impl Quant {
    /// The limits that sizes and portfolios are judged by, as they are in force.
    pub(crate) fn limits(&self) -> SizingLimits {
        self.house.sizing()
    }
}
