//! Rewrites a derived schema into plain shapes.

use serde_json::{Map, Value};
use thiserror::Error;

/// Why a schema cannot be made plain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotPlain {
    /// The type contains itself.
    #[error("{0} refers to itself")]
    Recursive(String),
    /// A reference leads nowhere.
    #[error("{0} is not defined")]
    Dangling(String),
    /// A shape that clients do not accept and that has no plain equal.
    #[error("{path} uses {keyword}")]
    Keyword {
        /// Where.
        path: String,
        /// What.
        keyword: String,
    },
    /// Not an object at the top.
    #[error("the top is not an object")]
    NotObject,
}

/// The keywords that plain schemas use.
const KEYWORDS: [&str; 17] = [
    "type",
    "description",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "pattern",
    "examples",
];

/// The keywords that say nothing a client needs.
const DROPPED: [&str; 5] = ["$schema", "$defs", "title", "format", "default"];

/// Rewrites a schema into plain shapes.
///
/// # Errors
/// [`NotPlain`] when there is no plain schema that means the same.
pub fn plain(schema: Value) -> Result<Value, NotPlain> {
    let definitions = schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    let plain = Rewriter { definitions: &definitions }.node(schema, "", &mut Vec::new())?;
    if plain.get("type").and_then(Value::as_str) != Some("object") {
        return Err(NotPlain::NotObject);
    }
    Ok(plain)
}

/// Whether a schema, such as one that a foreign agent sent, is plain already.
///
/// # Errors
/// [`NotPlain`] with the first shape that is not.
pub fn is_plain(schema: &Value) -> Result<(), NotPlain> {
    if plain(schema.clone())? == *schema {
        return Ok(());
    }
    Err(NotPlain::Keyword { path: "schema".to_owned(), keyword: "a shape to rewrite".to_owned() })
}

struct Rewriter<'a> {
    definitions: &'a Map<String, Value>,
}

impl Rewriter<'_> {
    fn node(&self, schema: Value, path: &str, open: &mut Vec<String>) -> Result<Value, NotPlain> {
        let mut node = match schema {
            Value::Object(node) => node,
            // `true` means "anything", which tells a client nothing.
            other => return Err(keyword(path, &other.to_string())),
        };
        if let Some(Value::String(target)) = node.remove("$ref") {
            return self.reference(&target, node, path, open);
        }
        for combination in ["anyOf", "oneOf"] {
            if let Some(Value::Array(choices)) = node.remove(combination) {
                return self.choices(choices, node, path, open);
            }
        }
        if let Some(constant) = node.remove("const") {
            node.insert("enum".to_owned(), Value::Array(vec![constant]));
        }
        one_type(&mut node, path)?;
        for dropped in DROPPED {
            node.remove(dropped);
        }
        if let Some(other) = node.keys().find(|key| !KEYWORDS.contains(&key.as_str())) {
            return Err(keyword(path, other));
        }
        self.children(node, path, open)
    }

    fn children(
        &self,
        mut node: Map<String, Value>,
        path: &str,
        open: &mut Vec<String>,
    ) -> Result<Value, NotPlain> {
        if let Some(Value::Object(properties)) = node.remove("properties") {
            let mut plain = Map::new();
            for (name, schema) in properties {
                let path = format!("{path}.{name}");
                plain.insert(name, self.node(schema, &path, open)?);
            }
            node.insert("properties".to_owned(), Value::Object(plain));
        }
        for inner in ["items", "additionalProperties"] {
            match node.remove(inner) {
                Some(schema @ Value::Object(_)) => {
                    let path = format!("{path}.{inner}");
                    node.insert(inner.to_owned(), self.node(schema, &path, open)?);
                }
                Some(closed @ Value::Bool(false)) => {
                    node.insert(inner.to_owned(), closed);
                }
                Some(_) | None => {}
            }
        }
        let is_struct = node.get("type").and_then(Value::as_str) == Some("object")
            && !node.contains_key("additionalProperties");
        if is_struct {
            node.insert("additionalProperties".to_owned(), Value::Bool(false));
            node.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        }
        Ok(Value::Object(node))
    }

    /// Puts a definition in the place of its reference; what stands beside the reference wins.
    fn reference(
        &self,
        target: &str,
        beside: Map<String, Value>,
        path: &str,
        open: &mut Vec<String>,
    ) -> Result<Value, NotPlain> {
        let name = target.strip_prefix("#/$defs/").unwrap_or(target).to_owned();
        // `#` is the top itself.
        if name == "#" || open.contains(&name) {
            return Err(NotPlain::Recursive(name));
        }
        let found = self.definitions.get(&name).and_then(Value::as_object).cloned();
        let mut definition = found.ok_or_else(|| NotPlain::Dangling(name.clone()))?;
        definition.extend(beside);
        open.push(name);
        let plain = self.node(Value::Object(definition), path, open);
        open.pop();
        plain
    }

    /// A choice is plain when it is one shape or nothing, or a list of fixed texts.
    fn choices(
        &self,
        choices: Vec<Value>,
        beside: Map<String, Value>,
        path: &str,
        open: &mut Vec<String>,
    ) -> Result<Value, NotPlain> {
        let is_null = |choice: &Value| choice.get("type").and_then(Value::as_str) == Some("null");
        let mut shapes = Vec::new();
        for choice in choices.into_iter().filter(|choice| !is_null(choice)) {
            shapes.push(self.node(choice, path, open)?);
        }
        if let [only] = shapes.as_mut_slice() {
            let mut only = only.take();
            if let (Value::Object(node), Some(text)) = (&mut only, beside.get("description")) {
                node.insert("description".to_owned(), text.clone());
            }
            return Ok(only);
        }
        texts(&shapes, beside).ok_or_else(|| keyword(path, "anyOf"))
    }
}

