//! JSON Schemas in the plain shapes that every MCP client accepts, and checking against them.
//!
//! Clients drop a tool, or all tools, over shapes that are legal JSON Schema: a `$ref`, a list of
//! types, `anyOf` at the top, an output that is no object. So [`plain()`] rewrites what `schemars`
//! derives until only these keywords are left: `type`, `description`, `properties`, `required`,
//! `additionalProperties`, `items`, `enum`, `minimum`, `maximum`, `exclusiveMinimum`,
//! `exclusiveMaximum`, `minItems`, `maxItems`, `minLength`, `maxLength`, `pattern`, `examples`.
//!
//! # Invariants
//!
//! * A schema from [`plain()`] has an object at the top and no keyword outside that list.
//! * [`check`] holds every one of these keywords but `pattern`: patterned texts are read by their
//!   own types, whose errors say more.

mod check;
mod plain;

use std::sync::Arc;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use check::check;
pub use plain::{NotPlain, is_plain, plain};

use crate::{Failure, Violation};

/// The plain schema of what a tool takes.
///
/// # Panics
/// When the type has no plain schema; the contract test of each agent calls this for every tool,
/// so that a program with such a tool never ships.
#[must_use]
pub fn input_of<T: JsonSchema>() -> Value {
    of::<T>(SchemaSettings::draft2020_12())
}

/// The plain schema of what a tool gives; optional members may be left out.
///
/// # Panics
/// As for [`input_of`].
#[must_use]
pub fn output_of<T: JsonSchema>() -> Value {
    of::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn of<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    match plain(schema) {
        Ok(schema) => schema,
        Err(error) => not_plain(&T::schema_name(), &error),
    }
}

#[expect(clippy::panic, reason = "a programming error that each agent's contract test finds")]
fn not_plain(name: &str, error: &NotPlain) -> ! {
    panic!("the schema of {name} is not plain: {error}")
}

/// Reads arguments: against the schema first, so that all mistakes are named at once, then into
/// their type.
///
/// # Errors
/// [`Code::InvalidParams`](crate::Code::InvalidParams) with every violation.
pub fn read<T: DeserializeOwned>(schema: &Arc<Value>, args: &str) -> Result<T, Failure> {
    typed(&checked(schema, args)?)
}

/// Arguments that meet the schema.
///
/// # Errors
/// As for [`read`].
pub fn checked(schema: &Arc<Value>, args: &str) -> Result<Value, Failure> {
    let value: Value = serde_json::from_str(args).map_err(|error| {
        let rule = format!("must be JSON with finite numbers ({error})");
        Failure::invalid("args", args, &rule, example_of(schema))
    })?;
    let violations = check(schema, &value);
    if !violations.is_empty() {
        return Err(Failure::invalid_params(violations));
    }
    Ok(value)
}

/// Arguments that were checked, in their type.
///
/// # Errors
/// As for [`read`], for what only the type knows.
pub fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    // Where a mistake is, is found out once there is one.
    if let Ok(typed) = T::deserialize(value) {
        return Ok(typed);
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let field = error.path().to_string();
        let at = lookup(value, &field);
        let value =
            at.map_or_else(|| "there".to_owned(), |v| crate::failure::shorten(&v.to_string()));
        let violation = Violation { field, value, rule: error.inner().to_string(), example: None };
        Failure::invalid_params(vec![violation])
    })
}

/// An object with the example of each required member.
#[must_use]
pub fn example_of(schema: &Value) -> Value {
    if let Some(example) = schema.get("examples").and_then(|e| e.get(0)) {
        return example.clone();
    }
    if let Some(first) = schema.get("enum").and_then(|e| e.get(0)) {
        return first.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let required = schema.get("required").and_then(Value::as_array);
            let names = required.into_iter().flatten().filter_map(Value::as_str);
            names
                .filter_map(|name| Some((name.to_owned(), example_of(properties?.get(name)?))))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Some("array") => {
            let item = schema.get("items").map(example_of);
            Value::Array(item.into_iter().collect())
        }
        Some("string") => Value::from(""),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(Value::from(1)),
        Some("boolean") => Value::from(false),
        _ => Value::Null,
    }
}

/// The value at a path such as `positions[2].value`.
fn lookup<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = value;
    for part in path.split(['.', '[']).filter(|part| !part.is_empty()) {
        at = match part.strip_suffix(']') {
            Some(index) => at.get(index.parse::<usize>().ok()?)?,
            None => at.get(part)?,
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests;
