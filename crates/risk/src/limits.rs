//! The limits of the house, in one place.

use domain::{Amount, Decimal, Rate};
use thiserror::Error;

use crate::{Confidence, OrderRate};

/// What an order may not break. [`Limits::default`] holds the house values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Share of the equity that one symbol's position and open orders may be worth. 0.02
    pub max_position_size: Rate,
    /// Share of the equity that all positions and open buy orders may be worth. 0.15
    pub max_portfolio_risk: Rate,
    /// Correlation of returns above which two positions count as one bet. 0.7
    pub max_correlation: Rate,
    /// Share of the equity that one bet may be worth: a symbol with all that is at stake in symbols
    /// whose returns are correlated with its own over `max_correlation`. None: not judged.
    pub max_correlated_exposure: Option<Rate>,
    /// What one symbol's position and open orders may be worth, in quote asset. None: not judged.
    pub max_symbol_notional: Option<Amount>,
    /// What all positions and open buy orders may be worth, in quote asset. None: not judged.
    pub max_total_notional: Option<Amount>,
    /// Share of all that is at stake that may be in one symbol, once that is worth more than
    /// `concentration_from`. None: not judged.
    pub max_concentration: Option<Rate>,
    /// Share of the equity from which on concentration is judged: the first position is always all
    /// that there is. 0.05
    pub concentration_from: Rate,
    /// Share of the equity that the one-day value at risk may be. None: not judged.
    pub max_var: Option<Rate>,
    /// Share of the equity that the one-day expected shortfall may be. None: not judged.
    pub max_expected_shortfall: Option<Rate>,
    /// The confidence of both. 0.99
    pub var_confidence: Confidence,
    /// How old the risk model may be, in milliseconds. 3600000
    pub risk_model_age_ms_max: u64,
    /// How many times the equity all positions and open buy orders may be worth. 3
    pub max_leverage: Decimal,
    /// What one order may be worth, in quote asset. 10000
    pub max_order_notional: Amount,
    /// Share of the day's first equity whose loss stops new exposure. 0.03
    pub max_daily_loss: Rate,
    /// Share of the day's first equity whose loss is warned of. 0.02
    pub warn_daily_loss: Rate,
    /// Share of the week's first equity whose loss stops new exposure; weeks begin on Monday, in
    /// UTC. 0.06
    pub max_weekly_loss: Rate,
    /// Share of the highest equity whose loss stops new exposure. 0.15
    pub max_drawdown: Rate,
    /// Losing round trips in a row that begin a cool-down. 5
    pub loss_streak_max: u32,
    /// How long after the last of them no new exposure is taken, in milliseconds. 3600000
    pub loss_streak_cooldown_ms: u64,
    /// Orders that may be sent within `order_rate_window_ms`. 1000
    pub order_rate_max: u32,
    /// The window in which orders are counted, in milliseconds. 10000
    pub order_rate_window_ms: u64,
    /// Orders that may be open at once. 200
    pub open_orders_max: u32,
    /// How far from the mid price an order may trade, as a share of it. 0.05
    pub price_band: Rate,
    /// How old the market's prices may be, in milliseconds. 5000
    pub price_age_ms_max: u64,
    /// How long ago the limits in force may have been read, in milliseconds. 2000
    pub limits_age_ms_max: u64,
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
            max_correlated_exposure: None,
            max_symbol_notional: None,
            max_total_notional: None,
            max_concentration: None,
            concentration_from: rate(50),
            max_var: None,
            max_expected_shortfall: None,
            var_confidence: Confidence::P99,
            risk_model_age_ms_max: 3_600_000,
            max_leverage: Decimal::from(3),
            max_order_notional: Amount::new(Decimal::from(10_000)),
            max_daily_loss: rate(30),
            warn_daily_loss: rate(20),
            max_weekly_loss: rate(60),
            max_drawdown: rate(150),
            loss_streak_max: 5,
            loss_streak_cooldown_ms: 3_600_000,
            order_rate_max: 1_000,
            order_rate_window_ms: 10_000,
            open_orders_max: 200,
            price_band: rate(50),
            price_age_ms_max: 5_000,
            limits_age_ms_max: 2_000,
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
        self.validate_shares()?;
        self.validate_amounts()?;
        self.validate_counts()?;
        let rule = ("at most max_daily_loss", "0.02");
        ensure(
            self.warn_daily_loss <= self.max_daily_loss,
            "warn_daily_loss",
            self.warn_daily_loss,
            rule,
        )?;
        let position = self.max_position_size;
        let rule = ("at most max_portfolio_risk", "0.02");
        ensure(position <= self.max_portfolio_risk, "max_position_size", position, rule)?;
        let rule = ("at most kelly_fraction_max", "0.25");
        let kelly = self.kelly_fraction;
        ensure(kelly <= self.kelly_fraction_max, "kelly_fraction", kelly, rule)
    }

    fn validate_shares(&self) -> Result<(), LimitError> {
        let positive = [
            ("max_position_size", Some(self.max_position_size), "0.02"),
            ("max_portfolio_risk", Some(self.max_portfolio_risk), "0.15"),
            ("max_correlation", Some(self.max_correlation), "0.7"),
            ("max_correlated_exposure", self.max_correlated_exposure, "0.05"),
            ("max_concentration", self.max_concentration, "0.4"),
            ("concentration_from", Some(self.concentration_from), "0.05"),
            ("max_var", self.max_var, "0.02"),
            ("max_expected_shortfall", self.max_expected_shortfall, "0.03"),
            ("max_daily_loss", Some(self.max_daily_loss), "0.03"),
            ("warn_daily_loss", Some(self.warn_daily_loss), "0.02"),
            ("max_weekly_loss", Some(self.max_weekly_loss), "0.06"),
            ("max_drawdown", Some(self.max_drawdown), "0.15"),
            ("price_band", Some(self.price_band), "0.05"),
            ("kelly_fraction", Some(self.kelly_fraction), "0.25"),
            ("kelly_fraction_max", Some(self.kelly_fraction_max), "0.5"),
        ];
        for (field, value, example) in positive {
            let Some(value) = value else { continue };
            ensure(value > Rate::ZERO, field, value, ("more than 0 and at most 1", example))?;
        }
        Ok(())
    }

    fn validate_amounts(&self) -> Result<(), LimitError> {
        let leverage = self.max_leverage;
        let allowed = leverage > Decimal::ZERO && leverage <= Decimal::ONE_HUNDRED;
        ensure(allowed, "max_leverage", leverage, ("more than 0 and at most 100", "3"))?;
        let positive = [
            ("max_order_notional", Some(self.max_order_notional), "10000"),
            ("max_symbol_notional", self.max_symbol_notional, "50000"),
            ("max_total_notional", self.max_total_notional, "200000"),
        ];
        for (field, value, example) in positive {
            let Some(value) = value else { continue };
            ensure(value > Amount::ZERO, field, value, ("more than 0", example))?;
        }
        Ok(())
    }

    fn validate_counts(&self) -> Result<(), LimitError> {
        const HOUR: (&str, &str) = ("1000 to 604800000", "3600000");
        let within = [
            ("price_age_ms_max", self.price_age_ms_max, 1..=60_000, ("1 to 60000", "5000")),
            ("limits_age_ms_max", self.limits_age_ms_max, 500..=60_000, ("500 to 60000", "2000")),
            ("risk_model_age_ms_max", self.risk_model_age_ms_max, 1_000..=604_800_000, HOUR),
            ("loss_streak_max", self.loss_streak_max.into(), 1..=1_000_000, ("1 to 1000000", "5")),
            ("loss_streak_cooldown_ms", self.loss_streak_cooldown_ms, 1_000..=604_800_000, HOUR),
            (
                "order_rate_max",
                self.order_rate_max.into(),
                1..=u64::from(OrderRate::ORDERS_MAX),
                ("1 to 100000", "1000"),
            ),
            (
                "order_rate_window_ms",
                self.order_rate_window_ms,
                100..=3_600_000,
                ("100 to 3600000", "10000"),
            ),
            ("open_orders_max", self.open_orders_max.into(), 1..=10_000, ("1 to 10000", "200")),
        ];
        for (field, value, allowed, rule) in within {
            ensure(allowed.contains(&value), field, value, rule)?;
        }
        Ok(())
    }

    /// Whether a limit is set that cannot be judged without a risk model.
    #[must_use]
    pub const fn needs_model(&self) -> bool {
        self.max_var.is_some()
            || self.max_expected_shortfall.is_some()
            || self.max_correlated_exposure.is_some()
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
