//! Shares of risk.

use super::*;

#[test]
fn shares_of_risk_are_their_budgets() {
    let covariance = five().covariance().clone();
    // Damped Newton in NumPy to machine precision; skfolio and Riskfolio-Lib agree to 3e-5.
    let found = risk_parity(&covariance).unwrap();
    for (weight, expected) in found.weights.iter().zip([
        0.2364216406656814,
        0.21379645296647665,
        0.16217946215724727,
        0.257304393240477,
        0.13029805097011765,
    ]) {
        near(*weight, expected, 1e-10);
    }
    let found = risk_budgets(&covariance, &[0.1, 0.2, 0.3, 0.25, 0.15]).unwrap();
    for (weight, expected) in found.weights.iter().zip([
        0.1453737799294595,
        0.22114500958893138,
        0.2102752412961175,
        0.3153556259669015,
        0.10785034321859012,
    ]) {
        near(*weight, expected, 1e-10);
    }
    assert!(found.error < 1e-12, "{}", found.error);
}

#[test]
fn budgets_that_cannot_be_met_are_refused() {
    let covariance = five().covariance().clone();
    let refused = |budgets: &[f64]| risk_budgets(&covariance, budgets).unwrap_err().to_string();
    assert!(refused(&[0.5, 0.5]).starts_with("budgets has 2 entries"));
    assert!(refused(&[0.0, 0.25, 0.25, 0.25, 0.25]).starts_with("budgets[0] is 0"));
    assert_eq!(refused(&[0.1; 5]), "the budgets sum to 0.5; they must sum to 1");
    assert!(refused(&[f64::NAN; 5]).starts_with("budgets[0] is NaN"));
    let hedge = [vec![1.0, -1.0], vec![-1.0, 1.0]];
    let hedge = Estimates::try_new(vec![0.0; 2], &hedge).unwrap();
    assert_eq!(risk_parity(hedge.covariance()).unwrap_err(), PortfolioError::RisklessMix);
    let flat = Estimates::try_new(vec![0.0; 2], &[vec![1.0, 0.0], vec![0.0, 0.0]]).unwrap();
    let error = risk_parity(flat.covariance()).unwrap_err();
    assert_eq!(error.to_string(), "asset 1 is constant; its correlations are undefined");
}

#[test]
fn risk_parity_is_found_where_correlations_are_extreme() {
    for (assets, rho) in [(2, 0.999_999), (30, 0.9999), (3, -0.499_999), (50, 0.0)] {
        let rows: Vec<Vec<f64>> = (0..assets)
            .map(|i| {
                let own = |i: usize| [0.01, 0.1, 1.0, 10.0, 100.0][i % 5];
                (0..assets)
                    .map(|j| if i == j { own(i) * own(i) } else { rho * own(i) * own(j) })
                    .collect()
            })
            .collect();
        let estimates = Estimates::try_new(vec![0.0; assets], &rows).unwrap();
        let found = risk_parity(estimates.covariance()).unwrap();
        assert!(found.error < 1e-9, "{assets} {rho}: {}", found.error);
    }
}
