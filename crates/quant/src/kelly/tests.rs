//! Goldens by hand and by SciPy; refusals; that no other stake grows faster.

use proptest::prelude::*;

use super::*;
use crate::sample::near;

fn bet(p: f64, win: f64, loss: f64) -> BinaryBet {
    BinaryBet::try_new(p, win, loss).unwrap()
}

#[test]
fn an_even_bet_at_sixty_percent_stakes_a_fifth() {
    let sizing = bet(0.6, 1.0, -1.0).size(1.0, 1.0).unwrap();
    near(sizing.full_fraction, 0.2, 1e-14);
    near(sizing.edge, 0.2, 1e-14);
    assert_eq!(sizing.decision, Decision::Bet);
    assert!(!sizing.is_capped, "a cap of one does not bind");
}

#[test]
fn fraction_growth_and_shares_agree_with_numpy() {
    let bet = bet(0.55, 1.2, -0.9);
    let half = bet.size(0.5, 1.0).unwrap();
    near(half.full_fraction, 0.23611111111111116, 1e-14);
    near(half.growth_full.unwrap(), 0.029702114070313743, 1e-12);
    near(half.growth, 0.02232091743707957, 1e-12);
    near(half.growth_share.unwrap(), 0.7514925497976109, 1e-12);
    near(half.growth_share_gaussian.unwrap(), 0.75, 1e-12);
    let quarter = bet.size(0.25, 1.0).unwrap();
    near(quarter.growth_share.unwrap(), 0.4402297154788405, 1e-12);
    near(quarter.growth_share_gaussian.unwrap(), 0.4375, 1e-12);
}

#[test]
fn a_loss_with_a_positive_sign_is_refused_and_not_flipped() {
    let error = BinaryBet::try_new(0.6, 1.0, 1.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "loss_return 1 must be negative and finite, from -1e30 to -1e-30: a loss of 5 % is -0.05"
    );
}

#[test]
fn a_probability_in_percent_is_refused() {
    let error = BinaryBet::try_new(1.2, 1.0, -1.0).unwrap_err();
    assert_eq!(error.to_string(), "win_probability 1.2 must be between 0 and 1");
    assert!(BinaryBet::try_new(f64::NAN, 1.0, -1.0).is_err(), "NaN");
    assert!(BinaryBet::try_new(-0.1, 1.0, -1.0).is_err(), "negative");
}

#[test]
fn returns_that_are_not_numbers_are_refused() {
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
        assert!(matches!(BinaryBet::try_new(0.5, value, -1.0), Err(KellyError::WinReturn(_))));
        assert!(matches!(BinaryBet::try_new(0.5, 1.0, -value), Err(KellyError::LossReturn(_))));
    }
}

#[test]
fn a_negative_edge_is_skipped_and_its_size_still_shown() {
    let sizing = bet(0.4, 1.0, -1.0).size(0.25, 1.0).unwrap();
    assert_eq!(sizing.decision, Decision::Skip);
    near(sizing.uncapped_fraction, -0.2, 1e-14);
    assert!(sizing.fraction == 0.0 && sizing.full_fraction == 0.0, "nothing is staked");
    assert!(sizing.growth == 0.0 && sizing.growth_share.is_none(), "nothing grows");
    assert!(sizing.edge < 0.0, "the edge says why");
}

#[test]
fn the_uncapped_fraction_is_shown_beside_a_binding_cap() {
    let sizing = bet(0.6, 0.1, -0.05).size(1.0, 0.5).unwrap();
    near(sizing.uncapped_fraction, 8.0, 1e-12);
    near(sizing.fraction, 0.5, 1e-14);
    assert!(sizing.is_capped, "half is below eight");
}

#[test]
fn a_certain_win_has_a_finite_limit_and_no_maximum() {
    let sizing = bet(1.0, 1.0, -0.5).size(0.5, 10.0).unwrap();
    near(sizing.full_fraction, 2.0, 1e-14);
    assert!(sizing.growth.is_finite(), "no infinity");
    assert!(sizing.growth_full.is_none() && sizing.growth_share.is_none(), "no maximum");
}

