//! The agent that owns the venue connection: orders, the account, and what is known of both.
//!
//! Every order of the house passes one function here (`Desk::place`): filters, halt, limits,
//! a durable intent, and only then the venue. The account belongs to one instance at a time; others
//! stand by and take over, and whoever takes over rebuilds everything from the journal.
//!
//! # Invariants
//!
//! * Nothing is sent that is not on record, and nothing is sent twice.
//! * What the venue says counts once it is durable, in the venue's own order.
//! * A price that is old, an equity that is not known, a halt state that cannot be read: refused.

mod books;
mod cancel;
mod desk;
mod latency;
mod market;
mod orphans;
mod place;
mod recover;
mod refusals;
mod reports;
mod seat;
mod tools;
mod views;

use agent::{Definition, Environment, OpenError, Opened};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

pub use seat::Exchange;

/// The name of the agent.
const NAME: &str = "exchangespec";

/// The agent.
pub const DEFINITION: Definition<Exchange> = Definition {
    name: NAME,
    about: "Owns the paper venue: places and cancels orders under the house's limits, keeps the \
            account.",
    version: env!("CARGO_PKG_VERSION"),
    port: 8083,
    tools: tools::TOOLS,
    open,
};

fn open(environment: Environment) -> BoxFuture<'static, Result<Opened<Exchange>, OpenError>> {
    seat::open(environment).boxed()
}
