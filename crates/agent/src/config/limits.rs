//! Turns the section `[limits]` into the gate's limits and the breakers' rules.
//!
//! The house values stand in one place, [`Limits`] and [`BreakerRules`]; what is not set is no limit.

use domain::{Amount, MoneyError, Rate};
use risk::{BreakerRules, Confidence, LimitError, Limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Config, ConfigError};

/// `[limits]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Share of equity that the position in one symbol may be worth.
    pub max_position_size: String,
    /// Share of equity that all positions and open buy orders together may be worth.
    pub max_portfolio_risk: String,
    /// Largest absolute correlation of two symbols that are not yet one bet.
    pub max_correlation: String,
    /// Share of equity that one bet may be worth.
    pub max_correlated_exposure: Option<String>,
    /// Value of the position in one symbol, in the quote asset.
    pub max_symbol_notional: Option<String>,
    /// Value of all positions and open buy orders, in the quote asset.
    pub max_total_notional: Option<String>,
    /// Share of all that is at stake that may be in one symbol.
    pub max_concentration: Option<String>,
    /// Share of equity from which on concentration is judged.
    pub concentration_from: String,
    /// Share of equity that the one-day value at risk may be.
    pub max_var: Option<String>,
    /// Share of equity that the one-day expected shortfall may be.
    pub max_expected_shortfall: Option<String>,
    /// The confidence of both: `0.95`, `0.975` or `0.99`.
    pub var_confidence: String,
    /// How old the risk model may be, in milliseconds.
    pub risk_model_age_ms_max: u64,
    /// Gross exposure over equity.
    pub max_leverage: String,
    /// Value of one order in the quote asset.
    pub max_order_notional: String,
    /// Share of the day's first equity that may be lost before new exposure is refused.
    pub max_daily_loss: String,
    /// Share of it at which a warning is given.
    pub warn_daily_loss: String,
    /// Share of the week's first equity that may be lost before new exposure is refused.
    pub max_weekly_loss: String,
    /// Share of the highest equity that may be lost before new exposure is refused.
    pub max_drawdown: String,
    /// Losing round trips in a row that begin a cool-down.
    pub loss_streak_max: u32,
    /// How long the cool-down lasts, in milliseconds.
    pub loss_streak_cooldown_ms: u64,
    /// Orders that may be sent within the window.
    pub order_rate_max: u32,
    /// The window, in milliseconds.
    pub order_rate_window_ms: u64,
    /// Orders that may be open at once.
    pub open_orders_max: u32,
    /// How far a limit price may be from the mid, as a share of it.
    pub price_band: String,
    /// How old a price may be, in milliseconds.
    pub price_age_ms_max: u64,
    /// How long ago the limits in force may have been read from the journal, in milliseconds.
    pub limits_age_ms_max: u64,
    /// Share of the full Kelly fraction that is proposed.
    pub kelly_fraction: String,
    /// Largest share of the full Kelly fraction that may be asked for.
    pub kelly_fraction_max: String,
    /// How long a tripped breaker stays open, in milliseconds; its probation is as long.
    pub breaker_cooldown_ms: u64,
    /// How many outcomes there must be before their failures trip a breaker.
    pub breaker_outcomes_min: u32,
    /// Share of failures among them that trips it.
    pub breaker_failure_share: String,
    /// The window in which outcomes count, in milliseconds.
    pub breaker_window_ms: u64,
}

// === impl Config ===

impl Config {
    /// The limits in their types.
    ///
    /// # Errors
    /// [`ConfigError::Wrong`], naming the limit, its value, the rule and an example.
    pub fn limits(&self) -> Result<Limits, ConfigError> {
        self.limits.limits()
    }

    /// When breakers are tripped, and for how long.
    ///
    /// # Errors
    /// As for [`Config::limits`].
    pub fn breaker_rules(&self) -> Result<BreakerRules, ConfigError> {
        self.limits.breaker_rules()
    }
}

// === impl LimitsConfig ===

