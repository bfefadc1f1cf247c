//! Writes JSON text in a stated order of fields.
//!
//! Answers and stream messages are written straight into a string: their field order is part of
//! what people compare with the real venue, and a tree of values would be built only to be dropped.

use std::fmt::Write as _;

/// A JSON object that is being written.
#[derive(Debug)]
pub(crate) struct Object(String);

/// A JSON array that is being written.
#[derive(Debug)]
pub(crate) struct Array(String);

/// Writes text as a JSON string with its quotes.
pub(crate) fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                // Writing into a string cannot fail.
                write!(out, "\\u{:04x}", u32::from(c)).unwrap_or(());
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

// === impl Object ===

impl Object {
    pub(crate) fn new() -> Self {
        let mut text = String::with_capacity(256);
        text.push('{');
        Self(text)
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
    }

    /// A string.
    pub(crate) fn str(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        quote(&mut self.0, value);
        self
    }

    /// A whole number.
    pub(crate) fn int(mut self, key: &str, value: impl Into<i128>) -> Self {
        self.key(key);
        write!(self.0, "{}", value.into()).unwrap_or(());
        self
    }

    /// Yes or no.
    pub(crate) fn bool(mut self, key: &str, value: bool) -> Self {
        self.key(key);
        self.0.push_str(if value { "true" } else { "false" });
        self
    }

    /// A number of 1e-8 units as a string with eight places.
    pub(crate) fn e8(mut self, key: &str, value: i128) -> Self {
        self.key(key);
        self.0.push('"');
        super::number::write_e8(&mut self.0, value);
        self.0.push('"');
        self
    }

    /// Text that is JSON already.
    pub(crate) fn raw(mut self, key: &str, json: &str) -> Self {
        self.key(key);
        self.0.push_str(json);
        self
    }

    pub(crate) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

// === impl Array ===

impl Array {
    pub(crate) fn new() -> Self {
        Self("[".to_owned())
    }

    fn comma(&mut self) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
    }

    /// Text that is JSON already.
    pub(crate) fn raw(&mut self, json: &str) {
        self.comma();
        self.0.push_str(json);
    }

    /// A string.
    pub(crate) fn str(&mut self, text: &str) {
        self.comma();
        quote(&mut self.0, text);
    }

    /// A number of 1e-8 units as a string with eight places.
    pub(crate) fn e8(&mut self, value: i128) {
        self.comma();
        self.0.push('"');
        super::number::write_e8(&mut self.0, value);
        self.0.push('"');
    }

    /// A whole number.
    pub(crate) fn int(&mut self, value: impl Into<i128>) {
        self.comma();
        write!(self.0, "{}", value.into()).unwrap_or(());
    }

    pub(crate) fn end(mut self) -> String {
        self.0.push(']');
        self.0
    }

    /// An array of finished JSON texts.
    pub(crate) fn of<I: IntoIterator<Item = S>, S: AsRef<str>>(items: I) -> String {
        let mut array = Self::new();
        for item in items {
            array.raw(item.as_ref());
        }
        array.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_keeps_its_order_and_escapes_what_must_be() {
        let text = Object::new()
            .str("b", "x\"\\\n\u{1}é")
            .int("a", 7_i64)
            .e8("p", -150_000_000)
            .bool("ok", true)
            .raw("l", &Array::of(["1", "2"]))
            .end();
        assert_eq!(
            text,
            "{\"b\":\"x\\\"\\\\\\n\\u0001é\",\"a\":7,\"p\":\"-1.50000000\",\"ok\":true,\"l\":[1,2]}"
        );
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}
