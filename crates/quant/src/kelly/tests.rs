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

fn exclusive(pairs: &[(f64, f64)]) -> Vec<ExclusiveBet> {
    let of = |(win_probability, win_return): &(f64, f64)| ExclusiveBet {
        win_probability: *win_probability,
        win_return: *win_return,
    };
    pairs.iter().map(of).collect()
}

#[test]
fn exclusive_bets_agree_with_scipy_and_insure_each_other() {
    // SciPy 1.17.1, SLSQP from twenty starts.
    let race = exclusive(&[(0.25, 3.5), (0.3, 2.6), (0.2, 3.0), (0.15, 9.0)]);
    let sizing = size_exclusive(&race, 1.0, 1.0).unwrap();
    let golden =
        [0.10185182896433896, 0.11481479083692538, 0.033333308456783325, 0.08333333160138072];
    for (stake, golden) in sizing.stakes.iter().zip(golden) {
        near(stake.full_fraction, golden, 1e-5);
    }
    near(sizing.growth_full, 0.02817861639749969, 1e-10);
    assert!(sizing.stakes[2].edge < 0.0, "a bet without an edge insures the others");
    let sizing =
        size_exclusive(&exclusive(&[(0.5, 1.1), (0.3, 2.0), (0.2, 3.0)]), 1.0, 1.0).unwrap();
    near(sizing.stakes[0].full_fraction, 0.5 - 0.5 / 1.1, 1e-12);
    assert!(sizing.stakes[1].full_fraction <= 0.0 && sizing.stakes[2].full_fraction <= 0.0);
}

#[test]
fn a_sure_gain_over_all_outcomes_stakes_everything() {
    let sizing = size_exclusive(&exclusive(&[(0.5, 1.2), (0.5, 1.2)]), 1.0, 1.0).unwrap();
    near(sizing.total, 1.0, 1e-12);
    near(sizing.growth_full, 0.09531017980432493, 1e-12);
}

#[test]
fn one_exclusive_bet_is_the_binary_one_and_shares_and_caps_scale_all() {
    let one = size_exclusive(&exclusive(&[(0.6, 1.0)]), 0.5, 1.0).unwrap();
    near(one.full_total, 0.2, 1e-12);
    near(one.total, 0.1, 1e-12);
    near(one.growth, bet(0.6, 1.0, -1.0).growth(0.1).unwrap(), 1e-12);
    let race = exclusive(&[(0.25, 3.5), (0.3, 2.6), (0.2, 3.0), (0.15, 9.0)]);
    let capped = size_exclusive(&race, 1.0, 0.1).unwrap();
    near(capped.total, 0.1, 1e-12);
    assert!(capped.is_capped && capped.growth < capped.growth_full);
    let none = size_exclusive(&exclusive(&[(0.4, 1.0), (0.3, 1.5)]), 1.0, 1.0).unwrap();
    assert_eq!(none.decision, Decision::Skip);
    assert!(none.total <= 0.0 && none.growth_full.abs() < 1e-15, "{none:?}");
}

#[test]
fn exclusive_bets_that_are_none_are_refused() {
    let refused = |pairs: &[(f64, f64)]| size_exclusive(&exclusive(pairs), 1.0, 1.0).unwrap_err();
    assert_eq!(refused(&[(0.75, 1.0), (0.5, 1.0)]), KellyError::ProbabilitySum(1.25));
    assert!(matches!(refused(&[]), KellyError::OutcomeCount { len: 0, .. }));
    let error = refused(&[(0.5, 1.0), (0.2, -1.0)]);
    assert_eq!(
        error.to_string(),
        "bets[1].win_return -1 must be positive and finite, from 1e-30 to 1e30"
    );
    assert!(matches!(refused(&[(f64::NAN, 1.0)]), KellyError::Exclusive { index: 0, .. }));
}

