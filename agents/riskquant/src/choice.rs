//! Which parameters go with a method, and which would be left unread.
//!
//! A tool with a method takes parameters that only some methods read. What a method needs has no
//! default, and what it would not look at is refused: a caller who gave it expects it to count.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use wire::schema::{example_of, input_of};
use wire::{Failure, Violation};

/// A method, the parameters that it needs, and those that it also reads.
pub(crate) struct Choice<'a> {
    /// What was chosen: `method sample`; empty when nothing was, and the first one is meant.
    pub(crate) what: String,
    pub(crate) needed: &'a [&'static str],
    pub(crate) read: &'a [&'static str],
}

// === impl Choice ===

impl Choice<'_> {
    /// Refuses what is missing and what would be left unread, all at once. `given` are the
    /// parameters that not every method reads, and whether they are there.
    pub(crate) fn check<P: JsonSchema>(
        &self,
        given: &[(&'static str, bool)],
    ) -> Result<(), Failure> {
        let mut violations = Vec::new();
        for (name, is_given) in given {
            let violation = |value: &str, rule: String, example| Violation {
                field: (*name).to_owned(),
                value: value.to_owned(),
                rule,
                example,
            };
            if !is_given && self.needed.contains(name) {
                let rule = match self.what.as_str() {
                    "" => "is required".to_owned(),
                    what => format!("is required for {what}"),
                };
                let example = example_in::<P>(name);
                violations.push(violation("missing", rule, Some(example)));
            }
            if *is_given && !self.needed.contains(name) && !self.read.contains(name) {
                let what = match self.what.as_str() {
                    "" => "what was asked",
                    what => what,
                };
                violations.push(violation(
                    "given",
                    format!("is not for {what}; leave it out"),
                    None,
                ));
            }
        }
        if violations.is_empty() { Ok(()) } else { Err(Failure::invalid_params(violations)) }
    }
}

/// The example of a parameter, or of a member of one: `bars[2].high`.
pub(crate) fn example_in<P: JsonSchema>(name: &str) -> Value {
    let mut at = input_of::<P>();
    for part in name.split('.') {
        let (part, is_item) = match part.split_once('[') {
            Some((part, _)) => (part, true),
            None => (part, false),
        };
        at = at["properties"][part].take();
        if is_item && at["items"]["properties"].is_object() {
            at = at["items"].take();
        }
    }
    example_of(&at)
}

/// The word of a choice as it is written in a call.
pub(crate) fn word(of: impl Serialize) -> String {
    json!(of).as_str().unwrap_or_default().to_owned()
}

/// Assets that all have a series and all have names of their own.
pub(crate) fn check_names(assets: &[String], series: usize) -> Result<(), Failure> {
    if assets.len() != series {
        let rule = format!("must have {}, one series for each of assets", assets.len());
        let value = format!("{series} series");
        return Err(Failure::invalid("returns", value, &rule, json!([[0.01, -0.01]])));
    }
    for (index, asset) in assets.iter().enumerate() {
        if let Some(first) = assets.iter().take(index).position(|other| other == asset) {
            let rule = format!("must differ from assets[{first}]");
            let field = format!("assets[{index}]");
            return Err(Failure::invalid(&field, asset, &rule, json!("ETHUSDT")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "its schema is what is read")]
    struct Params {
        /// A decay.
        #[schemars(extend("examples" = [0.94]))]
        decay: Option<f64>,
        /// A count.
        #[schemars(extend("examples" = [1000]))]
        paths: Option<u32>,
    }

    #[test]
    fn what_is_missing_and_what_would_be_unread_are_told_together() {
        let choice = Choice { what: "method ewma".to_owned(), needed: &["decay"], read: &[] };
        let failure = choice.check::<Params>(&[("decay", false), ("paths", true)]).unwrap_err();
        assert_eq!(
            failure.message,
            "`decay` is missing but is required for method ewma, for example 0.94; `paths` is \
             given but is not for method ewma; leave it out"
        );
        assert_eq!(choice.check::<Params>(&[("decay", true), ("paths", false)]), Ok(()));
    }

    #[test]
    fn without_a_choice_the_sentence_names_none() {
        let choice = Choice { what: String::new(), needed: &["paths"], read: &["decay"] };
        let failure = choice.check::<Params>(&[("decay", true), ("paths", false)]).unwrap_err();
        assert_eq!(failure.message, "`paths` is missing but is required, for example 1000");
    }
}
