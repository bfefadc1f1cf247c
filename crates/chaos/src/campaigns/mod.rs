//! The campaigns, each a function from seeds to what it counted.

pub mod ambiguous;
pub mod halted;
pub mod killed;
pub mod manual;
pub mod replicas;
pub mod silent;
