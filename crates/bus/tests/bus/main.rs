//! The bus against its promises: on both carriers, and on a Redis that fails in every known way.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

mod contract;
mod faults;
mod foreign;
mod leases;
mod logs;
mod secured;
mod support;
