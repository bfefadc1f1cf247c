//! Schemas of every shape that tools use, and the mistakes that a caller can make.

use super::*;
use crate::money::PriceText;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Side {
    /// Base in.
    Buy,
    /// Base out.
    Sell,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema and its reading are looked at")]
struct Leg {
    /// Weight of the leg.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.5]))]
    weight: f64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema and its reading are looked at")]
struct Params {
    /// Which way.
    side: Side,
    /// Worst price.
    price: Option<PriceText>,
    /// The legs.
    #[schemars(length(min = 1, max = 2))]
    legs: Vec<Leg>,
    /// How often.
    #[schemars(range(min = 1, max = 10), extend("examples" = [3]))]
    count: Option<u32>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Recursive {
    inner: Vec<Recursive>,
}

#[track_caller]
fn refuse(args: &Value, expect: &str) {
    let schema = Arc::new(input_of::<Params>());
    let failure = read::<Params>(&schema, &args.to_string()).expect_err("should be refused");
    assert_eq!(failure.message, expect);
}

#[test]
fn a_derived_schema_becomes_plain() {
    let schema = input_of::<Params>();
    assert_eq!(is_plain(&schema), Ok(()));
    assert_eq!(
        schema["properties"]["side"],
        json!({"type": "string", "enum": ["buy", "sell"],
               "description": "Which way. buy: Base in.; sell: Base out."})
    );
    assert_eq!(schema["properties"]["price"]["type"], "string");
    assert_eq!(schema["properties"]["count"]["type"], "integer");
    assert_eq!(schema["properties"]["legs"]["items"]["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["side", "legs"]));
}

#[test]
fn what_cannot_be_plain_is_named() {
    let schema =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Recursive>();
    assert_eq!(plain(schema.to_value()), Err(NotPlain::Recursive("#".to_owned())));
    assert_eq!(plain(json!({"type": "string"})), Err(NotPlain::NotObject));
    let either = json!({"type": "object", "properties": {"x": {"anyOf": [{"type": "string"}, {"type": "number"}]}}});
    assert_eq!(plain(either).unwrap_err().to_string(), ".x uses anyOf");
    let anything = json!({"type": "object", "properties": {"x": true}});
    assert_eq!(plain(anything).unwrap_err().to_string(), ".x uses true");
}

#[test]
fn every_mistake_is_named_with_field_value_rule_and_example() {
    refuse(
        &json!({"side": "hold", "legs": [{"weight": 0.5}]}),
        "`side` is \"hold\" but must be one of \"buy\", \"sell\", for example \"buy\"",
    );
    refuse(
        &json!({"side": "buy", "legs": [{"weight": 1.5}]}),
        "`legs[0].weight` is 1.5 but must be at most 1, for example 0.5",
    );
    refuse(
        &json!({"side": "buy", "legs": []}),
        "`legs` is [] but must have at least 1 items, not 0, for example [{\"weight\":0.5}]",
    );
    refuse(
        &json!({"side": "buy"}),
        "`legs` is missing but is required, for example [{\"weight\":0.5}]",
    );
    refuse(
        &json!({"side": "buy", "legs": [{"weight": 0.5}], "sise": 1}),
        "`sise` is 1 but is not a parameter; there are count, legs, price, side",
    );
    refuse(
        &json!({"side": "buy", "legs": [{"weight": 0.5}], "count": 0}),
        "`count` is 0 but must be at least 1, for example 3",
    );
    refuse(
        &json!({"side": "buy", "legs": [{"weight": "0.5"}], "count": 1.5}),
        "`count` is 1.5 but must be an integer, for example 3; \
         `legs[0].weight` is \"0.5\" but must be a number, for example 0.5",
    );
}

#[test]
fn a_text_that_its_type_refuses_is_named_with_its_path() {
    refuse(
        &json!({"side": "buy", "legs": [{"weight": 0.5}], "price": "1e3"}),
        "`price` is \"1e3\" but must be a plain decimal number in text, for example \"0.015\"",
    );
}

#[test]
fn numbers_beyond_f64_are_refused() {
    let schema = Arc::new(input_of::<Params>());
    let args = r#"{"side":"buy","legs":[{"weight":1e999}]}"#;
    let failure = read::<Params>(&schema, args).unwrap_err();
    assert!(failure.message.contains("must be JSON with finite numbers"), "{failure}");
}

#[test]
fn a_thousand_mistakes_are_told_as_eight() {
    let legs: Vec<Value> = (0..1000).map(|_| json!({"weight": 2})).collect();
    assert_eq!(check(&input_of::<Params>(), &json!({"side": "buy", "legs": legs})).len(), 8);
}

#[test]
fn an_example_of_a_schema_passes_it() {
    let schema = input_of::<Params>();
    assert_eq!(check(&schema, &example_of(&schema)), Vec::new());
}