#[test]
fn a_sample_agrees_with_scipy_and_shows_the_cap() {
    let r = &crate::sample::panel(5, 60, 7)[0];
    let sizing = size_sample(r, 1.0, 100.0).unwrap();
    near(sizing.full.full_fraction, 19.895666460721138, 1e-7);
    near(sizing.full.growth_full, 0.007923158740384604, 1e-12);
    let capped = size_sample(r, 1.0, 5.0).unwrap();
    assert!(capped.is_capped, "five is below twenty");
    near(capped.growth, 0.0034803691064502974, 1e-12);
    assert_eq!(size_sample(&[0.1, 0.2], 1.0, 1.0).unwrap_err(), KellyError::NoLoss);
    let losing = size_sample(&[-0.1, -0.2], 1.0, 1.0).unwrap();
    assert_eq!(losing.full.decision, Decision::Skip);
    assert!(losing.fraction <= 0.0 && losing.growth.abs() < 1e-15);
    assert!(
        size_sample(&[0.1], 1.0, 1.0).is_err() && size_sample(&[0.1, f64::NAN], 1.0, 1.0).is_err()
    );
}

#[test]
fn a_continuous_asset_is_sized_by_its_mean_over_its_variance() {
    let sizing = size_continuous(0.05, 0.2, 0.5, 10.0).unwrap();
    near(sizing.full_fraction, 1.25, 1e-14);
    near(sizing.excess_growth_full, 0.03125, 1e-14);
    near(sizing.excess_growth, 0.0234375, 1e-13);
    let capped = size_continuous(0.05, 0.2, 1.0, 0.25).unwrap();
    assert!(capped.is_capped, "a quarter is below 1.25");
    near(capped.kelly_share.unwrap(), 0.2, 1e-14);
    let short = size_continuous(-0.05, 0.2, 1.0, 1.0).unwrap();
    assert_eq!(short.decision, Decision::Skip);
    near(short.uncapped_fraction, -1.25, 1e-14);
    assert!(short.fraction <= 0.0 && short.excess_growth.abs() < 1e-15);
    for (mean, deviation) in [(f64::NAN, 0.2), (0.1, 0.0), (0.1, -0.2), (0.1, f64::INFINITY)] {
        let error = size_continuous(mean, deviation, 1.0, 1.0).unwrap_err();
        assert!(matches!(error, KellyError::Parameter { .. }), "{error}");
    }
}

#[test]
fn a_share_of_kelly_keeps_growth_and_lowers_the_chance_of_ruin() {
    near(growth_share(0.5).unwrap(), 0.75, 1e-15);
    near(growth_share(2.0).unwrap() + 1.0, 1.0, 1e-15);
    assert!(growth_share(2.5).unwrap() < 0.0, "beyond twice Kelly wealth shrinks");
    near(ruin_probability(0.5, 1.0).unwrap(), 0.5, 1e-15);
    near(ruin_probability(0.5, 0.5).unwrap(), 0.125, 1e-15);
    near(ruin_probability(0.5, 3.0).unwrap(), 1.0, 1e-15);
    near(ruin_probability(1.0, 0.5).unwrap(), 1.0, 1e-15);
    assert!(ruin_probability(0.5, 0.0).unwrap() <= 0.0, "without a stake nothing happens");
    assert!(ruin_probability(0.0, 1.0).is_err() && ruin_probability(0.5, -1.0).is_err());
    assert!(growth_share(f64::NAN).is_err());
}

#[test]
fn an_uncertain_edge_is_staked_less() {
    // (e / (e^2 + (1+b)^2 se^2)) with e = 0.2, b = 1 and an error of 0.05: 0.04 / (0.04 + 0.01).
    near(bet(0.6, 1.0, -1.0).estimation_haircut(0.05).unwrap(), 0.8, 1e-12);
    near(bet(0.6, 1.0, -1.0).estimation_haircut(0.0).unwrap(), 1.0, 1e-15);
    assert!(bet(0.4, 1.0, -1.0).estimation_haircut(0.05).unwrap() <= 0.0, "no edge, no stake");
    near(estimation_haircut(0.02, 0.02).unwrap(), 0.5, 1e-15);
    assert!(estimation_haircut(0.1, -0.1).is_err() && estimation_haircut(f64::NAN, 0.1).is_err());
}

