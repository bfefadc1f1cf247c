//! How far the queue ahead of a resting order shortens when displayed quantity just leaves.
//!
//! The share of the decrease that left behind the order is `f(behind) / (f(behind) + f(ahead))`
//! (see [`QueueModel`](crate::QueueModel)); what does not fit behind left ahead. All of it is
//! integer arithmetic on fractions of 2^32, so it is the same on every machine.

use crate::QueueModel;

const ONE: u128 = 1 << 32;

/// The queue ahead after `drop` lots left a level where `ahead` stood before us and `behind` after.
pub(super) fn ahead_after(model: QueueModel, ahead: i64, behind: i64, drop: i64) -> i64 {
    let weights = match model {
        QueueModel::RiskAverse => return ahead,
        QueueModel::ProbPower { n } => power_weights(ahead, behind, n),
        QueueModel::ProbLog => (log2_of_one_plus(ahead), log2_of_one_plus(behind)),
    };
    let (weight_ahead, weight_behind) = weights;
    let sum = weight_ahead.saturating_add(weight_behind);
    let drop_wide = u128::try_from(drop).unwrap_or(0);
    let left_behind = drop_wide.saturating_mul(weight_behind).checked_div(sum).unwrap_or(drop_wide);
    let left_behind = i64::try_from(left_behind).unwrap_or(drop).min(behind);
    ahead.saturating_sub(drop.saturating_sub(left_behind)).max(0)
}

/// `ahead^n` and `behind^n` as fractions of the larger one's power.
fn power_weights(ahead: i64, behind: i64, n: u32) -> (u128, u128) {
    let wide = |lots: i64| u128::try_from(lots).unwrap_or(0);
    let largest = wide(ahead.max(behind)).max(1);
    let power = |lots: i64| {
        let fraction = wide(lots).saturating_mul(ONE).checked_div(largest).unwrap_or(0);
        (0..n).fold(ONE, |power, _| power.saturating_mul(fraction) >> 32)
    };
    (power(ahead), power(behind))
}

/// `log2(1 + x)` in units of 2^-32, by repeated squaring (C. S. Turner, "A Fast Binary Logarithm
/// Algorithm", IEEE Signal Processing Magazine, 2010). The base cancels in the share.
fn log2_of_one_plus(lots: i64) -> u128 {
    let value = u128::try_from(lots).unwrap_or(0).saturating_add(1);
    let whole = value.ilog2();
    // The mantissa in [1, 2), in units of 2^-32.
    let mut mantissa = (value << 32) >> whole;
    let mut log = u128::from(whole) << 32;
    let mut bit = ONE >> 1;
    while bit > 0 {
        mantissa = mantissa.saturating_mul(mantissa) >> 32;
        if mantissa >= ONE << 1 {
            mantissa >>= 1;
            log |= bit;
        }
        bit >>= 1;
    }
    log
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may fail on an overflow")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_models_agree_with_their_formulas() {
        let check = |model: QueueModel, ahead: i64, behind: i64, drop: i64, expect: i64| {
            assert_eq!(ahead_after(model, ahead, behind, drop), expect, "{model:?}");
        };
        check(QueueModel::RiskAverse, 100, 300, 40, 100);
        // 300 / 400 of 40 left behind.
        check(QueueModel::ProbPower { n: 1 }, 100, 300, 40, 90);
        // 300^2 / (300^2 + 100^2) = 0.9 of 40.
        check(QueueModel::ProbPower { n: 2 }, 100, 300, 40, 96);
        // ln 301 / (ln 301 + ln 101) = 0.55290: 22.1 of 40, whole lots.
        check(QueueModel::ProbLog, 100, 300, 40, 82);
        // Only five stood behind, so the rest left ahead.
        check(QueueModel::ProbPower { n: 1 }, 5, 5, 8, 1);
        check(QueueModel::ProbPower { n: 3 }, 0, 0, 8, 0);
        check(QueueModel::ProbLog, 0, 0, 8, 0);
    }

    #[test]
    fn the_logarithm_is_right_to_nine_digits() {
        // log2(1 + 2) = 1.5849625007..., from a table.
        assert_eq!(log2_of_one_plus(2) * 1_000_000_000 / ONE, 1_584_962_500);
        assert_eq!(log2_of_one_plus(0), 0);
        assert_eq!(log2_of_one_plus(1), ONE);
        assert_eq!(log2_of_one_plus(i64::MAX), 63 * ONE);
    }

    proptest! {
        #[test]
        fn the_queue_never_grows_and_never_loses_more_than_left(
            ahead in 0i64..1 << 50, behind in 0i64..1 << 50, share in 0i64..=100, n in 1u32..9,
        ) {
            let drop = (ahead + behind) / 100 * share;
            for model in [QueueModel::ProbPower { n }, QueueModel::ProbLog] {
                let after = ahead_after(model, ahead, behind, drop);
                prop_assert!(after <= ahead && after >= (ahead - drop).max(0));
            }
        }
    }
}