impl LimitsConfig {
    /// The value of one of them as text; `None` when it is not set.
    ///
    /// # Errors
    /// [`ConfigError::Wrong`] for a limit that there is not.
    pub fn value(&self, key: &str) -> Result<Option<String>, ConfigError> {
        let all = serde_json::to_value(self).expect("invariant: limits are texts and numbers");
        match all.get(key) {
            None => Err(wrong(format!("there is no limit {key:?}"))),
            Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(number) => Ok(Some(number.to_string())),
        }
    }

    /// These limits with the value of one of them in its place; `None` takes it away.
    ///
    /// # Errors
    /// [`ConfigError::Wrong`] for a limit that there is not, a text that is no value of it, and one
    /// that cannot be taken away.
    pub fn with(&self, key: &str, value: Option<&str>) -> Result<Self, ConfigError> {
        // The house tells which of them are numbers and which need not be set.
        let is_optional = Self::default().value(key)?.is_none();
        let mut all = serde_json::to_value(self).expect("invariant: limits are texts and numbers");
        all[key] = match value {
            None if is_optional => Value::Null,
            None => return Err(wrong(format!("`limits.{key}` cannot be taken away"))),
            Some(text) if all[key].is_u64() => {
                let number: Result<u64, _> = text.parse();
                let number = number.map_err(|_number| {
                    wrong(format!("`limits.{key}` is {text:?} but must be a whole number"))
                })?;
                number.into()
            }
            Some(text) => text.into(),
        };
        serde_json::from_value(all).map_err(|error| wrong(format!("`limits.{key}`: {error}")))
    }

    /// As [`Config::limits`].
    ///
    /// # Errors
    /// [`ConfigError::Wrong`], naming the limit, its value, the rule and an example.
    pub fn limits(&self) -> Result<Limits, ConfigError> {
        let of = self;
        let confidence = Confidence::of_share(&of.var_confidence).ok_or_else(|| {
            let why = format!(
                "`limits.var_confidence` is {:?} but must be 0.95, 0.975 or 0.99, for example 0.99",
                of.var_confidence
            );
            ConfigError::Wrong { origin: "limits".to_owned(), why }
        })?;
        let limits = Limits {
            max_position_size: share("max_position_size", &of.max_position_size)?,
            max_portfolio_risk: share("max_portfolio_risk", &of.max_portfolio_risk)?,
            max_correlation: share("max_correlation", &of.max_correlation)?,
            max_correlated_exposure: set(
                "max_correlated_exposure",
                of.max_correlated_exposure.as_deref(),
                share,
            )?,
            max_symbol_notional: set(
                "max_symbol_notional",
                of.max_symbol_notional.as_deref(),
                amount,
            )?,
            max_total_notional: set(
                "max_total_notional",
                of.max_total_notional.as_deref(),
                amount,
            )?,
            max_concentration: set("max_concentration", of.max_concentration.as_deref(), share)?,
            concentration_from: share("concentration_from", &of.concentration_from)?,
            max_var: set("max_var", of.max_var.as_deref(), share)?,
            max_expected_shortfall: set(
                "max_expected_shortfall",
                of.max_expected_shortfall.as_deref(),
                share,
            )?,
            var_confidence: confidence,
            risk_model_age_ms_max: of.risk_model_age_ms_max,
            max_leverage: amount("max_leverage", &of.max_leverage)?.decimal(),
            max_order_notional: amount("max_order_notional", &of.max_order_notional)?,
            max_daily_loss: share("max_daily_loss", &of.max_daily_loss)?,
            warn_daily_loss: share("warn_daily_loss", &of.warn_daily_loss)?,
            max_weekly_loss: share("max_weekly_loss", &of.max_weekly_loss)?,
            max_drawdown: share("max_drawdown", &of.max_drawdown)?,
            loss_streak_max: of.loss_streak_max,
            loss_streak_cooldown_ms: of.loss_streak_cooldown_ms,
            order_rate_max: of.order_rate_max,
            order_rate_window_ms: of.order_rate_window_ms,
            open_orders_max: of.open_orders_max,
            price_band: share("price_band", &of.price_band)?,
            price_age_ms_max: of.price_age_ms_max,
            limits_age_ms_max: of.limits_age_ms_max,
            kelly_fraction: share("kelly_fraction", &of.kelly_fraction)?,
            kelly_fraction_max: share("kelly_fraction_max", &of.kelly_fraction_max)?,
        };
        Limits::try_new(limits).map_err(|error| senseless(&error))
    }

