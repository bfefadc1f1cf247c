//! Known minima, inside and on constraints; what has none is an error.

use super::*;
use crate::sample::near;

struct Function<F>(F);

impl<F: Fn(&[f64], &mut [f64]) -> f64> Objective for Function<F> {
    fn evaluate(&self, point: &[f64], gradient: &mut [f64]) -> f64 {
        (self.0)(point, gradient)
    }
}

fn rosenbrock(x: &[f64], g: &mut [f64]) -> f64 {
    let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
    g[0] = -2.0 * a - 400.0 * x[0] * b;
    g[1] = 200.0 * b;
    a * a + 100.0 * b * b
}

#[test]
fn the_banana_valley_is_walked_to_its_end() {
    let found = minimise(&Function(rosenbrock), &[-1.2, 1.0], &[], SMOOTH).unwrap();
    near(found.point[0], 1.0, 1e-6);
    near(found.point[1], 1.0, 1e-6);
    assert!(found.active.is_empty(), "{found:?}");
}

#[test]
fn a_constraint_that_binds_is_named_and_one_that_does_not_is_left() {
    // The minimum of the valley under x <= 0.5 is (0.5, 0.25).
    let walls = [Constraint::at_most(0, 0.5), Constraint::at_least(1, -5.0)];
    let found = minimise(&Function(rosenbrock), &[-1.2, 1.0], &walls, SMOOTH).unwrap();
    near(found.point[0], 0.5, 1e-12);
    near(found.point[1], 0.25, 1e-7);
    assert_eq!(found.active, [0]);
    // Started on a wall that does not hold at the end.
    let found = minimise(&Function(rosenbrock), &[0.5, -5.0], &walls[1..], SMOOTH).unwrap();
    assert!(found.active.is_empty(), "{found:?}");
    near(found.point[0], 1.0, 1e-6);
}

#[test]
fn a_sum_can_be_bounded() {
    let bowl = |x: &[f64], g: &mut [f64]| {
        g[0] = 2.0 * (x[0] - 1.0);
        g[1] = 2.0 * (x[1] - 2.0);
        (x[0] - 1.0).powi(2) + (x[1] - 2.0).powi(2)
    };
    let wall = Constraint { terms: vec![(0, -1.0), (1, -1.0)], lower: -2.0 };
    let found = minimise(&Function(bowl), &[0.0, 0.0], &[wall], SMOOTH).unwrap();
    near(found.point[0], 0.5, 1e-9);
    near(found.point[1], 1.5, 1e-9);
    assert_eq!(found.active, [0]);
}

#[test]
fn what_has_no_minimum_is_an_error() {
    let slope = |x: &[f64], g: &mut [f64]| {
        g[0] = 1.0;
        x[0]
    };
    assert!(minimise(&Function(slope), &[0.0], &[], SMOOTH).is_err());
    let falling = |x: &[f64], g: &mut [f64]| {
        g[0] = -(-x[0]).exp();
        (-x[0]).exp()
    };
    assert!(minimise(&Function(falling), &[0.0], &[], SMOOTH).is_err());
    let flat = |x: &[f64], g: &mut [f64]| {
        g[0] = 2.0 * (x[0] + x[1]);
        g[1] = g[0];
        (x[0] + x[1]).powi(2)
    };
    let error = minimise(&Function(flat), &[1.0, 1.0], &[], SMOOTH).unwrap_err().error;
    assert!(matches!(error, SearchError::Flat { .. }), "{error}");
    let nothing = |_: &[f64], _: &mut [f64]| f64::NAN;
    let failure = minimise(&Function(nothing), &[0.0], &[], SMOOTH).unwrap_err();
    assert_eq!(failure.error, SearchError::Start);
}
