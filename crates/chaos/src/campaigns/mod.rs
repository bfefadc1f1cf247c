//! The campaigns, each a function from seeds to what it counted.

pub mod ambiguous;
