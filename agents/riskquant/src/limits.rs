//! The limits that sizes and portfolios are judged by, as numbers.
//!
//! They come from the configuration and from nowhere else. A figure over its limit is reported with
//! both numbers; nothing is refused for it, because a question about a risk is not that risk.

use domain::{Amount, Decimal};
use risk::Limits;
use schemars::JsonSchema;
use serde::Serialize;
use wire::Failure;

/// The limits that this agent reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizingLimits {
    /// Share of the equity that one position may be worth.
    pub max_position_size: f64,
    /// Share of the equity that may be at risk in all positions.
    pub max_portfolio_risk: f64,
    /// Largest absolute correlation of two assets.
    pub max_correlation: f64,
    /// Gross exposure over equity.
    pub max_leverage: f64,
    /// Share of full Kelly that is used when the caller names none.
    pub kelly_fraction: f64,
    /// Largest share of full Kelly that may be asked for.
    pub kelly_fraction_max: f64,
}

/// A figure that is over its limit.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct LimitViolation {
    /// The key of the limit in the configuration's section `limits`.
    pub(crate) limit: String,
    /// The largest value that is allowed.
    pub(crate) allowed: f64,
    /// The value that was found.
    pub(crate) value: f64,
    /// What was found, in a sentence.
    pub(crate) message: String,
}

/// A figure beside its limit.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) limit: &'static str,
    pub(crate) allowed: f64,
    pub(crate) value: f64,
    pub(crate) what: String,
}

// === impl SizingLimits ===

impl From<&Limits> for SizingLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            max_position_size: number(limits.max_position_size.decimal()),
            max_portfolio_risk: number(limits.max_portfolio_risk.decimal()),
            max_correlation: number(limits.max_correlation.decimal()),
            max_leverage: number(limits.max_leverage),
            kelly_fraction: number(limits.kelly_fraction.decimal()),
            kelly_fraction_max: number(limits.kelly_fraction_max.decimal()),
        }
    }
}

// === impl Judged ===

impl Judged {
    /// Share of the limit that is used; above one it is broken.
    pub(crate) fn used(&self) -> f64 {
        self.value / self.allowed
    }

    /// The violation, when there is one. The limit itself is allowed.
    pub(crate) fn violation(&self) -> Option<LimitViolation> {
        let Self { limit, allowed, value, what } = self;
        (value > allowed).then(|| LimitViolation {
            limit: (*limit).to_owned(),
            allowed: *allowed,
            value: *value,
            message: format!("{what} is {value:.6}, over {limit} {allowed}"),
        })
    }
}

/// The nearest `f64` of a decimal: statistics are `f64`, money is not.
pub(crate) fn number(decimal: Decimal) -> f64 {
    decimal.to_string().parse().expect("invariant: the text of a decimal is a number")
}

/// A share of an amount. The share is taken to 15 significant digits, which is what a statistic in
/// `f64` has, and the result is rounded half to even to 8 places.
///
/// # Errors
/// `refused` when 28 digits cannot hold it.
pub(crate) fn share_of(amount: Amount, share: f64) -> Result<Amount, Failure> {
    let product = Decimal::try_from(share).ok().and_then(|share| {
        let product = amount.decimal().checked_mul(share)?;
        Some(Amount::new(product.round_dp(8)))
    });
    product.ok_or_else(|| {
        let message = format!("{share:e} of {amount} has more than 28 digits");
        Failure::refused("AMOUNT_TOO_LARGE", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_limits_become_the_nearest_numbers() {
        let limits = SizingLimits::from(&Limits::default());
        let expected = SizingLimits {
            max_position_size: 0.02,
            max_portfolio_risk: 0.15,
            max_correlation: 0.7,
            max_leverage: 3.0,
            kelly_fraction: 0.25,
            kelly_fraction_max: 0.5,
        };
        assert_eq!(limits, expected);
    }

    #[test]
    fn the_limit_itself_is_no_violation() {
        let judged = |value| Judged {
            limit: "max_leverage",
            allowed: 3.0,
            value,
            what: "the leverage".to_owned(),
        };
        assert_eq!(judged(3.0).violation(), None);
        let violation = judged(3.5).violation().unwrap();
        assert_eq!(violation.message, "the leverage is 3.500000, over max_leverage 3");
    }

    #[test]
    fn a_share_of_money_is_money_to_eight_places() {
        let value: Amount = "100000".parse().unwrap();
        assert_eq!(share_of(value, 0.012_345_678_901_234_5).unwrap().to_string(), "1234.56789012");
        assert_eq!(share_of(value, -0.01).unwrap().to_string(), "-1000");
        let failure = share_of(value, 1e29).unwrap_err();
        assert_eq!(failure.reason(), Some("AMOUNT_TOO_LARGE"));
    }
}