    /// As [`Config::breaker_rules`].
    ///
    /// # Errors
    /// As for [`LimitsConfig::limits`].
    pub fn breaker_rules(&self) -> Result<BreakerRules, ConfigError> {
        let of = self;
        let rules = BreakerRules {
            breaker_cooldown_ms: of.breaker_cooldown_ms,
            breaker_outcomes_min: of.breaker_outcomes_min,
            breaker_failure_share: share("breaker_failure_share", &of.breaker_failure_share)?,
            breaker_window_ms: of.breaker_window_ms,
        };
        BreakerRules::try_new(rules).map_err(|error| senseless(&error))
    }
}

fn wrong(why: String) -> ConfigError {
    ConfigError::Wrong { origin: "limits".to_owned(), why }
}

fn senseless(error: &LimitError) -> ConfigError {
    let why = format!(
        "`limits.{}` is {} but must be {}, for example {}",
        error.field, error.value, error.rule, error.example
    );
    ConfigError::Wrong { origin: "limits".to_owned(), why }
}

/// A limit that need not be set.
fn set<T>(
    name: &str,
    text: Option<&str>,
    read: fn(&str, &str) -> Result<T, ConfigError>,
) -> Result<Option<T>, ConfigError> {
    text.map(|text| read(name, text)).transpose()
}

fn share(name: &str, text: &str) -> Result<Rate, ConfigError> {
    text.parse().map_err(|error| wrong_limit(name, text, &error))
}

fn amount(name: &str, text: &str) -> Result<Amount, ConfigError> {
    text.parse().map_err(|error| wrong_limit(name, text, &error))
}

