//! The risk model: against closed forms, and incremental against from scratch.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that overflows or misses should fail"
)]

use super::*;
use proptest::prelude::*;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn symbol(number: usize) -> Symbol {
    format!("A{number}USDT").parse().unwrap()
}

fn model(rows: &[&[&str]]) -> Result<Arc<RiskModel>, ModelError> {
    let symbols: Vec<Symbol> = (0..rows.len()).map(symbol).collect();
    let rows: Vec<Vec<Decimal>> =
        rows.iter().map(|row| row.iter().map(|text| d(text)).collect()).collect();
    RiskModel::try_new(1, Timestamp::from_unix_millis(0), &symbols, &rows).map(Arc::new)
}

fn two() -> Arc<RiskModel> {
    model(&[&["0.0004", "0.0004"], &["0.0004", "0.0016"]]).unwrap()
}

#[test]
fn two_assets_have_the_deviation_of_the_textbook() {
    // sqrt(0.02^2 1000^2 + 0.04^2 500^2 + 2 * 0.5 * 0.02 * 0.04 * 1000 * 500) = sqrt(1200)
    let model = two();
    let at_stake = [(symbol(0), amount("1000")), (symbol(1), amount("500"))];
    let risk =
        PortfolioRisk::try_new(Arc::clone(&model), at_stake.iter().map(|(s, v)| (s, *v))).unwrap();
    let deviation = risk.deviation().unwrap();
    assert_eq!(deviation.to_string(), "34.64101616");
    // By mpmath with exact quantiles: 56.979401072..., 80.587054298..., 80.983864304...; here the
    // quantile and the product are rounded up.
    assert_eq!(Confidence::P95.var_of(deviation).unwrap().to_string(), "56.97940108");
    assert_eq!(Confidence::P99.var_of(deviation).unwrap().to_string(), "80.58705431");
    assert_eq!(Confidence::P975.shortfall_of(deviation).unwrap().to_string(), "80.98386431");
    assert_eq!(risk.herfindahl(), Some(d("0.555555")));
}

#[test]
fn a_fully_correlated_pair_adds_up_and_a_fully_hedged_one_has_no_risk() {
    let check = |covariance: &str, deviation: &str| {
        let model = model(&[&["0.0004", covariance], &[covariance, "0.0016"]]).unwrap();
        let empty = PortfolioRisk::try_new(Arc::clone(&model), []).unwrap();
        assert_eq!(empty.deviation().unwrap(), Amount::ZERO);
        assert_eq!(empty.herfindahl(), None);
        let one = empty.with(&symbol(0), amount("1000")).unwrap();
        assert_eq!(one.deviation().unwrap(), amount("20"));
        assert_eq!(one.deviation_with(&symbol(1), amount("500")).unwrap(), amount(deviation));
    };
    check("0.0008", "40");
    check("-0.0008", "0");
}

#[test]
fn values_are_rounded_up_to_hundredths() {
    let model = model(&[&["1"]]).unwrap();
    let risk = PortfolioRisk::try_new(Arc::clone(&model), []).unwrap();
    let of = |more| risk.deviation_with(&symbol(0), amount(more)).unwrap().to_string();
    assert_eq!(
        (of("10.001"), of("10.01"), of("0.000001")),
        ("10.01".into(), "10.01".into(), "0.01".into())
    );
}

#[test]
fn a_matrix_that_is_none_of_returns_is_named() {
    let refused = |rows: &[&[&str]]| model(rows).unwrap_err().to_string();
    assert_eq!(
        refused(&[&["0.1", "0.1"], &["0.2", "0.1"]]),
        "the covariance 0.100000000000 of A0USDT and A1USDT must be the same both ways"
    );
    assert_eq!(
        refused(&[&["0.1", "0.2"], &["0.2", "0.1"]]),
        "the covariance 0.200000000000 of A0USDT and A1USDT is more than their variances allow"
    );
    for variance in ["0", "-1", "100.1"] {
        let error = refused(&[&[variance]]);
        assert!(
            error.ends_with("is a variance and must be more than 0 and at most 100"),
            "{error}"
        );
    }
    assert_eq!(
        refused(&[&["0.1"], &["0.1"]]),
        "the matrix must have 2 rows of 2 numbers, one for each symbol"
    );
    assert_eq!(
        refused(&[&["79228162514264337593543950335"]]),
        "a value of the risk model is too large to be held"
    );
    let twice = [symbol(0), symbol(0)];
    let rows = [vec![d("1"), d("0")], vec![d("0"), d("1")]];
    let error = RiskModel::try_new(1, Timestamp::from_unix_millis(0), &twice, &rows).unwrap_err();
    assert_eq!(error.to_string(), "A0USDT is in the model twice");
    assert!(model(&[]).is_ok(), "a model of nothing knows nothing");
}

#[test]
fn covariances_that_contradict_each_other_are_found_by_the_portfolio() {
    // Each pair is possible, all three are not: one cannot be opposed to two that are opposed.
    let rows: [&[&str]; 3] =
        [&["0.01", "-0.01", "-0.01"], &["-0.01", "0.01", "-0.01"], &["-0.01", "-0.01", "0.01"]];
    let model = model(&rows).unwrap();
    let at_stake = [symbol(0), symbol(1), symbol(2)];
    let error =
        PortfolioRisk::try_new(Arc::clone(&model), at_stake.iter().map(|s| (s, amount("100"))));
    assert_eq!(error.unwrap_err(), ModelError::NotPositive);
}

