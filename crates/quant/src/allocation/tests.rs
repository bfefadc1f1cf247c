//! Lots against PyPortfolioOpt's integer program and against every neighbour.

use proptest::prelude::*;

use super::*;

#[test]
fn lots_come_as_close_as_the_integer_program() {
    // PyPortfolioOpt 1.6.0, DiscreteAllocation.lp_portfolio, prices times 100 as minor units: its
    // sum of differences plus what is left, over the cash.
    for (weights, lot_costs, cash, expected) in [
        (vec![0.4, 0.35, 0.25], vec![31_207, 8_950, 154_320], 1_000_000, 0.124532),
        (
            vec![0.3, 0.25, 0.2, 0.15, 0.1],
            vec![18_731, 4_299, 91_140, 6_305, 1_277],
            2_500_000,
            0.03544,
        ),
        (vec![0.5, 0.3, 0.2], vec![400_000, 350_000, 90_000], 1_000_000, 0.24),
    ] {
        let found = allocate(&weights, &lot_costs, cash).unwrap();
        assert!(found.distance <= expected + 1e-9, "{expected} {found:?}");
        assert_eq!(found.spent + found.remainder, cash);
    }
}

#[test]
fn money_is_counted_exactly() {
    let found = allocate(&[1.0 / 3.0; 3], &[1, 1, 1], 10).unwrap();
    assert_eq!((found.spent, found.remainder), (10, 0));
    assert_eq!(found.lots.iter().sum::<u64>(), 10);
    let found = allocate(&[0.5, 0.3], &[7, 11], 1_000).unwrap();
    let kept = found.remainder as f64 / 1_000.0;
    assert!((kept - 0.2).abs() < 0.02, "a fifth is to stay cash: {kept}");
    let found = allocate(&[1.0], &[1_001], 1_000).unwrap();
    assert_eq!((found.lots[0], found.remainder), (0, 1_000));
    let found = allocate(&[0.5, 0.25, 0.25], &[u64::MAX, u64::MAX, 10], 1_000).unwrap();
    assert_eq!((found.lots, found.spent), (vec![0, 0, 25], 250));
    let found = allocate(&[1.0], &[1], CASH_MAX).unwrap();
    assert_eq!((found.lots[0], found.remainder), (CASH_MAX, 0));
}

#[test]
fn what_cannot_be_allocated_is_refused_with_its_number() {
    let message = |weights: &[f64], costs: &[u64], cash| {
        allocate(weights, costs, cash).unwrap_err().to_string()
    };
    assert_eq!(
        message(&[0.6, 0.6], &[1, 1], 10),
        "the weights sum to 1.2; they must sum to 1, or less where cash is to be kept"
    );
    assert_eq!(message(&[-0.1], &[1], 10), "weights[0] is -0.1; it must be between 0 and 1");
    assert!(message(&[f64::NAN], &[1], 10).starts_with("weights[0] is NaN"));
    assert!(message(&[f64::INFINITY], &[1], 10).starts_with("weights[0] is inf"));
    assert_eq!(message(&[1.0], &[0], 10), "lot_costs[0] is 0; a lot costs at least one minor unit");
    assert_eq!(message(&[1.0], &[1, 2], 10), "lot_costs has 2 entries but there are 1 assets");
    assert!(message(&[1.0], &[1], 0).starts_with("cash 0 must be"));
    assert!(message(&[1.0], &[1], u64::MAX).starts_with("cash 18446744073709551615 must be"));
    assert!(message(&[], &[], 10).starts_with("weights has 0 entries"));
}

proptest! {
    #[test]
    fn cash_is_kept_and_exchanges_only_come_closer(
        raw in prop::collection::vec((0.0..1.0_f64, 1..5_000_u64), 1..12),
        cash in 1..1_000_000_u64,
        invested in 0.0..1.0_f64,
    ) {
        let sum: f64 = raw.iter().map(|(w, _)| w).sum::<f64>().max(1e-9);
        let weights: Vec<f64> = raw.iter().map(|(w, _)| w / sum * invested).collect();
        let costs: Vec<u64> = raw.iter().map(|(_, c)| *c).collect();
        let found = allocate(&weights, &costs, cash).unwrap();
        let spent: u64 = found.lots.iter().zip(&costs).map(|(l, c)| l * c).sum();
        prop_assert_eq!(spent, found.spent);
        prop_assert_eq!(spent + found.remainder, cash);
        prop_assert!(found.distance <= found.distance_of_remainders + 1e-12);
    }
}
