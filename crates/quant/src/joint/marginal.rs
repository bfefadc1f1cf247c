//! The law of one asset under a copula.

use std::sync::Arc;

use super::{
    JointError,
    table::{Image, Standard, Table},
};
use crate::{
    distribution::Student,
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
}

/// What a marginal needs to turn the copula's variable into a return.
#[derive(Clone, Debug)]
pub(super) enum Map<'a> {
    /// The marginal has the copula's own shape.
    Affine { location: f64, scale: f64 },
    /// It has another shape.
    Shaped { location: f64, scale: f64, table: Arc<Table> },
    /// It is a sample, in ascending order.
    Sampled { ascending: &'a [f64], tails: Arc<Table> },
}

// === impl Map ===

impl<'a> Map<'a> {
    /// One map a marginal; marginals of one shape share a table.
    pub(super) fn all(quantiles: &'a [Quantiles], freedom: Option<f64>) -> Vec<Self> {
        let copula = freedom.and_then(Student::new).map_or(Standard::Normal, Standard::Student);
        let mut tables: Vec<Arc<Table>> = Vec::new();
        let mut tails: Option<Arc<Table>> = None;
        let mut shaped = |standard: Standard, location: f64, scale: f64| {
            if standard.is(copula) {
                return Self::Affine { location, scale };
            }
            let known = tables.iter().find(|table| table.maps_to(standard)).cloned();
            let table = known.unwrap_or_else(|| {
                let table = Arc::new(Table::new(copula, Image::Variable(standard)));
                tables.push(Arc::clone(&table));
                table
            });
            Self::Shaped { location, scale, table }
        };
        let of = |quantiles: &'a Quantiles| match quantiles {
            Quantiles::Normal { mean, deviation } => shaped(Standard::Normal, *mean, *deviation),
            Quantiles::Student { location, scale, law } => {
                shaped(Standard::Student(*law), *location, *scale)
            }
            Quantiles::Empirical(ascending) => {
                let table =
                    tails.get_or_insert_with(|| Arc::new(Table::new(copula, Image::LogTail)));
                Self::Sampled { ascending, tails: Arc::clone(table) }
            }
        };
        quantiles.iter().map(of).collect()
    }

    /// The return at a variable of the copula.
    pub(super) fn at(&self, variable: f64) -> f64 {
        match self {
            Self::Affine { location, scale } => location + scale * variable,
            Self::Shaped { location, scale, table } => {
                location + scale * table.at(variable.abs()).copysign(variable)
            }
            Self::Sampled { ascending, tails } => {
                let tail = tails.at(variable.abs()).exp();
                quantile_sorted(ascending, if variable > 0.0 { 1.0 - tail } else { tail })
            }
        }
    }
}
