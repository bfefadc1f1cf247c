//! Goldens by NumPy 2.4.6 and SciPy 1.17.1; Euler's sums; derivatives by differences; refusals.

use super::*;
use crate::{
    sample::{near, returns},
    tail::{QuantileRule, historical},
};

const WEIGHTS: [f64; 3] = [0.5, -0.2, 0.7];
const MEAN: [f64; 3] = [0.001, -0.0005, 0.002];

fn at(level: f64) -> Confidence {
    Confidence::try_new(level).unwrap()
}

fn covariance() -> Vec<Vec<f64>> {
    let (s, rho) = ([0.01, 0.03, 0.02], [[1.0, 0.4, -0.2], [0.4, 1.0, 0.1], [-0.2, 0.1, 1.0]]);
    (0..3).map(|i| (0..3).map(|j| s[i] * s[j] * rho[i][j]).collect()).collect()
}

fn elliptical(weights: &[f64], shape: Shape, horizon: u32) -> Attribution {
    attribute_elliptical(weights, (&MEAN, &covariance()), shape, at(0.99), horizon).unwrap()
}

#[track_caller]
fn sums(attribution: &Attribution) {
    let sum = |f: fn(&Measures) -> f64| -> f64 {
        attribution.positions.iter().map(|p| f(&p.component)).sum()
    };
    near(sum(|m| m.value_at_risk), attribution.total.value_at_risk, 1e-10);
    near(sum(|m| m.expected_shortfall), attribution.total.expected_shortfall, 1e-10);
}

#[test]
fn normal_attribution_agrees_with_numpy() {
    let risk = elliptical(&WEIGHTS, Shape::Normal, 1);
    near(risk.total.value_at_risk, 0.02991423713524148, 1e-12);
    near(risk.total.expected_shortfall, 0.034563009167063466, 1e-12);
    let golden = [
        (-0.0013391523606295587, -0.0006695761803147793, -0.0027125804949286875),
        (-0.012726942064552799, 0.00254538841291056, -0.0005044204048465298),
        (0.040054892718065296, 0.028038424902645704, 0.01636361545458693),
    ];
    for (position, (marginal, component, incremental)) in risk.positions.iter().zip(golden) {
        near(position.marginal.value_at_risk, marginal, 1e-9);
        near(position.component.value_at_risk, component, 1e-9);
        near(position.incremental.value_at_risk, incremental, 1e-9);
    }
    sums(&risk);
}

#[test]
fn a_student_law_keeps_the_covariance_and_a_horizon_the_mean() {
    let risk = elliptical(&WEIGHTS, Shape::StudentT(5.0), 1);
    near(risk.total.value_at_risk, 0.0337570324567191, 1e-11);
    near(risk.total.expected_shortfall, 0.04531321374121284, 1e-11);
    sums(&risk);
    let ten = elliptical(&WEIGHTS, Shape::Normal, 10);
    let mean = 0.002;
    let one = elliptical(&WEIGHTS, Shape::Normal, 1).total.value_at_risk;
    near(ten.total.value_at_risk + 10.0 * mean, 10.0_f64.sqrt() * (one + mean), 1e-12);
    sums(&ten);
}

#[test]
fn marginals_are_derivatives() {
    for shape in [Shape::Normal, Shape::StudentT(4.0)] {
        let risk = elliptical(&WEIGHTS, shape, 3);
        for (i, position) in risk.positions.iter().enumerate() {
            let moved = |step: f64| {
                let mut weights = WEIGHTS;
                weights[i] += step;
                elliptical(&weights, shape, 3).total
            };
            let (up, down) = (moved(1e-6), moved(-1e-6));
            let slope = (up.expected_shortfall - down.expected_shortfall) / 2e-6;
            near(position.marginal.expected_shortfall, slope, 1e-6);
        }
    }
}

#[test]
fn historical_attribution_is_the_tail_of_the_portfolio() {
    let returns = returns(3, 500, 7);
    for level in [0.9, 0.95, 0.99, 0.999] {
        let risk = attribute_historical(&returns, &WEIGHTS, at(level)).unwrap();
        let portfolio = portfolio_returns(&returns, &WEIGHTS).unwrap();
        let tail = historical(&portfolio, QuantileRule::Linear, at(level), 1).unwrap();
        near(risk.total.value_at_risk, tail.value_at_risk, 1e-12);
        near(risk.total.expected_shortfall, tail.expected_shortfall, 1e-12);
        sums(&risk);
        let without = portfolio_returns(&returns, &[0.5, 0.0, 0.7]).unwrap();
        let rest = historical(&without, QuantileRule::Linear, at(level), 1).unwrap();
        let incremental = risk.positions[1].incremental.expected_shortfall;
        near(incremental, tail.expected_shortfall - rest.expected_shortfall, 1e-9);
    }
}

#[test]
fn what_cannot_be_attributed_is_refused() {
    let hedged = [[1e-4, 1e-4], [1e-4, 1e-4]].map(|row| row.to_vec());
    let run = |weights: &[f64], mean: &[f64], shape| {
        attribute_elliptical(weights, (mean, &hedged), shape, at(0.95), 1)
    };
    let error = run(&[1.0, -1.0], &[0.0; 2], Shape::Normal).unwrap_err();
    let constant = StatsError::Constant { series: "the portfolio's return" };
    assert_eq!(error, AttributionError::Series(constant));
    assert!(run(&[0.0, 0.0], &[0.0; 2], Shape::Normal).is_err());
    assert!(run(&[1.0, 1.0], &[0.0; 3], Shape::Normal).is_err());
    assert!(run(&[1.0, f64::NAN], &[0.0; 2], Shape::Normal).is_err());
    assert!(run(&[1.0], &[0.0], Shape::Normal).is_err());
    for nu in [2.0, f64::NAN] {
        let error = run(&[1.0, 1.0], &[0.0; 2], Shape::StudentT(nu)).unwrap_err();
        assert!(matches!(error, AttributionError::Freedom(_)), "{error}");
    }
    let never = attribute_elliptical(&[1.0], (&[0.0], &[vec![1.0]]), Shape::Normal, at(0.95), 0);
    assert_eq!(never.unwrap_err(), AttributionError::Horizon(0));
    assert!(attribute_historical(&returns(3, 50, 7), &[1.0], at(0.95)).is_err());
}
