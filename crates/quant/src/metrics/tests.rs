//! Goldens by NumPy; undefined ratios; drawdown from the start; refusals.

use proptest::prelude::*;

use super::*;
use crate::sample::{near, panel, returns};

fn crypto() -> Basis {
    Basis::try_new(365.0, 0.03, 0.05).unwrap()
}

#[test]
fn performance_agrees_with_numpy() {
    let p = performance(&panel(5, 60, 7)[0], &crypto()).unwrap();
    near(p.sharpe.unwrap(), 2.13957353516173, 1e-12);
    near(p.sortino.unwrap(), 3.1182229908003807, 1e-12);
    near(p.max_drawdown, 0.03325473891318931, 1e-12);
    near(p.cagr.unwrap(), 0.3279613129996477, 1e-12);
    near(p.calmar.unwrap(), 9.862092553358568, 1e-12);
    near(p.volatility_annual, 0.12223687196827236, 1e-12);
    near(p.mean_annual, 0.0007975199327087058 * 365.0, 1e-12);
}

#[test]
fn benchmark_and_correlations_agree_with_numpy() {
    let r = panel(5, 60, 7);
    let fit = benchmark_fit(&r[0], &r[1], &crypto()).unwrap();
    near(fit.beta, 0.109885490172384, 1e-12);
    near(fit.alpha_annual, 0.26895305957374493, 1e-12);
    near(fit.correlation.unwrap(), 0.1381527347238379, 1e-12);
    let matrix = correlation_matrix(&returns(5, 60, 7)).unwrap();
    near(matrix.at(2, 4).unwrap(), 0.104607713293, 1e-10);
    let largest = matrix.largest_absolute().unwrap();
    assert_eq!((largest.first, largest.second), (3, 4));
    near(largest.correlation, 0.456373676428, 1e-10);
}

#[test]
fn the_largest_correlation_is_the_largest_in_size_not_in_sign() {
    let up = vec![0.01, -0.02, 0.03, 0.0];
    let down: Vec<f64> = up.iter().map(|r| -r).collect();
    let other = vec![0.01, -0.01, 0.03, 0.01];
    let matrix =
        correlation_matrix(&AssetReturns::try_new(vec![up, other, down], 2).unwrap()).unwrap();
    let largest = matrix.largest_absolute().unwrap();
    assert_eq!((largest.first, largest.second), (0, 2));
    near(largest.correlation, -1.0, 1e-12);
    assert_eq!(matrix.asset_count(), 3, "assets are correlated, not periods");
}

#[test]
fn drawdown_counts_the_starting_wealth() {
    near(max_drawdown(&[-0.1, 0.05]).unwrap(), 0.1, 1e-12);
    near(max_drawdown(&[-1.0, 0.5]).unwrap(), 1.0, 1e-15);
    let none = max_drawdown(&[0.1, 0.2]).unwrap();
    assert!(none == 0.0 && none.is_sign_positive(), "wealth never fell");
}

#[test]
fn sortino_averages_over_all_periods() {
    let basis = Basis::try_new(1.0, 0.0, 0.0).unwrap();
    let p = performance(&[0.1, 0.1, 0.1, -0.1], &basis).unwrap();
    near(p.sortino.unwrap(), 0.05 / (0.01_f64 / 4.0).sqrt(), 1e-12);
}

#[test]
fn ratios_without_a_denominator_are_none() {
    let p = performance(&[0.01; 10], &crypto()).unwrap();
    assert!(p.sharpe.is_none() && p.sortino.is_none() && p.calmar.is_none(), "{p:?}");
    assert!(p.volatility_annual == 0.0, "a constant series has no deviation");
}

#[test]
fn the_annual_risk_free_rate_is_brought_to_one_period() {
    near(crypto().risk_free_per_period(), 1.03_f64.powf(1.0 / 365.0) - 1.0, 1e-9);
    let hourly = Basis::try_new(8760.0, 0.03, 0.0).unwrap();
    assert!(hourly.risk_free_per_period() < crypto().risk_free_per_period() / 20.0);
}

#[test]
fn growth_that_cannot_be_written_down_is_none() {
    let p = performance(&[1e20, 1e20], &Basis::try_new(8760.0, 0.0, 0.0).unwrap()).unwrap();
    assert!(p.cagr.is_none() && p.calmar.is_none(), "{p:?}");
    let p = performance(&[-1.0, 0.5], &crypto()).unwrap();
    near(p.cagr.unwrap(), -1.0, 1e-15);
}

