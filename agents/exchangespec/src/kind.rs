//! Reads what kind of order is meant from the words of a call, and refuses each word that does not
//! belong to the kind by its name.

use domain::{OrderKind, StopLimit, StopRole, TimeInForce, Trigger};
use serde_json::{Value, json};
use wire::Failure;
use wire::money::PriceText;

use crate::views::{OrderTypeWord, TimeInForceWord};

/// The words that say what kind of order it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KindWords {
    pub(crate) order_type: OrderTypeWord,
    pub(crate) price: Option<PriceText>,
    pub(crate) trigger_price: Option<PriceText>,
    pub(crate) trailing_bips: Option<u32>,
    pub(crate) time_in_force: Option<TimeInForceWord>,
}

/// Refuses under the field's full name.
struct Refuse<'a> {
    /// What stands before the name: `above.`
    prefix: &'a str,
    order_type: OrderTypeWord,
}

// === impl KindWords ===

impl KindWords {
    /// The kind. `prefix` stands before the names of fields in refusals.
    ///
    /// # Errors
    /// `invalid_params`, naming the field, its value, the rule and an example.
    pub(crate) fn read(self, prefix: &str) -> Result<OrderKind, Failure> {
        let refuse = Refuse { prefix, order_type: self.order_type };
        match self.order_type {
            OrderTypeWord::Market => {
                refuse.given("price", self.price.map(|p| json!(p.0.to_string())))?;
                refuse.given("time_in_force", self.time_in_force.map(|tif| json!(tif)))?;
                self.never_sleeps(&refuse)?;
                Ok(OrderKind::Market)
            }
            OrderTypeWord::Limit | OrderTypeWord::LimitMaker => {
                self.never_sleeps(&refuse)?;
                let price = self.price.ok_or_else(|| refuse.missing("price", "61583.22"))?.0;
                let post_only = self.order_type == OrderTypeWord::LimitMaker;
                let other = |tif: &TimeInForceWord| post_only && *tif != TimeInForceWord::Gtc;
                if let Some(tif) = self.time_in_force.filter(other) {
                    let rule = "must be GTC for limit_maker, which only rests";
                    return Err(refuse.wrong("time_in_force", json!(tif), rule, json!("GTC")));
                }
                Ok(OrderKind::Limit { price, time_in_force: self.waits(), post_only })
            }
            OrderTypeWord::StopLoss => self.stop(StopRole::StopLoss, false, &refuse),
            OrderTypeWord::StopLossLimit => self.stop(StopRole::StopLoss, true, &refuse),
            OrderTypeWord::TakeProfit => self.stop(StopRole::TakeProfit, false, &refuse),
            OrderTypeWord::TakeProfitLimit => self.stop(StopRole::TakeProfit, true, &refuse),
        }
    }

    fn waits(&self) -> TimeInForce {
        self.time_in_force.map_or(TimeInForce::GoodTilCanceled, TimeInForce::from)
    }

    fn never_sleeps(&self, refuse: &Refuse<'_>) -> Result<(), Failure> {
        refuse.given("trigger_price", self.trigger_price.map(|p| json!(p.0.to_string())))?;
        refuse.given("trailing_bips", self.trailing_bips.map(|bips| json!(bips)))
    }

    fn stop(
        &self,
        role: StopRole,
        is_limit: bool,
        refuse: &Refuse<'_>,
    ) -> Result<OrderKind, Failure> {
        let trigger = match (self.trigger_price, self.trailing_bips) {
            (Some(PriceText(price)), None) => Trigger::Price(price),
            (activation, Some(delta_bips)) => {
                Trigger::Trailing { delta_bips, activation: activation.map(|p| p.0) }
            }
            (None, None) => return Err(refuse.missing("trigger_price", "59000")),
        };
        let limit = if is_limit {
            let price = self.price.ok_or_else(|| refuse.missing("price", "58900"))?.0;
            Some(StopLimit { price, time_in_force: self.waits() })
        } else {
            refuse.given("price", self.price.map(|p| json!(p.0.to_string())))?;
            refuse.given("time_in_force", self.time_in_force.map(|tif| json!(tif)))?;
            None
        };
        Ok(OrderKind::Stop { role, trigger, limit })
    }
}

