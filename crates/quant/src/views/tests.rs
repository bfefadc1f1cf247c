//! Black-Litterman against PyPortfolioOpt, and what views may not be.

use proptest::prelude::*;

use super::*;
use crate::{
    covariance::CovarianceEstimator,
    portfolio::estimate,
    sample::{near, returns},
};

fn covariance() -> Covariance {
    let estimates = estimate(&returns(5, 60, 7), CovarianceEstimator::Sample).unwrap();
    estimates.covariance().clone()
}

fn market() -> Prior {
    Prior::Equilibrium {
        market_weights: vec![0.3, 0.25, 0.2, 0.15, 0.1],
        risk_aversion: 2.5,
        risk_free: 0.0001,
    }
}

fn views() -> Vec<View> {
    vec![
        View { loadings: vec![1.0, 0.0, 0.0, 0.0, 0.0], expected_return: 0.002 },
        View { loadings: vec![0.0, 0.0, 1.0, -1.0, 0.0], expected_return: 0.001 },
    ]
}

fn take(uncertainty: &Uncertainty) -> Result<Posterior, ViewError> {
    black_litterman(&covariance(), &market(), (&views(), uncertainty), 0.05)
}

#[test]
fn the_posterior_agrees_with_pyportfolioopt() {
    // PyPortfolioOpt 1.6.0, BlackLittermanModel with omega None, "idzorek" and given.
    for (uncertainty, mean, first, pair) in [
        (
            Uncertainty::Proportional,
            [0.0010785458764047487, 0.0003038475705640834, 0.0008165860285401789],
            4.19598312050756e-05,
            7.449230881411503e-06,
        ),
        (
            Uncertainty::Confidences(vec![0.6, 0.25]),
            [0.001261609085239669, 0.00034228228531459765, 0.000683165392900077],
            4.175526156460885e-05,
            7.151883048051495e-06,
        ),
        (
            Uncertainty::Variances(vec![1e-6, 4e-6]),
            [0.0013956974655732965, 0.00035525349499184475, 0.00101124656488606],
            4.1608279672837446e-05,
            7.597863066866012e-06,
        ),
    ] {
        let found = take(&uncertainty).unwrap();
        for (value, expected) in found.estimates.mean().iter().zip(mean) {
            near(*value, expected, 1e-10);
        }
        near(found.estimates.covariance().at(0, 0).unwrap(), first, 1e-10);
        near(found.estimates.covariance().at(2, 3).unwrap(), pair, 1e-10);
        near(found.prior[0], 0.00015101425534129492, 1e-10);
    }
    let rows = Uncertainty::Covariance(vec![vec![1e-6, 0.0], vec![0.0, 4e-6]]);
    let given = take(&Uncertainty::Variances(vec![1e-6, 4e-6])).unwrap();
    assert_eq!(take(&rows).unwrap(), given);
}

#[test]
fn certainty_is_met_exactly_and_no_confidence_changes_nothing() {
    let found = take(&Uncertainty::Confidences(vec![1.0, 0.0])).unwrap();
    near(found.estimates.mean()[0], 0.002, 1e-12);
    assert!(found.mean_uncertainty[0][0].abs() < 1e-18);
    let none = take(&Uncertainty::Confidences(vec![0.0, 0.0])).unwrap();
    assert_eq!(none.estimates.mean(), none.prior);
    let half = take(&Uncertainty::Confidences(vec![0.5, 0.5])).unwrap();
    let same = take(&Uncertainty::Proportional).unwrap();
    near(half.estimates.mean()[1], same.estimates.mean()[1], 1e-12);
    let without =
        black_litterman(&covariance(), &market(), (&[], &Uncertainty::Proportional), 0.05);
    assert_eq!(without.unwrap().estimates.mean(), none.prior);
}

#[test]
fn what_cannot_be_a_view_is_refused_with_its_number() {
    let message = |uncertainty| take(&uncertainty).unwrap_err().to_string();
    assert_eq!(
        message(Uncertainty::Confidences(vec![0.5, 1.5])),
        "confidence of view 1 is 1.5; it must be between 0 and 1"
    );
    assert!(
        message(Uncertainty::Confidences(vec![f64::NAN, 1.0])).starts_with("confidence of view 0")
    );
    assert_eq!(message(Uncertainty::Variances(vec![1.0])), "variance has 1 entries; 2 are needed");
    assert!(
        message(Uncertainty::Variances(vec![1.0, -1.0])).starts_with("variance of view 1 is -1")
    );
    let indefinite = Uncertainty::Covariance(vec![vec![1.0, 2.0], vec![2.0, 1.0]]);
    assert!(message(indefinite).starts_with("the covariance matrix is not positive"));
    let of = |views: Vec<View>, prior: &Prior, tau| {
        let taken = black_litterman(
            &covariance(),
            prior,
            (&views, &Uncertainty::Confidences(vec![1.0; views.len()])),
            tau,
        );
        taken.unwrap_err().to_string()
    };
    let view = |loadings: Vec<f64>, expected_return| View { loadings, expected_return };
    assert_eq!(
        of(vec![view(vec![0.0; 5], 0.1)], &market(), 0.05),
        "view 0 has no loading on any asset"
    );
    assert!(
        of(vec![view(vec![1.0; 4], 0.1)], &market(), 0.05).starts_with("loadings has 4 entries")
    );
    assert!(
        of(vec![view(vec![1.0; 5], f64::INFINITY)], &market(), 0.05).contains("must be finite")
    );
    assert_eq!(of(views(), &market(), 0.0), "tau 0 must be positive and finite");
    let twice = vec![views().remove(0), views().remove(0)];
    assert!(of(twice, &market(), 0.05).starts_with("view 1 has no uncertainty"));
    assert!(of(views(), &Prior::Mean(vec![0.1]), 0.05).starts_with("mean has 1 entries"));
    let market_weights = vec![0.1; 5];
    let prior = Prior::Equilibrium { market_weights, risk_aversion: 2.5, risk_free: 0.0 };
    assert_eq!(of(views(), &prior, 0.05), "market weights sum to 0.5; they must sum to 1");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn more_confidence_comes_closer_to_the_view(
        low in 0.01..0.98_f64,
        step in 0.01..0.5_f64,
        expected_return in -0.01..0.01_f64,
    ) {
        let high = (low + step).min(1.0);
        let view = View { loadings: vec![0.0, 1.0, 0.0, -0.5, 0.0], expected_return };
        let distance = |confidence: f64| {
            let uncertainty = Uncertainty::Confidences(vec![confidence]);
            let views = [view.clone()];
            let found = black_litterman(&covariance(), &market(), (&views, &uncertainty), 0.1).unwrap();
            let mean = found.estimates.mean();
            (mean[1] - 0.5 * mean[3] - expected_return).abs()
        };
        prop_assert!(distance(high) <= distance(low) + 1e-15);
    }
}
