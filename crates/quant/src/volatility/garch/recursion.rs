//! The likelihood, and its gradient by the derivatives of the recursion.

use std::f64::consts::PI;

use statrs::function::gamma::{digamma, ln_gamma};

use super::{Dynamics, GarchFit, Innovations, MeanModel, Specification};
use crate::search::Objective;

/// Derivatives by mean, omega, alpha, gamma, beta and `1/nu`, whether or not the model has them.
pub(super) type Score = [f64; 6];

/// Where each coefficient stands in the vector of the search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) specification: Specification,
    pub(super) mean: Option<usize>,
    pub(super) omega: usize,
    pub(super) alpha: usize,
    pub(super) gamma: Option<usize>,
    pub(super) beta: usize,
    /// The reciprocal of the degrees of freedom.
    pub(super) heaviness: Option<usize>,
    pub(super) len: usize,
}

/// The coefficients of one evaluation, zero where the model has none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) mean: f64,
    pub(super) omega: f64,
    pub(super) alpha: f64,
    pub(super) gamma: f64,
    pub(super) beta: f64,
    pub(super) heaviness: f64,
}

/// What is maximised: minus its logarithm is the objective.
#[derive(Debug)]
pub(super) struct Likelihood<'a> {
    pub(super) returns: &'a [f64],
    pub(super) backcast: f64,
    pub(super) layout: Layout,
}

/// The density of one observation: what does not change along the series.
#[derive(Clone, Copy, Debug)]
struct Density {
    /// The constant of the log density.
    constant: f64,
    /// Its derivative by the heaviness.
    constant_slope: f64,
    /// The degrees of freedom; `None` for the normal.
    freedom: Option<f64>,
}

/// The sums of a walk along the series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walked {
    /// Minus the log-likelihood.
    pub(super) value: f64,
    /// What the logarithms of the tails add to the derivative by the heaviness.
    log_slope: f64,
}

/// A sum of logarithms as the logarithm of a product, which is renewed before it leaves the range.
#[derive(Clone, Copy, Debug)]
struct LogSum {
    product: f64,
    sum: f64,
}

// === impl Layout ===

impl Layout {
    pub(super) fn of(specification: Specification) -> Self {
        let mut next = 0;
        let mut place = || {
            next += 1;
            next - 1
        };
        let mean = (specification.mean == MeanModel::Constant).then(&mut place);
        let (omega, alpha) = (place(), place());
        let gamma = (specification.dynamics != Dynamics::Garch).then(&mut place);
        let beta = place();
        let heaviness = (specification.innovations == Innovations::StudentT).then(&mut place);
        Self { specification, mean, omega, alpha, gamma, beta, heaviness, len: next }
    }

    pub(super) fn point(&self, x: &[f64]) -> Point {
        let optional = |place: Option<usize>| place.map_or(0.0, |i| x[i]);
        Point {
            mean: optional(self.mean),
            omega: x[self.omega],
            alpha: x[self.alpha],
            gamma: optional(self.gamma),
            beta: x[self.beta],
            heaviness: optional(self.heaviness),
        }
    }

    /// Each place with the index of its derivative in a [`Score`].
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        let places = [
            self.mean,
            Some(self.omega),
            Some(self.alpha),
            self.gamma,
            Some(self.beta),
            self.heaviness,
        ];
        places.into_iter().enumerate().filter_map(|(score, place)| place.map(|p| (p, score)))
    }

    /// Points within the bounds, for returns with a deviation of one.
    pub(super) fn starts(&self) -> Vec<Vec<f64>> {
        let mut starts = Vec::new();
        let mut push = |omega: f64, alpha: f64, gamma: f64, beta: f64| {
            let mut x = vec![0.0; self.len];
            x[self.omega] = omega;
            x[self.alpha] = alpha;
            x[self.beta] = beta;
            if let Some(place) = self.gamma {
                x[place] = gamma;
            }
            if let Some(place) = self.heaviness {
                x[place] = 0.125;
            }
            starts.push(x);
        };
        if self.specification.dynamics == Dynamics::Egarch {
            for (alpha, gamma, beta) in [
                (0.1, 0.0, 0.98),
                (0.2, -0.05, 0.95),
                (0.1, -0.1, 0.95),
                (0.2, 0.0, 0.85),
                (0.1, 0.0, 0.5),
                (0.3, -0.1, 0.9),
                (0.2, 0.1, 0.9),
                (-0.1, -0.05, 0.9),
                (0.5, 0.0, 0.3),
                (0.05, 0.0, -0.5),
            ] {
                push(0.0, alpha, gamma, beta);
            }
        } else {
            for (alpha, persistence) in [
                (0.02, 0.98),
                (0.05, 0.99),
                (0.05, 0.95),
                (0.1, 0.98),
                (0.1, 0.9),
                (0.2, 0.95),
                (0.2, 0.6),
                (0.03, 0.8),
            ] {
                if self.gamma.is_some() {
                    // Half of the reaction to both signs, half to falls alone.
                    push(1.0 - persistence, alpha / 2.0, alpha, persistence - alpha);
                }
                push(1.0 - persistence, alpha, 0.0, persistence - alpha);
            }
        }
        starts
    }
}

