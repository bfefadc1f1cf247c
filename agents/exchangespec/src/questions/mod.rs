//! What other agents may ask: the limits and breakers of the house, and what an order would do.
//!
//! Nothing here places, changes or cancels an order, a limit can only be lowered and a breaker only be
//! tripped, so whoever may ask can do no harm but stop.

mod breakers;
mod limits;
mod lower_limit;
mod risk_of_order;
mod tooling;
mod trip_tooling;

use agent::ToolDef;

use crate::Exchange;

/// Every question.
pub(crate) const QUESTIONS: &[ToolDef<Exchange>] = &[
    limits::QUESTION,
    lower_limit::QUESTION,
    breakers::QUESTION,
    risk_of_order::QUESTION,
    tooling::QUESTION,
    trip_tooling::QUESTION,
];
