//! Checks a value against a plain schema and names every mistake.

use std::fmt;

use serde_json::{Map, Value};

use super::example_of;
use crate::Violation;
use crate::failure::shorten;

/// Mistakes after which the rest of a value is not looked at: a wrong list of a thousand numbers
/// is understood from its first few.
const VIOLATIONS_MAX: usize = 8;

/// Every way in which `value` breaks `schema`, at most eight.
#[must_use]
pub fn check(schema: &Value, value: &Value) -> Vec<Violation> {
    let mut checker = Checker { violations: Vec::new() };
    checker.node(schema, value, Path::Top);
    checker.violations
}

/// Where a value stands; written out once something is wrong with it.
#[derive(Clone, Copy)]
enum Path<'a> {
    Top,
    Member(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

/// The keywords that bound a length.
struct Bounds {
    min: &'static str,
    max: &'static str,
    unit: &'static str,
}

const ITEMS: Bounds = Bounds { min: "minItems", max: "maxItems", unit: "items" };
const CHARACTERS: Bounds = Bounds { min: "minLength", max: "maxLength", unit: "characters" };

struct Checker {
    violations: Vec<Violation>,
}

// === impl Path ===

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => Ok(()),
            Self::Member(Self::Top, name) => f.write_str(name),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

// === impl Checker ===

impl Checker {
    fn node(&mut self, schema: &Value, value: &Value, path: Path<'_>) {
        if self.violations.len() >= VIOLATIONS_MAX {
            return;
        }
        let expected = schema.get("type").and_then(Value::as_str);
        if let Some(expected) = expected
            && !is_a(value, expected)
        {
            let article = if expected.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
            return self.fail(schema, value, path, format!("must be {article} {expected}"));
        }
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            let listed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            return self.fail(schema, value, path, format!("must be one of {}", listed.join(", ")));
        }
        match value {
            Value::Object(members) => self.object(schema, members, path),
            Value::Array(items) => {
                self.length(schema, value, path);
                self.items(schema, items, path);
            }
            Value::String(_) => self.length(schema, value, path),
            Value::Number(_) => self.number(schema, value, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn object(&mut self, schema: &Value, members: &Map<String, Value>, path: Path<'_>) {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                let example = properties.get(name).map(example_of);
                self.push(
                    Path::Member(&path, name).to_string(),
                    "missing".to_owned(),
                    "is required".to_owned(),
                    example,
                );
            }
        }
        let others = schema.get("additionalProperties");
        for (name, value) in members {
            match (properties.get(name), others) {
                (Some(schema), _) => self.node(schema, value, Path::Member(&path, name)),
                (None, Some(schema @ Value::Object(_))) => {
                    self.node(schema, value, Path::Member(&path, name));
                }
                (None, _) => {
                    let known: Vec<&str> = properties.keys().map(String::as_str).collect();
                    let rule = if known.is_empty() {
                        "there are no parameters".to_owned()
                    } else {
                        format!("is not a parameter; there are {}", known.join(", "))
                    };
                    let field = Path::Member(&path, name).to_string();
                    self.push(field, shorten(&value.to_string()), rule, None);
                }
            }
        }
    }

    fn items(&mut self, schema: &Value, items: &[Value], path: Path<'_>) {
        if let Some(item) = schema.get("items") {
            for (index, value) in items.iter().enumerate() {
                self.node(item, value, Path::Item(&path, index));
            }
        }
    }

    fn length(&mut self, schema: &Value, value: &Value, path: Path<'_>) {
        let (len, Bounds { min, max, unit }) = match value {
            Value::Array(items) => (items.len(), ITEMS),
            Value::String(text) => (text.chars().count(), CHARACTERS),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return,
        };
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        if let Some(min) = bound(min).filter(|min| len < *min) {
            self.fail(schema, value, path, format!("must have at least {min} {unit}, not {len}"));
        }
        if let Some(max) = bound(max).filter(|max| len > *max) {
            self.fail(schema, value, path, format!("must have at most {max} {unit}, not {len}"));
        }
    }

    fn number(&mut self, schema: &Value, value: &Value, path: Path<'_>) {
        let Some(number) = value.as_f64() else { return };
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        type Broken = fn(f64, f64) -> bool;
        let rules: [(&str, &str, Broken); 4] = [
            ("minimum", "must be at least", |n, b| n < b),
            ("maximum", "must be at most", |n, b| n > b),
            ("exclusiveMinimum", "must be more than", |n, b| n <= b),
            ("exclusiveMaximum", "must be less than", |n, b| n >= b),
        ];
        for (name, words, broken) in rules {
            if let Some(bound) = bound(name).filter(|bound| broken(number, *bound)) {
                self.fail(schema, value, path, format!("{words} {bound}"));
            }
        }
    }

    fn fail(&mut self, schema: &Value, value: &Value, path: Path<'_>, rule: String) {
        let field = match path {
            Path::Top => "args".to_owned(),
            Path::Member(..) | Path::Item(..) => path.to_string(),
        };
        let example = example_of(schema);
        self.push(field, shorten(&value.to_string()), rule, Some(example));
    }

    fn push(&mut self, field: String, value: String, rule: String, example: Option<Value>) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(Violation { field, value, rule, example });
        }
    }
}

fn is_a(value: &Value, expected: &str) -> bool {
    match expected {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    }
}
