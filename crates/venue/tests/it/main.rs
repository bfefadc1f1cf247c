//! Venues against servers that answer by a script, and against what real ones have sent.

mod bybit;
mod outcomes;
mod recorded;
mod streams;
mod support;
