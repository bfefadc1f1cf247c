//! The law of one asset under a copula.

use super::JointError;
use crate::{
    distribution::{Student, normal_cdf, normal_quantile},
    stats::{Series, quantile_sorted, sorted},
};

/// The law of one asset under a copula.
#[derive(Clone, Debug, PartialEq)]
pub enum Marginal {
    /// Normal with a mean and a standard deviation.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        deviation: f64,
    },
    /// Student-t with a location, a scale (not a deviation) and degrees of freedom.
    StudentT {
        /// The location.
        location: f64,
        /// The scale.
        scale: f64,
        /// Degrees of freedom.
        degrees_of_freedom: f64,
    },
    /// A sample, interpolated between its values (type 7).
    Empirical(Vec<f64>),
}

/// A checked marginal.
#[derive(Clone, Debug)]
pub(super) enum Quantiles {
    Normal { mean: f64, deviation: f64 },
    Student { location: f64, scale: f64, law: Student },
    Empirical(Vec<f64>),
}

pub(super) fn checked_freedom(value: f64) -> Result<f64, JointError> {
    if value >= 1.0 && value.is_finite() {
        return Ok(value);
    }
    let rule = "at least 1 and finite";
    Err(JointError::Parameter { field: "degrees_of_freedom", value, rule })
}

// === impl Quantiles ===

impl Quantiles {
    pub(super) fn of(marginal: Marginal) -> Result<Self, JointError> {
        let finite = |field, value: f64| {
            if value.is_finite() {
                Ok(value)
            } else {
                Err(JointError::Parameter { field, value, rule: "finite" })
            }
        };
        let spread = |field, value: f64| {
            if value.is_finite() && value >= 0.0 {
                Ok(value)
            } else {
                Err(JointError::Parameter { field, value, rule: "zero or positive and finite" })
            }
        };
        match marginal {
            Marginal::Normal { mean, deviation } => Ok(Self::Normal {
                mean: finite("mean", mean)?,
                deviation: spread("deviation", deviation)?,
            }),
            Marginal::StudentT { location, scale, degrees_of_freedom } => {
                let freedom = checked_freedom(degrees_of_freedom)?;
                let law = Student::new(freedom).expect("invariant: checked degrees of freedom");
                Ok(Self::Student {
                    location: finite("location", location)?,
                    scale: spread("scale", scale)?,
                    law,
                })
            }
            Marginal::Empirical(values) => {
                Series::try_new("marginal", &values, 1)?;
                Ok(Self::Empirical(sorted(&values)))
            }
        }
    }

    /// The return at a variable of the copula: standard normal, or Student-t of `copula`.
    pub(super) fn at(&self, variable: f64, copula: Option<&Student>) -> f64 {
        // Of the lower tail, where probabilities keep their digits.
        let lower = || match copula {
            Some(law) => law.cdf(-variable.abs()),
            None => normal_cdf(-variable.abs()),
        };
        match self {
            Self::Normal { mean, deviation } => match copula {
                None => mean + deviation * variable,
                Some(_) => {
                    let size = -normal_quantile(lower().max(f64::MIN_POSITIVE));
                    mean + deviation * size.copysign(variable)
                }
            },
            Self::Student { location, scale, law } => {
                let is_same =
                    copula.is_some_and(|c| c.freedom().to_bits() == law.freedom().to_bits());
                if is_same {
                    return location + scale * variable;
                }
                let size = -law.quantile(lower().max(f64::MIN_POSITIVE));
                location + scale * size.copysign(variable)
            }
            Self::Empirical(ascending) => {
                let tail = lower();
                let probability = if variable > 0.0 { 1.0 - tail } else { tail };
                quantile_sorted(ascending, probability)
            }
        }
    }
}
