//! The limits of the house, in one place.

use domain::{Amount, Decimal, Rate};
use thiserror::Error;

/// What an order may not break. [`Limits::default`] holds the house values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Share of the equity that one symbol's position and open orders may be worth. 0.02
    pub max_position_size: Rate,
    /// Share of the equity that all positions and open buy orders may be worth. 0.15
    pub max_portfolio_risk: Rate,
    /// Correlation of returns above which two positions count as one bet. 0.7; read where
    /// portfolios are built, the gate sees one order at a time.
    pub max_correlation: Rate,
    /// How many times the equity all positions and open buy orders may be worth. 3
    pub max_leverage: Decimal,
    /// What one order may be worth, in quote asset. 10000
    pub max_order_notional: Amount,
    /// Share of the day's first equity whose loss stops new exposure. 0.03
    pub max_daily_loss: Rate,
    /// Share of the day's first equity whose loss is warned of. 0.02
    pub warn_daily_loss: Rate,
    /// How far from the mid price an order may trade, as a share of it. 0.05
    pub price_band: Rate,
    /// How old the market's prices may be, in milliseconds. 5000
    pub price_age_ms_max: u64,
    /// Share of the full Kelly stake that is advised (Kelly 1956; fractional: Thorp 2006). 0.25
    pub kelly_fraction: Rate,
    /// The largest share of the full Kelly stake that may be asked for. 0.5
    pub kelly_fraction_max: Rate,
}

/// Which limit makes no sense, and what would.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field} is {value} and must be {rule}, for example {example}")]
pub struct LimitError {
    /// The name of the limit.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What it must be.
    pub rule: &'static str,
    /// A value that is allowed.
    pub example: &'static str,
}

/// What the day's loss means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DayLossLevel {
    /// Below both marks.
    Normal,
    /// At or over the mark that is warned of.
    Warn,
    /// At or over the mark that stops new exposure.
    Stop,
}

fn rate(thousandths: i64) -> Rate {
    Rate::try_new(Decimal::new(thousandths, 3)).expect("invariant: a house rate is within 0 to 1")
}

// === impl Limits ===

impl Default for Limits {
    /// The house values.
    fn default() -> Self {
        Self {
            max_position_size: rate(20),
            max_portfolio_risk: rate(150),
            max_correlation: rate(700),
            max_leverage: Decimal::from(3),
            max_order_notional: Amount::new(Decimal::from(10_000)),
            max_daily_loss: rate(30),
            warn_daily_loss: rate(20),
            price_band: rate(50),
            price_age_ms_max: 5_000,
            kelly_fraction: rate(250),
            kelly_fraction_max: rate(500),
        }
    }
}

impl Limits {
    /// These limits, when every one of them makes sense.
    ///
    /// # Errors
    /// [`LimitError`] with the first field that does not, its value, the rule and an example.
    pub fn try_new(limits: Self) -> Result<Self, LimitError> {
        limits.validate()?;
        Ok(limits)
    }

    /// Checks that every limit makes sense.
    ///
    /// # Errors
    /// [`LimitError`] with the first field that does not, its value, the rule and an example.
    pub fn validate(&self) -> Result<(), LimitError> {
        let positive = [
            ("max_position_size", self.max_position_size, "0.02"),
            ("max_portfolio_risk", self.max_portfolio_risk, "0.15"),
            ("max_correlation", self.max_correlation, "0.7"),
            ("max_daily_loss", self.max_daily_loss, "0.03"),
            ("warn_daily_loss", self.warn_daily_loss, "0.02"),
            ("price_band", self.price_band, "0.05"),
            ("kelly_fraction", self.kelly_fraction, "0.25"),
            ("kelly_fraction_max", self.kelly_fraction_max, "0.5"),
        ];
        for (field, value, example) in positive {
            ensure(value > Rate::ZERO, field, value, ("more than 0 and at most 1", example))?;
        }
        let leverage = self.max_leverage;
        let allowed = leverage > Decimal::ZERO && leverage <= Decimal::ONE_HUNDRED;
        ensure(allowed, "max_leverage", leverage, ("more than 0 and at most 100", "3"))?;
        let notional = self.max_order_notional;
        let rule = ("more than 0", "10000");
        ensure(notional > Amount::ZERO, "max_order_notional", notional, rule)?;
        let age = self.price_age_ms_max;
        let rule = ("1 to 60000", "5000");
        ensure((1..=60_000).contains(&age), "price_age_ms_max", age, rule)?;
        let warn = self.warn_daily_loss;
        let rule = ("at most max_daily_loss", "0.02");
        ensure(warn <= self.max_daily_loss, "warn_daily_loss", warn, rule)?;
        let position = self.max_position_size;
        let rule = ("at most max_portfolio_risk", "0.02");
        ensure(position <= self.max_portfolio_risk, "max_position_size", position, rule)?;
        let rule = ("at most kelly_fraction_max", "0.25");
        let kelly = self.kelly_fraction;
        ensure(kelly <= self.kelly_fraction_max, "kelly_fraction", kelly, rule)
    }

