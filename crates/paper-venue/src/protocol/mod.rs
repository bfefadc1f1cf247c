//! The words of the protocol: text of numbers, JSON, parameters, refusals, signatures, times.

pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod params;
pub(crate) mod refusal;
pub(crate) mod signature;
pub(crate) mod timing;

pub(crate) use json::{Array, Object};
pub(crate) use params::Params;
pub(crate) use refusal::ApiError;