fn three_assets() -> Vec<Vec<f64>> {
    let (s, rho) = ([0.2, 0.3, 0.1], [[1.0, 0.3, 0.1], [0.3, 1.0, -0.2], [0.1, -0.2, 1.0]]);
    (0..3).map(|i| (0..3).map(|j| s[i] * s[j] * rho[i][j]).collect()).collect()
}

#[test]
fn assets_together_agree_with_numpy_and_the_cap_scales_all() {
    let means = [0.06, -0.02, 0.03];
    let sizing = size_assets(&means, &three_assets(), 1.0, 100.0).unwrap();
    let golden = [1.5408805031446535, -0.365566037735849, 2.4724842767295594];
    for (stake, golden) in sizing.stakes.iter().zip(golden) {
        near(stake.full_fraction, golden, 1e-12);
    }
    near(sizing.gross_full, 4.378930817610062, 1e-12);
    near(sizing.excess_growth_full, 0.08696933962264149, 1e-12);
    let capped = size_assets(&means, &three_assets(), 0.5, 1.0).unwrap();
    assert!(capped.is_capped, "one is below 2.19");
    near(capped.gross, 1.0, 1e-12);
    let share = 1.0 / 4.378930817610062;
    near(capped.excess_growth, 0.08696933962264149 * share * (2.0 - share), 1e-12);
    let none = size_assets(&[0.0; 3], &three_assets(), 1.0, 1.0).unwrap();
    assert_eq!(none.decision, Decision::Skip);
}

#[test]
fn an_asset_that_repeats_another_has_no_stake_of_its_own() {
    let twice = vec![vec![0.04, 0.04], vec![0.04, 0.04]];
    let error = size_assets(&[0.1, 0.1], &twice, 1.0, 1.0).unwrap_err();
    assert!(matches!(error, KellyError::Redundant { asset: 1, .. }), "{error}");
    let still = vec![vec![0.0, 0.0], vec![0.0, 0.04]];
    let error = size_assets(&[0.1, 0.1], &still, 1.0, 1.0).unwrap_err();
    assert_eq!(error, KellyError::Redundant { asset: 0, share: 0.0 });
    assert!(matches!(size_assets(&[0.1], &twice, 1.0, 1.0), Err(KellyError::Covariance(_))));
    assert!(size_assets(&[f64::NAN, 0.1], &twice, 1.0, 1.0).is_err());
}

proptest! {
    #[test]
    fn no_small_change_of_exclusive_stakes_grows_faster(
        weights in prop::collection::vec(0.01..1.0_f64, 2..6),
        returns in prop::collection::vec(0.1..12.0_f64, 6),
        rest in 0.01..1.0_f64,
    ) {
        let whole = weights.iter().sum::<f64>() + rest;
        let pairs: Vec<(f64, f64)> =
            weights.iter().zip(&returns).map(|(w, b)| (w / whole, *b)).collect();
        let bets = exclusive(&pairs);
        let sizing = size_exclusive(&bets, 1.0, 1.0).unwrap();
        let growth = |stakes: &[f64]| -> f64 {
            let total: f64 = stakes.iter().sum();
            let won = bets.iter().zip(stakes).map(|(bet, f)| {
                bet.win_probability * (f * (1.0 + bet.win_return) - total).ln_1p()
            });
            won.sum::<f64>() + rest / whole * (-total).ln_1p()
        };
        let full: Vec<f64> = sizing.stakes.iter().map(|s| s.full_fraction).collect();
        prop_assert!((growth(&full) - sizing.growth_full).abs() < 1e-9);
        for i in 0..full.len() {
            for step in [1e-4, -1e-4] {
                let mut moved = full.clone();
                moved[i] += step;
                if moved[i] >= 0.0 && moved.iter().sum::<f64>() < 1.0 {
                    prop_assert!(growth(&moved) <= sizing.growth_full + 1e-12);
                }
            }
        }
    }
}