// === impl Refuse ===

impl Refuse<'_> {
    fn wrong(&self, field: &str, value: Value, rule: &str, example: Value) -> Failure {
        Failure::invalid(&format!("{}{field}", self.prefix), value, rule, example)
    }

    fn word(&self) -> String {
        json!(self.order_type).as_str().unwrap_or_default().to_owned()
    }

    fn given(&self, field: &str, value: Option<Value>) -> Result<(), Failure> {
        match value {
            Some(value) => {
                let rule = format!("must be left out of a {} order", self.word());
                Err(self.wrong(field, value, &rule, json!(null)))
            }
            None => Ok(()),
        }
    }

    fn missing(&self, field: &str, example: &str) -> Failure {
        let rule = format!("is required for a {} order", self.word());
        self.wrong(field, json!("missing"), &rule, json!(example))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(order_type: OrderTypeWord) -> KindWords {
        KindWords {
            order_type,
            price: None,
            trigger_price: None,
            trailing_bips: None,
            time_in_force: None,
        }
    }

    fn price(text: &str) -> Option<PriceText> {
        Some(PriceText(text.parse().unwrap()))
    }

    #[track_caller]
    fn refused(words: KindWords, field: &str, rule: &str) {
        let failure = words.read("above.").unwrap_err();
        let message = failure.to_string();
        assert!(message.contains(&format!("above.{field}")), "{message}");
        assert!(message.contains(rule), "{message}");
    }

    #[test]
    fn each_kind_takes_its_own_words() {
        let gtc = TimeInForce::GoodTilCanceled;
        let market = words(OrderTypeWord::Market);
        assert_eq!(market.read("").unwrap(), OrderKind::Market);
        let limit = KindWords { price: price("1"), ..words(OrderTypeWord::LimitMaker) };
        let expected =
            OrderKind::Limit { price: "1".parse().unwrap(), time_in_force: gtc, post_only: true };
        assert_eq!(limit.read("").unwrap(), expected);
        let trailing = KindWords {
            price: price("9"),
            trigger_price: price("10"),
            trailing_bips: Some(50),
            ..words(OrderTypeWord::StopLossLimit)
        };
        let trigger = Trigger::Trailing { delta_bips: 50, activation: Some("10".parse().unwrap()) };
        let limit = Some(StopLimit { price: "9".parse().unwrap(), time_in_force: gtc });
        let expected = OrderKind::Stop { role: StopRole::StopLoss, trigger, limit };
        assert_eq!(trailing.read("").unwrap(), expected);
    }

    #[test]
    fn a_word_that_does_not_belong_is_refused_by_name() {
        let market = words(OrderTypeWord::Market);
        let rule = "must be left out of a market order";
        refused(KindWords { price: price("1"), ..market }, "price", rule);
        refused(KindWords { trigger_price: price("1"), ..market }, "trigger_price", rule);
        let tif = Some(TimeInForceWord::Ioc);
        refused(KindWords { time_in_force: tif, ..market }, "time_in_force", rule);
        let limit = words(OrderTypeWord::Limit);
        refused(limit, "price", "is required for a limit order");
        let trailing = KindWords { price: price("1"), trailing_bips: Some(5), ..limit };
        refused(trailing, "trailing_bips", "must be left out of a limit order");
        let maker = words(OrderTypeWord::LimitMaker);
        let rule = "must be GTC for limit_maker, which only rests";
        let maker = KindWords { price: price("1"), time_in_force: tif, ..maker };
        refused(maker, "time_in_force", rule);
        let stop = words(OrderTypeWord::StopLoss);
        refused(stop, "trigger_price", "is required for a stop_loss order");
        let stop = KindWords { trigger_price: price("1"), price: price("1"), ..stop };
        refused(stop, "price", "must be left out of a stop_loss order");
        let stop = KindWords { trigger_price: price("1"), ..words(OrderTypeWord::TakeProfitLimit) };
        refused(stop, "price", "is required for a take_profit_limit order");
    }
}