#[test]
fn a_missing_calendar_or_rate_is_refused() {
    for periods in [0.0, -252.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(Basis::try_new(periods, 0.0, 0.0), Err(MetricsError::PeriodsPerYear(_))));
    }
    let error = Basis::try_new(365.0, f64::NAN, 0.0).unwrap_err();
    assert!(matches!(error, MetricsError::AnnualRate { field: "risk_free_annual", .. }));
    let error = Basis::try_new(365.0, 0.0, -1.0).unwrap_err();
    assert_eq!(error, MetricsError::AnnualRate { field: "target_annual", value: -1.0 });
}

#[test]
fn unusable_returns_are_refused() {
    let error = performance(&[0.1, f64::NAN], &crypto()).unwrap_err();
    assert_eq!(error.to_string(), "returns[1] is NaN; every value must be finite");
    let error = performance(&[0.1], &crypto()).unwrap_err();
    assert_eq!(error.to_string(), "returns has 1 values; at least 2 are needed");
    let error = performance(&[0.1, -1.2], &crypto()).unwrap_err();
    assert!(matches!(error, MetricsError::BelowTotalLoss { index: 1, .. }), "{error}");
    let error = benchmark_fit(&[0.1, 0.2], &[0.1, 0.2, 0.3], &crypto()).unwrap_err();
    assert!(matches!(error, MetricsError::Returns(StatsError::Misaligned { len: 3, .. })));
    let error = benchmark_fit(&[0.1, 0.2], &[0.1, 0.1], &crypto()).unwrap_err();
    assert_eq!(error, MetricsError::Returns(StatsError::Constant { series: "benchmark" }));
}

#[test]
fn a_constant_portfolio_has_no_correlation_and_a_beta_of_zero() {
    let fit = benchmark_fit(&[0.1, 0.1], &[0.1, 0.2], &crypto()).unwrap();
    assert!(fit.correlation.is_none() && fit.beta == 0.0, "{fit:?}");
    assert_eq!(correlation(&[0.1, 0.1], &[0.1, 0.2]).unwrap(), None);
}

#[test]
fn a_portfolio_is_the_weighted_sum_of_aligned_assets() {
    let assets = AssetReturns::try_new(vec![vec![0.1, -0.1], vec![0.0, 0.2]], 1).unwrap();
    let series = portfolio_returns(&assets, &[0.25, 0.75]).unwrap();
    near(series[0], 0.025, 1e-14);
    near(series[1], 0.125, 1e-14);
    let error = portfolio_returns(&assets, &[1.0]).unwrap_err();
    assert!(matches!(error, StatsError::Misaligned { len: 1, required: 2, .. }), "{error}");
    assert!(portfolio_returns(&assets, &[f64::NAN, 1.0]).is_err(), "NaN weight");
}

#[test]
fn concentration_sees_leverage_and_shorts() {
    let c = concentration(&[1.0, -0.5, 0.5]).unwrap();
    near(c.gross_exposure, 2.0, 1e-14);
    near(c.net_exposure, 1.0, 1e-14);
    near(c.largest_share, 0.5, 1e-14);
    near(c.herfindahl, 0.375, 1e-14);
    near(c.effective_assets, 8.0 / 3.0, 1e-14);
    assert_eq!(concentration(&[0.0, 0.0]).unwrap_err(), MetricsError::NoExposure);
}

proptest! {
    #[test]
    fn correlations_and_drawdowns_stay_in_range(
        a in prop::collection::vec(-0.9..3.0_f64, 3..40), scale in 1e-6..1.0_f64,
    ) {
        let b: Vec<f64> = a.iter().map(|r| r * scale).collect();
        if let Some(rho) = correlation(&a, &b).unwrap() {
            prop_assert!((-1.0..=1.0).contains(&rho) && rho > 0.999_999);
        }
        let fall = max_drawdown(&a).unwrap();
        prop_assert!((0.0..=1.0).contains(&fall));
    }

    #[test]
    fn sharpe_does_not_see_the_scale_of_excess_returns(
        a in prop::collection::vec(-0.5..0.5_f64, 3..40), scale in 1e-4..1.0_f64,
    ) {
        let basis = Basis::try_new(365.0, 0.0, 0.0).unwrap();
        let b: Vec<f64> = a.iter().map(|r| r * scale).collect();
        let (a, b) = (performance(&a, &basis).unwrap(), performance(&b, &basis).unwrap());
        let (a, b) = (a.sharpe.unwrap(), b.sharpe.unwrap());
        prop_assert!((a - b).abs() <= 1e-9 * a.abs().max(1.0));
    }
}
