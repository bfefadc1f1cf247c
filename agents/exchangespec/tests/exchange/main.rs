//! The agent as its callers meet it: over a bus, on a real journal.

#[cfg(test)]
mod conduct;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod halt;
#[cfg(test)]
mod house;
#[cfg(test)]
mod latency;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod process;
#[cfg(test)]
mod questions;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod restart;