fn wrong_limit(name: &str, text: &str, error: &MoneyError) -> ConfigError {
    let why = format!("`limits.{name}` is {text:?} but {error}");
    ConfigError::Wrong { origin: "limits".to_owned(), why }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let (limits, breaker) = (Limits::default(), BreakerRules::default());
        let share = |value: Option<Rate>| value.map(|value| value.to_string());
        let amount = |value: Option<Amount>| value.map(|value| value.to_string());
        Self {
            max_position_size: limits.max_position_size.to_string(),
            max_portfolio_risk: limits.max_portfolio_risk.to_string(),
            max_correlation: limits.max_correlation.to_string(),
            max_correlated_exposure: share(limits.max_correlated_exposure),
            max_symbol_notional: amount(limits.max_symbol_notional),
            max_total_notional: amount(limits.max_total_notional),
            max_concentration: share(limits.max_concentration),
            concentration_from: limits.concentration_from.to_string(),
            max_var: share(limits.max_var),
            max_expected_shortfall: share(limits.max_expected_shortfall),
            var_confidence: limits.var_confidence.share().to_owned(),
            risk_model_age_ms_max: limits.risk_model_age_ms_max,
            max_leverage: limits.max_leverage.to_string(),
            max_order_notional: limits.max_order_notional.to_string(),
            max_daily_loss: limits.max_daily_loss.to_string(),
            warn_daily_loss: limits.warn_daily_loss.to_string(),
            max_weekly_loss: limits.max_weekly_loss.to_string(),
            max_drawdown: limits.max_drawdown.to_string(),
            loss_streak_max: limits.loss_streak_max,
            loss_streak_cooldown_ms: limits.loss_streak_cooldown_ms,
            order_rate_max: limits.order_rate_max,
            order_rate_window_ms: limits.order_rate_window_ms,
            open_orders_max: limits.open_orders_max,
            price_band: limits.price_band.to_string(),
            price_age_ms_max: limits.price_age_ms_max,
            limits_age_ms_max: limits.limits_age_ms_max,
            kelly_fraction: limits.kelly_fraction.to_string(),
            kelly_fraction_max: limits.kelly_fraction_max.to_string(),
            breaker_cooldown_ms: breaker.breaker_cooldown_ms,
            breaker_outcomes_min: breaker.breaker_outcomes_min,
            breaker_failure_share: breaker.breaker_failure_share.to_string(),
            breaker_window_ms: breaker.breaker_window_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sources;

    fn with(key: &str, value: &str) -> Result<Limits, String> {
        let flags = vec![(format!("limits.{key}"), value.to_owned())];
        let config = Config::load(&Sources { flags, ..Sources::default() });
        config.and_then(|config| config.limits()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_set_is_no_limit_and_what_is_set_holds() {
        let house = Config::default();
        assert_eq!(house.limits().unwrap(), Limits::default());
        assert_eq!(house.breaker_rules().unwrap(), BreakerRules::default());
        assert_eq!(with("max_var", "0.02").unwrap().max_var.unwrap().to_string(), "0.02");
        assert_eq!(with("var_confidence", "0.975").unwrap().var_confidence, Confidence::P975);
        assert_eq!(with("order_rate_window_ms", "500").unwrap().order_rate_window_ms, 500);
        let total = with("max_total_notional", "5000").unwrap().max_total_notional;
        assert_eq!(total.unwrap().to_string(), "5000");
    }

    #[test]
    fn one_limit_is_changed_by_its_key_and_text() {
        let house = LimitsConfig::default();
        let with = |key, value| house.with(key, value)?.limits();
        assert_eq!(with("open_orders_max", Some("7")).unwrap().open_orders_max, 7);
        assert_eq!(with("max_var", Some("0.01")).unwrap().max_var.unwrap().to_string(), "0.01");
        assert_eq!(with("max_var", None).unwrap(), Limits::default());
        for (key, value, expect) in [
            ("max_vra", Some("1"), "there is no limit \"max_vra\""),
            ("open_orders_max", Some("7.5"), "is \"7.5\" but must be a whole number"),
            ("open_orders_max", Some("-7"), "is \"-7\" but must be a whole number"),
            ("open_orders_max", Some("4294967296"), "`limits.open_orders_max`"),
            ("max_leverage", None, "`limits.max_leverage` cannot be taken away"),
            ("max_leverage", Some("NaN"), "`limits.max_leverage` is \"NaN\" but"),
        ] {
            let error = with(key, value).unwrap_err().to_string();
            assert!(error.contains(expect), "{key}={value:?}: {error}");
        }
    }

    #[test]
    fn a_limit_that_makes_no_sense_is_named_with_its_rule() {
        for (key, value, expect) in [
            (
                "max_var",
                "0",
                "`limits.max_var` is 0 but must be more than 0 and at most 1, for example 0.02",
            ),
            ("max_drawdown", "15%", "`limits.max_drawdown` is \"15%\" but must be a plain decimal"),
            ("var_confidence", "0.9", "is \"0.9\" but must be 0.95, 0.975 or 0.99"),
            ("order_rate_max", "0", "`limits.order_rate_max` is 0 but must be 1 to 100000"),
            ("loss_streak_cooldown_ms", "-1", "limits.loss_streak_cooldown_ms"),
            (
                "breaker_cooldown_ms",
                "1",
                "`limits.breaker_cooldown_ms` is 1 but must be 1000 to 604800000",
            ),
            (
                "max_symbol_notional",
                "-5",
                "`limits.max_symbol_notional` is -5 but must be more than 0",
            ),
        ] {
            let error = with(key, value).unwrap_err();
            assert!(error.contains(expect), "{key}={value}: {error}");
        }
    }
}
