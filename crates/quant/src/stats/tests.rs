//! Goldens by NumPy and SciPy; refusals; scale and order.

use proptest::prelude::*;

use super::*;
use crate::sample::{near, panel};

fn series(values: &[f64]) -> Series<'_> {
    Series::try_new("returns", values, 1).unwrap()
}

#[test]
fn moments_and_quantile_agree_with_numpy_and_scipy() {
    let r = &panel(5, 60, 7)[0];
    let s = series(r);
    near(s.mean(), 0.0007975199327087058, 1e-13);
    near(s.variance(1).unwrap(), 4.093658320161044e-05, 1e-13);
    near(s.skewness().unwrap(), 0.03760880991823202, 1e-11);
    near(s.excess_kurtosis().unwrap(), -0.9636265593378575, 1e-12);
    near(s.quantile(0.05).unwrap(), -0.00863823826534955, 1e-13);
}

#[test]
fn kurtosis_of_a_fair_coin_is_excess_and_negative_two() {
    let coin = [1.0, -1.0, 1.0, -1.0];
    near(series(&coin).excess_kurtosis().unwrap(), -2.0, 1e-14);
}

#[test]
fn nan_and_infinity_are_refused_with_index_and_value() {
    let error = Series::try_new("returns", &[0.1, f64::NAN], 1).unwrap_err();
    assert_eq!(error.to_string(), "returns[1] is NaN; every value must be finite");
    let error = Series::try_new("returns", &[f64::NEG_INFINITY], 1).unwrap_err();
    assert_eq!(error.to_string(), "returns[0] is -inf; every value must be finite");
}

#[test]
fn a_huge_value_is_refused_and_the_largest_allowed_has_moments() {
    let error = Series::try_new("returns", &[0.0, 1e31], 1).unwrap_err();
    assert_eq!(error.to_string(), "returns[1] is 1e31; values must not exceed 1e30 in size");
    let edge = [1e30, -1e30, 1e30, 0.0];
    assert!(series(&edge).excess_kurtosis().unwrap().is_finite(), "fourth powers fit");
}

#[test]
fn an_empty_or_short_series_is_refused_with_both_numbers() {
    let error = Series::try_new("returns", &[], 0).unwrap_err();
    assert_eq!(error.to_string(), "returns has 0 values; at least 1 are needed");
    let error = Series::try_new("returns", &[0.1], 2).unwrap_err();
    assert_eq!(error, StatsError::TooShort { series: "returns", len: 1, required: 2 });
    let one = [0.1];
    assert_eq!(
        series(&one).variance(1).unwrap_err(),
        StatsError::TooShort { series: "returns", len: 1, required: 2 }
    );
}

#[test]
fn a_constant_series_has_no_variance_rather_than_rounding_noise() {
    let flat = [0.1; 7];
    let s = series(&flat);
    assert!(s.variance(1).unwrap() == 0.0, "exactly zero");
    assert_eq!(s.skewness().unwrap_err(), StatsError::Constant { series: "returns" });
    assert_eq!(s.excess_kurtosis().unwrap_err(), StatsError::Constant { series: "returns" });
}

#[test]
fn a_probability_in_percent_is_refused() {
    let error = series(&[1.0]).quantile(95.0).unwrap_err();
    assert_eq!(error.to_string(), "probability 95 must be between 0 and 1");
    assert!(series(&[1.0]).quantile(f64::NAN).is_err(), "NaN is no probability");
}

#[test]
fn misaligned_assets_are_refused_with_both_lengths() {
    let error = AssetReturns::try_new(vec![vec![0.1, 0.2], vec![0.1]], 1).unwrap_err();
    assert_eq!(error, StatsError::MisalignedAsset { asset: 1, len: 1, required: 2 });
    let error = AssetReturns::try_new(Vec::new(), 1).unwrap_err();
    assert_eq!(error, StatsError::TooShort { series: "assets", len: 0, required: 1 });
    let error = AssetReturns::try_new(vec![vec![0.1, f64::INFINITY]], 1).unwrap_err();
    assert_eq!(error, StatsError::AssetValue { asset: 0, period: 1, value: f64::INFINITY });
}

proptest! {
    #[test]
    fn moments_follow_scale_and_do_not_see_it_in_shape(
        values in prop::collection::vec(-1.0..1.0_f64, 5..60),
        power in -8..8_i32,
    ) {
        let scale = 10.0_f64.powi(power);
        let scaled: Vec<f64> = values.iter().map(|v| v * scale).collect();
        let (a, b) = (series(&values), series(&scaled));
        let variance = a.variance(1).unwrap() * scale * scale;
        prop_assert!((b.variance(1).unwrap() - variance).abs() <= 1e-10 * variance);
        let (skewness, other) = (a.skewness().unwrap(), b.skewness().unwrap());
        prop_assert!((skewness - other).abs() < 1e-9);
    }

    #[test]
    fn order_does_not_change_a_quantile(
        values in prop::collection::vec(-1.0..1.0_f64, 1..40),
        probability in 0.0..=1.0_f64,
    ) {
        let mut reversed = values.clone();
        reversed.reverse();
        let (a, b) = (series(&values).quantile(probability), series(&reversed).quantile(probability));
        prop_assert_eq!(a.unwrap().to_bits(), b.unwrap().to_bits());
    }
}