    /// What a loss of this share of the day's first equity means.
    #[must_use]
    pub fn day_loss_level(&self, loss_share: Decimal) -> DayLossLevel {
        if loss_share >= self.max_daily_loss.decimal() {
            DayLossLevel::Stop
        } else if loss_share >= self.warn_daily_loss.decimal() {
            DayLossLevel::Warn
        } else {
            DayLossLevel::Normal
        }
    }
}

fn ensure(
    holds: bool,
    field: &'static str,
    value: impl ToString,
    (rule, example): (&'static str, &'static str),
) -> Result<(), LimitError> {
    if holds { Ok(()) } else { Err(LimitError { field, value: value.to_string(), rule, example }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(limits: Limits, message: &str) {
        assert_eq!(Limits::try_new(limits).unwrap_err().to_string(), message);
    }

    #[test]
    fn the_house_values_are_those_that_are_documented() {
        let house = Limits::try_new(Limits::default()).unwrap();
        let shares = [
            (house.max_position_size, "0.02"),
            (house.max_portfolio_risk, "0.15"),
            (house.max_correlation, "0.7"),
            (house.max_daily_loss, "0.03"),
            (house.warn_daily_loss, "0.02"),
            (house.price_band, "0.05"),
            (house.kelly_fraction, "0.25"),
            (house.kelly_fraction_max, "0.5"),
        ];
        for (value, documented) in shares {
            assert_eq!(value.to_string(), documented);
        }
        assert_eq!(house.max_leverage, Decimal::from(3));
        assert_eq!(house.max_order_notional.to_string(), "10000");
        assert_eq!(house.price_age_ms_max, 5_000);
    }

    #[test]
    fn a_limit_that_makes_no_sense_is_named_with_its_rule() {
        let house = Limits::default;
        refused(
            Limits { max_position_size: Rate::ZERO, ..house() },
            "max_position_size is 0 and must be more than 0 and at most 1, for example 0.02",
        );
        refused(
            Limits { max_leverage: Decimal::from(-1), ..house() },
            "max_leverage is -1 and must be more than 0 and at most 100, for example 3",
        );
        refused(
            Limits { max_order_notional: Amount::ZERO, ..house() },
            "max_order_notional is 0 and must be more than 0, for example 10000",
        );
        refused(
            Limits { price_age_ms_max: 0, ..house() },
            "price_age_ms_max is 0 and must be 1 to 60000, for example 5000",
        );
        refused(
            Limits { warn_daily_loss: rate(31), ..house() },
            "warn_daily_loss is 0.031 and must be at most max_daily_loss, for example 0.02",
        );
        refused(
            Limits { max_position_size: rate(151), ..house() },
            "max_position_size is 0.151 and must be at most max_portfolio_risk, for example 0.02",
        );
        refused(
            Limits { kelly_fraction: rate(501), ..house() },
            "kelly_fraction is 0.501 and must be at most kelly_fraction_max, for example 0.25",
        );
    }

    #[test]
    fn the_marks_themselves_count() {
        let house = Limits::default();
        let level = |thousandths| house.day_loss_level(Decimal::new(thousandths, 3));
        assert_eq!([level(19), level(20)], [DayLossLevel::Normal, DayLossLevel::Warn]);
        assert_eq!([level(29), level(30)], [DayLossLevel::Warn, DayLossLevel::Stop]);
    }
}
