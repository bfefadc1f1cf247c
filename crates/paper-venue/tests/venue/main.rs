//! The paper venue as its clients see it, over real connections.

mod client;
mod clients;
mod determinism;
mod errors;
mod faults;
mod limits;
mod replay;
mod restart;
mod streams;
mod trading;