// === impl Likelihood ===

impl Likelihood<'_> {
    /// Minus the log-likelihood, without derivatives.
    pub(super) fn value(&self, x: &[f64]) -> f64 {
        self.walk(x, |_, _| {}, |_, _| {}).value
    }

    /// Minus the log-likelihood; shows each residual with its variance, and each observation's
    /// derivatives of the log density, in which the last one lacks a logarithm: its argument is
    /// the second figure, and the sum of all is in the result.
    pub(super) fn walk(
        &self,
        x: &[f64],
        see: impl FnMut(f64, f64),
        take: impl FnMut(Score, f64),
    ) -> Walked {
        let point = self.layout.point(x);
        let density = Density::new(self.layout.heaviness.map(|i| x[i]));
        let Some(density) = density else { return Walked { value: f64::NAN, log_slope: 0.0 } };
        match self.layout.specification.dynamics {
            Dynamics::Egarch => self.walk_logs(point, density, see, take),
            Dynamics::Garch | Dynamics::Gjr => self.walk_squares(point, density, see, take),
        }
    }

    fn walk_squares(
        &self,
        point: Point,
        density: Density,
        mut see: impl FnMut(f64, f64),
        mut take: impl FnMut(Score, f64),
    ) -> Walked {
        let Point { mean, omega, alpha, gamma, beta, .. } = point;
        let mut logs = LogSum::default();
        let mut rest = LogSum::default();
        let mut squares = 0.0;
        let mut variance = omega + (alpha + gamma / 2.0 + beta) * self.backcast;
        let mut slope = [0.0, 1.0, self.backcast, self.backcast / 2.0, self.backcast];
        for &value in self.returns {
            let residual = value - mean;
            let inverse = variance.recip();
            let square = residual * residual;
            let standard = square * inverse;
            logs.multiply(variance);
            let (weight, tail, share) = density.at(standard, &mut rest, &mut squares);
            see(residual, variance);
            let by_variance = 0.5 * inverse * (weight * standard - 1.0);
            take(
                [
                    weight * residual * inverse + by_variance * slope[0],
                    by_variance * slope[1],
                    by_variance * slope[2],
                    by_variance * slope[3],
                    by_variance * slope[4],
                    tail,
                ],
                share,
            );
            let fallen = if residual < 0.0 { 1.0 } else { 0.0 };
            let reaction = alpha + gamma * fallen;
            let fresh = [-2.0 * reaction * residual, 1.0, square, square * fallen, variance];
            for (slope, fresh) in slope.iter_mut().zip(fresh) {
                *slope = fresh + beta * *slope;
            }
            variance = omega + reaction * square + beta * variance;
        }
        density.total(self.returns.len(), logs, rest, squares)
    }

    fn walk_logs(
        &self,
        point: Point,
        density: Density,
        mut see: impl FnMut(f64, f64),
        mut take: impl FnMut(Score, f64),
    ) -> Walked {
        let Point { mean, omega, alpha, gamma, beta, .. } = point;
        let centre = (2.0 / PI).sqrt();
        let mut rest = LogSum::default();
        let (mut squares, mut sum) = (0.0, 0.0);
        let before = self.backcast.ln();
        let mut log = omega + beta * before;
        let mut slope = [0.0, 1.0, 0.0, 0.0, before];
        for &value in self.returns {
            let residual = value - mean;
            let root = (-0.5 * log).exp();
            let z = residual * root;
            let standard = z * z;
            sum += log;
            let (weight, tail, share) = density.at(standard, &mut rest, &mut squares);
            see(residual, log.exp());
            let by_log = 0.5 * (weight * standard - 1.0);
            take(
                [
                    weight * z * root + by_log * slope[0],
                    by_log * slope[1],
                    by_log * slope[2],
                    by_log * slope[3],
                    by_log * slope[4],
                    tail,
                ],
                share,
            );
            let reaction = alpha * sign(z) + gamma;
            let through = beta - 0.5 * z * reaction;
            let fresh = [-root * reaction, 1.0, z.abs() - centre, z, log];
            for (slope, fresh) in slope.iter_mut().zip(fresh) {
                *slope = fresh + through * *slope;
            }
            log = omega + alpha * (z.abs() - centre) + gamma * z + beta * log;
        }
        let logs = LogSum { product: 1.0, sum };
        density.total(self.returns.len(), logs, rest, squares)
    }
}

