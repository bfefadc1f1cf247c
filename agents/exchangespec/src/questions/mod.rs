//! What other agents may ask: the limits and breakers of the house, and what an order would do.
//!
//! Nothing here places, changes or cancels an order, and a limit can only be lowered, so whoever may
//! ask can do no harm but stop new exposure.

mod breakers;
mod limits;
mod lower_limit;
mod risk_of_order;

use agent::ToolDef;

use crate::Exchange;

/// Every question.
pub(crate) const QUESTIONS: &[ToolDef<Exchange>] =
    &[limits::QUESTION, lower_limit::QUESTION, breakers::QUESTION, risk_of_order::QUESTION];