#[test]
fn a_stake_that_ruins_is_refused_with_the_ruinous_one() {
    let error = bet(0.6, 1.0, -0.5).growth(2.0).unwrap_err();
    assert_eq!(error, KellyError::Ruinous { fraction: 2.0, ruin: 2.0 });
    assert!(matches!(bet(0.6, 1.0, -0.5).growth(-0.1), Err(KellyError::Fraction(_))));
    assert!(matches!(bet(0.6, 1.0, -0.5).growth(f64::NAN), Err(KellyError::Fraction(_))));
}

#[test]
fn multiplier_and_cap_out_of_range_are_refused() {
    let bet = bet(0.6, 1.0, -1.0);
    for value in [0.0, 1.5, -1.0, f64::NAN] {
        assert!(matches!(bet.size(value, 1.0), Err(KellyError::Multiplier(_))), "{value}");
    }
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(bet.size(0.5, value), Err(KellyError::Cap(_))), "{value}");
    }
}

fn outcomes(pairs: &[(f64, f64)]) -> Vec<Outcome> {
    let outcome = |(probability, simple_return): &(f64, f64)| Outcome {
        probability: *probability,
        simple_return: *simple_return,
    };
    pairs.iter().map(outcome).collect()
}

#[test]
fn several_outcomes_agree_with_scipy() {
    let sizing =
        size_outcomes(&outcomes(&[(0.1, -0.5), (0.3, -0.1), (0.4, 0.2), (0.2, 0.6)])).unwrap();
    near(sizing.full_fraction, 1.0562167332112367, 1e-7);
    near(sizing.growth_full, 0.06624359646624356, 1e-12);
    near(sizing.ruin_fraction, 2.0, 1e-14);
}

#[test]
fn outcomes_without_a_loss_have_no_maximum() {
    let all_wins = outcomes(&[(0.5, 0.1), (0.5, 0.2), (0.0, -0.5)]);
    assert_eq!(size_outcomes(&all_wins).unwrap_err(), KellyError::NoLoss);
}

#[test]
fn outcomes_that_are_no_distribution_are_refused() {
    assert_eq!(
        size_outcomes(&outcomes(&[(0.5, 0.1), (0.4, -0.1)])).unwrap_err(),
        KellyError::ProbabilitySum(0.9)
    );
    assert!(matches!(size_outcomes(&[]), Err(KellyError::OutcomeCount { len: 0, .. })));
    let bad = outcomes(&[(0.5, f64::NAN), (0.5, -0.1)]);
    assert!(matches!(size_outcomes(&bad), Err(KellyError::OutcomeReturn { index: 0, .. })));
    let bad = outcomes(&[(0.5, 0.1), (1.5, -0.1)]);
    assert!(matches!(size_outcomes(&bad), Err(KellyError::OutcomeProbability { index: 1, .. })));
}

proptest! {
    #[test]
    fn no_other_stake_grows_faster(
        p in 0.01..0.99_f64, win in 0.01..5.0_f64, loss in 0.01..5.0_f64, share in 0.0..1.0_f64,
    ) {
        let bet = bet(p, win, -loss);
        let full = bet.size(1.0, 1e6).unwrap();
        let other = bet.growth(share / loss * 0.999).unwrap();
        prop_assert!(other <= full.growth + 1e-12);
        prop_assert!(full.growth >= 0.0 && full.fraction >= 0.0 && full.fraction * loss < 1.0);
    }

    #[test]
    fn two_outcomes_are_the_binary_bet(p in 0.05..0.95_f64, win in 0.05..5.0_f64, loss in 0.05..5.0_f64) {
        let sizing = size_outcomes(&outcomes(&[(p, win), (1.0 - p, -loss)])).unwrap();
        let binary = bet(p, win, -loss).size(1.0, 1e6).unwrap();
        prop_assert!((sizing.full_fraction - binary.full_fraction).abs() < 1e-7);
        prop_assert_eq!(sizing.decision, binary.decision);
    }
}
