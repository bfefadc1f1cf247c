//! The agent that owns the venue connection: orders, the account, and what is known of both.
//!
//! Every order of the house passes one gate here (`place.rs`): filters, halt, limits, a durable
//! intent, and only then the venue. An account belongs to one instance at a time; others stand by
//! and take over, and whoever takes over reads the journal and compares it with the venue first.
//!
//! # Invariants
//!
//! * Nothing is sent that is not on record, and nothing is sent twice.
//! * What the venue says counts once it is durable.
//! * A price that is old, an equity that is not known, a halt state that cannot be read: refused.

mod accounts;
mod books;
mod budget;
mod cancel;
mod conduct;
mod desk;
mod fill_log;
mod history;
mod kind;
mod latency;
mod lease;
#[cfg(test)]
mod listed;
mod orphans;
mod place;
mod plan;
mod questions;
mod reconcile;
mod recording;
mod refusals;
mod reports;
mod risk_model;
mod routing;
mod situation;
mod tooling;
mod tools;
mod views;

use agent::{Definition, Environment, OpenError, Opened};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

pub use accounts::Exchange;

/// The name of the agent.
const NAME: &str = "exchangespec";

/// The agent.
pub const DEFINITION: Definition<Exchange> = Definition {
    name: NAME,
    about: "Owns the accounts at the venues: places and cancels orders under the house's limits, \
            keeps the record equal to the venue's.",
    version: env!("CARGO_PKG_VERSION"),
    port: 8083,
    tools: tools::TOOLS,
    questions: questions::QUESTIONS,
    open,
};

fn open(environment: Environment) -> BoxFuture<'static, Result<Opened<Exchange>, OpenError>> {
    accounts::open(environment).boxed()
}
