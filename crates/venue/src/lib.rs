//! Where orders go: every venue behind one trait, and the paper venue built in.

pub mod market;
