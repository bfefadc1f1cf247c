//! The campaigns, each a function from seeds to what it counted.

pub mod ambiguous;
pub mod killed;
pub mod replicas;
pub mod halted;
pub mod manual;
pub mod silent;