impl Objective for Likelihood<'_> {
    fn evaluate(&self, point: &[f64], gradient: &mut [f64]) -> f64 {
        let mut total: Score = [0.0; 6];
        let take = |score: Score, _| {
            for (sum, term) in total.iter_mut().zip(score) {
                *sum += term;
            }
        };
        let walked = self.walk(point, |_, _| {}, take);
        total[5] += walked.log_slope;
        for (place, score) in self.layout.places() {
            gradient[place] = -total[score];
        }
        walked.value
    }
}

// === impl Density ===

impl Density {
    /// `None` outside the range of a finite variance.
    fn new(heaviness: Option<f64>) -> Option<Self> {
        let Some(heaviness) = heaviness else {
            let constant = -0.5 * (2.0 * PI).ln();
            return Some(Self { constant, constant_slope: 0.0, freedom: None });
        };
        if !(heaviness > 0.0 && heaviness < 0.5) {
            return None;
        }
        let nu = heaviness.recip();
        let constant =
            ln_gamma((nu + 1.0) / 2.0) - ln_gamma(nu / 2.0) - 0.5 * (PI * (nu - 2.0)).ln();
        let by_freedom = 0.5 * (digamma((nu + 1.0) / 2.0) - digamma(nu / 2.0) - (nu - 2.0).recip());
        Some(Self { constant, constant_slope: -by_freedom * nu * nu, freedom: Some(nu) })
    }

    /// The weight of the squared residual in the derivative by the variance, the derivative by
    /// the heaviness without its logarithm, and the argument of that; adds to the sums.
    fn at(&self, standard: f64, rest: &mut LogSum, squares: &mut f64) -> (f64, f64, f64) {
        let Some(nu) = self.freedom else {
            *squares += standard;
            return (1.0, 0.0, 0.0);
        };
        let inner = (nu - 2.0).recip();
        let share = standard * inner;
        rest.multiply(1.0 + share);
        let weight = (nu + 1.0) * inner / (1.0 + share);
        (weight, self.constant_slope - 0.5 * weight * share * nu * nu, share)
    }

    fn total(&self, count: usize, logs: LogSum, rest: LogSum, squares: f64) -> Walked {
        let tails = self.freedom.map_or(squares, |nu| (nu + 1.0) * rest.total());
        Walked {
            value: 0.5 * (logs.total() + tails) - count as f64 * self.constant,
            log_slope: self.freedom.map_or(0.0, |nu| 0.5 * nu * nu * rest.total()),
        }
    }
}

// === impl LogSum ===

impl Default for LogSum {
    fn default() -> Self {
        Self { product: 1.0, sum: 0.0 }
    }
}

impl LogSum {
    fn multiply(&mut self, factor: f64) {
        self.product *= factor;
        if !(1e-140..1e140).contains(&self.product) {
            self.sum += self.product.ln();
            self.product = 1.0;
        }
    }

    fn total(&self) -> f64 {
        self.sum + self.product.ln()
    }
}

/// The sign, zero at zero.
fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

/// The variance that follows one of `variance` with the standardised shock `z`.
pub(crate) fn next_variance_after(fit: &GarchFit, variance: f64, z: f64) -> f64 {
    let c = &fit.coefficients;
    let figure = |coefficient: Option<f64>| coefficient.unwrap_or(0.0);
    let (omega, alpha, gamma, beta) =
        (figure(c.omega), figure(c.alpha), figure(c.gamma), figure(c.beta));
    match fit.specification.dynamics {
        Dynamics::Egarch => {
            let size = z.abs() - (2.0 / PI).sqrt();
            (omega + alpha * size + gamma * z + beta * variance.ln()).exp()
        }
        Dynamics::Garch | Dynamics::Gjr => {
            let reaction = alpha + if z < 0.0 { gamma } else { 0.0 };
            omega + (reaction * z * z + beta) * variance
        }
    }
}