/// Fixed texts, each with its own description, become one list and one description.
fn texts(shapes: &[Value], mut beside: Map<String, Value>) -> Option<Value> {
    let mut values = Vec::new();
    let mut meanings = Vec::new();
    for shape in shapes {
        let listed = shape.get("enum")?.as_array()?;
        if shape.get("type").and_then(Value::as_str) != Some("string") {
            return None;
        }
        if let (Some(text), [value]) = (shape.get("description"), listed.as_slice()) {
            meanings.push(format!("{}: {}", value.as_str()?, text.as_str()?));
        }
        values.extend(listed.iter().cloned());
    }
    let mut description: Vec<String> = beside
        .remove("description")
        .and_then(|d| d.as_str().map(str::to_owned))
        .into_iter()
        .collect();
    if !meanings.is_empty() {
        description.push(meanings.join("; "));
    }
    let mut node = Map::new();
    node.insert("type".to_owned(), Value::from("string"));
    node.insert("enum".to_owned(), Value::Array(values));
    if !description.is_empty() {
        node.insert("description".to_owned(), Value::from(description.join(" ")));
    }
    Some(Value::Object(node))
}

/// `["string", "null"]` becomes `string`: what may be absent is left out of `required`.
fn one_type(node: &mut Map<String, Value>, path: &str) -> Result<(), NotPlain> {
    let Some(Value::Array(types)) = node.get("type") else { return Ok(()) };
    let real: Vec<&Value> = types.iter().filter(|t| t.as_str() != Some("null")).collect();
    match real[..] {
        [only] => {
            let only = only.clone();
            node.insert("type".to_owned(), only);
            Ok(())
        }
        _ => Err(keyword(path, "a list of types")),
    }
}

fn keyword(path: &str, keyword: &str) -> NotPlain {
    let path = if path.is_empty() { "the top".to_owned() } else { path.to_owned() };
    NotPlain::Keyword { path, keyword: keyword.to_owned() }
}
