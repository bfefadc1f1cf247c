//! From a proven maximum to coefficients on the user's scale, with their errors.

use nalgebra::DMatrix;

use super::{
    Coefficients, Dynamics, Errors, GarchFit, Likelihood, LimitReached, next_variance_after,
};
use crate::search::Minimum;

/// How the returns were standardised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rescale {
    pub(super) centre: f64,
    pub(super) scale: f64,
}

pub(super) fn describe(
    likelihood: &Likelihood<'_>,
    minimum: &Minimum,
    limits: Vec<LimitReached>,
    back: Rescale,
) -> GarchFit {
    let layout = &likelihood.layout;
    let count = likelihood.returns.len();
    let area = back.scale * back.scale;
    let (mut variances, mut standardised) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut scores = DMatrix::zeros(layout.len, layout.len);
    let nu = layout.heaviness.map_or(0.0, |place| minimum.point[place].recip());
    let walked = likelihood.walk(
        &minimum.point,
        |residual, variance| {
            variances.push(variance * area);
            standardised.push(residual / variance.sqrt());
        },
        |mut score, share| {
            score[5] += 0.5 * nu * nu * share.ln_1p();
            for (i, a) in layout.places() {
                for (j, b) in layout.places() {
                    scores[(i, j)] += score[a] * score[b];
                }
            }
        },
    );
    let log_likelihood = -walked.value - count as f64 * back.scale.ln();
    let parameters = layout.len as f64;
    let mut fit = GarchFit {
        specification: layout.specification,
        observations: count,
        coefficients: coefficients(likelihood, minimum, back),
        errors: errors(likelihood, minimum, &scores, back),
        limits,
        log_likelihood,
        aic: 2.0 * parameters - 2.0 * log_likelihood,
        bic: parameters * (count as f64).ln() - 2.0 * log_likelihood,
        backcast: likelihood.backcast * area,
        variances,
        standardised,
        next_variance: 0.0,
        steps: minimum.steps,
    };
    if let (Some(variance), Some(z)) = (fit.variances.last(), fit.standardised.last()) {
        fit.next_variance = next_variance_after(&fit, *variance, *z);
    }
    fit
}

fn coefficients(likelihood: &Likelihood<'_>, minimum: &Minimum, back: Rescale) -> Coefficients {
    let layout = &likelihood.layout;
    let point = layout.point(&minimum.point);
    let omega = match layout.specification.dynamics {
        Dynamics::Egarch => point.omega + (1.0 - point.beta) * 2.0 * back.scale.ln(),
        Dynamics::Garch | Dynamics::Gjr => point.omega * back.scale * back.scale,
    };
    Coefficients {
        mean: layout.mean.map(|_| back.centre + point.mean * back.scale),
        omega: Some(omega),
        alpha: Some(point.alpha),
        gamma: layout.gamma.map(|_| point.gamma),
        beta: Some(point.beta),
        degrees_of_freedom: layout.heaviness.map(|_| point.heaviness.recip()),
    }
}

/// Standard errors by the delta method from the vector of the search.
fn errors(
    likelihood: &Likelihood<'_>,
    minimum: &Minimum,
    scores: &DMatrix<f64>,
    back: Rescale,
) -> Errors {
    let layout = &likelihood.layout;
    let mut jacobian = DMatrix::identity(layout.len, layout.len);
    if let Some(mean) = layout.mean {
        jacobian[(mean, mean)] = back.scale;
    }
    match layout.specification.dynamics {
        Dynamics::Egarch => jacobian[(layout.omega, layout.beta)] = -2.0 * back.scale.ln(),
        Dynamics::Garch | Dynamics::Gjr => {
            jacobian[(layout.omega, layout.omega)] = back.scale * back.scale;
        }
    }
    if let Some(heaviness) = layout.heaviness {
        jacobian[(heaviness, heaviness)] = minimum.point[heaviness].powi(-2);
    }
    let covariance = minimum.covariance();
    let sandwich = &covariance * scores * &covariance;
    let of = |covariance: &DMatrix<f64>| {
        let scaled = &jacobian * covariance * jacobian.transpose();
        let error = |place: usize| Some(scaled[(place, place)].sqrt()).filter(|e| *e > 0.0);
        Coefficients {
            mean: layout.mean.and_then(error),
            omega: error(layout.omega),
            alpha: error(layout.alpha),
            gamma: layout.gamma.and_then(error),
            beta: error(layout.beta),
            degrees_of_freedom: layout.heaviness.and_then(error),
        }
    };
    Errors { classic: of(&covariance), robust: of(&sandwich) }
}