#[test]
fn what_is_too_large_is_no_number() {
    let model = two();
    let huge = amount("79228162514264337593543950335");
    let risk = PortfolioRisk::try_new(Arc::clone(&model), []).unwrap();
    assert_eq!(risk.deviation_with(&symbol(0), huge), Err(ModelError::TooLarge));
    let stranger = symbol(9);
    let error = risk.deviation_with(&stranger, amount("1")).unwrap_err();
    assert_eq!(error.to_string(), "the model has no A9USDT");
}

#[test]
fn a_bet_is_everything_that_moves_along_or_against() {
    let rows: [&[&str]; 3] =
        [&["0.01", "0.008", "-0.009"], &["0.008", "0.01", "-0.007"], &["-0.009", "-0.007", "0.01"]];
    let model = model(&rows).unwrap();
    let at_stake =
        [(symbol(0), amount("1")), (symbol(1), amount("10")), (symbol(2), amount("100"))];
    let risk =
        PortfolioRisk::try_new(Arc::clone(&model), at_stake.iter().map(|(s, v)| (s, *v))).unwrap();
    let bet = |of, max| risk.bet(&symbol(of), d(max)).unwrap().to_string();
    assert_eq!([bet(0, "0.7"), bet(0, "0.8"), bet(0, "0.9")], ["111", "101", "1"]);
    assert_eq!(bet(1, "0.7"), "11", "the mark itself is not over it");
    assert_eq!(risk.closest(&symbol(0)), Some((&symbol(2), d("-0.9"))));
    assert_eq!(model.correlation(&symbol(1), &symbol(2)), Some(d("-0.7")));
    assert_eq!(model.correlation(&symbol(1), &symbol(7)), None);
}

/// One factor and a part of its own make a matrix that is one of returns.
fn of_one_factor(loadings: &[(i64, i64)]) -> Arc<RiskModel> {
    let entry = |i: usize, j: usize| {
        let ((own, one), (_, other)) = (loadings[i], loadings[j]);
        let common = one.checked_mul(other).unwrap();
        let own = if i == j { own.checked_mul(own).unwrap() } else { 0 };
        Decimal::new(common.checked_add(own).unwrap(), 6)
    };
    let count = loadings.len();
    let rows: Vec<Vec<Decimal>> =
        (0..count).map(|i| (0..count).map(|j| entry(i, j)).collect()).collect();
    let symbols: Vec<Symbol> = (0..count).map(symbol).collect();
    Arc::new(RiskModel::try_new(1, Timestamp::from_unix_millis(0), &symbols, &rows).unwrap())
}

fn cents(value: i64) -> Amount {
    Amount::new(Decimal::new(value, 2))
}

proptest! {
    #[test]
    fn one_row_gives_what_the_whole_matrix_gives(
        loadings in prop::collection::vec((1i64..90, -80i64..80), 2..8),
        values in prop::collection::vec(0i64..10_000_000, 8),
        which in 0usize..8,
        more in -10_000_000i64..10_000_000,
    ) {
        let model = of_one_factor(&loadings);
        let symbols: Vec<Symbol> = (0..loadings.len()).map(symbol).collect();
        let mut at_stake: Vec<(&Symbol, Amount)> =
            symbols.iter().zip(&values).map(|(symbol, value)| (symbol, cents(*value))).collect();
        let which = symbols.get(which.checked_rem(symbols.len()).unwrap()).unwrap();
        let before = PortfolioRisk::try_new(Arc::clone(&model), at_stake.iter().copied()).unwrap();
        let asked = before.deviation_with(which, cents(more)).unwrap();
        let one_row = before.with(which, cents(more)).unwrap();
        at_stake.push((which, cents(more)));
        let from_scratch = PortfolioRisk::try_new(model, at_stake).unwrap();
        prop_assert_eq!(&one_row, &from_scratch);
        prop_assert_eq!(asked, from_scratch.deviation().unwrap());
    }

    #[test]
    fn a_portfolio_that_is_kept_is_what_the_matrix_gives(
        loadings in prop::collection::vec((1i64..90, -80i64..80), 1..13),
        turns in prop::collection::vec(
            prop::collection::vec((0usize..12, -10_000_000i64..10_000_000), 0..12),
            1..6,
        ),
    ) {
        let model = of_one_factor(&loadings);
        let count = loadings.len();
        let mut kept = PortfolioRisk::try_new(Arc::clone(&model), []).unwrap();
        for turn in turns {
            // In any order, some of them not at all and some twice.
            let turn: Vec<(usize, i64)> = turn.into_iter().filter(|(of, _)| *of < count).collect();
            let at_stake: Vec<(Symbol, Amount)> =
                turn.iter().map(|(of, value)| (symbol(*of), cents(*value))).collect();
            kept = kept.at(at_stake.iter().map(|(of, value)| (of, *value))).unwrap();
            let mut values = vec![0_i128; count];
            turn.iter().for_each(|(of, value)| values[*of] += i128::from(*value));
            let term = |i: usize, j: usize| {
                values[i] * i128::from(model.covariance[i][j]) * values[j]
            };
            let variance: i128 =
                (0..count).map(|i| (0..count).map(|j| term(i, j)).sum::<i128>()).sum();
            prop_assert_eq!(kept.variance, variance);
        }
    }

    #[test]
    fn hundredths_are_rounded_away_from_zero(digits in any::<i64>(), scale in 0u32..20) {
        let value = Decimal::new(digits, scale);
        let rounding = RoundingStrategy::AwayFromZero;
        let expected = value
            .round_dp_with_strategy(VALUE_PLACES, rounding)
            .checked_mul(Decimal::ONE_HUNDRED)
            .and_then(|value| value.to_i64());
        prop_assert_eq!(hundredths(Amount::new(value)), expected);
    }
}
