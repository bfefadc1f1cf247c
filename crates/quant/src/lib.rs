//! The mathematics of risk: sizing, tail loss, volatility, performance, portfolios, simulation.
//!
//! Every function here is a pure function of numbers: no clock, no I/O, no randomness but from a
//! seed that the caller gives. Statistics are `f64`; money does not occur. The crate knows no
//! other crate of the workspace, so that each formula can be read beside its source and checked
//! alone.
//!
//! | question | module |
//! |---|---|
//! | how much to stake | [`kelly`] |
//! | how much may be lost | [`var`], [`tail`], [`joint`] (several assets), [`stress`] |
//! | which position loses it, and was the forecast right | [`attribution`], [`backtest`] |
//! | how strongly does it move | [`volatility`] |
//! | how good was it, and was that luck | [`metrics`], [`track`], [`bootstrap`] |
//! | how to divide wealth | [`portfolio`] |
//! | where may it end | [`simulate`] |
//! | even points in a cube | [`sobol`] |
//!
//! # Conventions
//!
//! * A return is a simple return per period: `0.01` is a gain of one percent. Log returns do not
//!   occur.
//! * A loss is a positive number: value at risk and expected shortfall of `0.02` mean that two
//!   percent are lost. A negative value at risk is a gain.
//! * A confidence is a probability between a half and one: `0.95`, never `95`.
//! * The number of periods in a year is always given by the caller; there is no default.
//!
//! # Invariants
//!
//! * NaN, infinity and lengths that do not fit are refused with the field, the index and the value.
//! * What is undefined is `None` or an error, never zero.
//! * The same input gives the same bytes, whatever the number of threads.

pub mod allocation;
pub mod attribution;
pub mod backtest;
pub mod bootstrap;
pub mod covariance;
mod distribution;
pub mod hierarchy;
pub mod joint;
pub mod kelly;
pub mod metrics;
pub mod portfolio;
mod search;
mod shares;
pub mod simulate;
pub mod sobol;
pub mod stats;
pub mod stress;
pub mod tail;
pub mod track;
pub mod var;
pub mod views;
pub mod volatility;

#[cfg(test)]
mod sample;
