//! Reads the parameters of a request and says exactly which one is wrong.
//!
//! A handler asks for what it knows; whatever nobody asked for is refused at the end
//! ([`Params::finish`]), which is how the venue notices a misspelt name.
//!
//! # Invariants
//!
//! * A name that is sent twice in the query or twice in the body is refused; a name in both is
//!   taken from the query.
//! * An empty value is refused where a value is needed.

use super::number::{NumberError, parse_e8};
use super::refusal::{ApiError, CLIENT_ID_RANGE, DECIMAL_RANGE, INTEGER_RANGE, SYMBOL_RANGE};

/// The most parameters of one request.
const PARAMS_MAX: usize = 64;

/// The parameters of one request, in the order in which they were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    list: Vec<Param>,
}

#[derive(Debug, Clone)]
struct Param {
    name: String,
    value: String,
    is_read: bool,
}

/// Undoes percent-encoding; `None` when it is malformed or no UTF-8.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let (high, low) = (char::from(rest.next()?), char::from(rest.next()?));
                let value = high.to_digit(16)?.saturating_mul(16).saturating_add(low.to_digit(16)?);
                bytes.push(u8::try_from(value).ok()?);
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn pairs(text: &str) -> Result<Vec<Param>, ApiError> {
    let mut list: Vec<Param> = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let decoded = (percent_decode(name), percent_decode(value));
        let (Some(name), Some(value)) = decoded else {
            return Err(ApiError::new(-1100, "Illegal characters found in a parameter."));
        };
        if list.iter().any(|param| param.name == name) {
            return Err(ApiError::duplicate(&name));
        }
        if list.len() >= PARAMS_MAX {
            return Err(ApiError::new(
                -1101,
                format!("Too many parameters; expected '{PARAMS_MAX}' and received more."),
            ));
        }
        list.push(Param { name, value, is_read: false });
    }
    Ok(list)
}

// === impl Params ===

impl Params {
    /// Reads query and form body; on a name in both, the query counts.
    pub(crate) fn try_new(query: &str, body: &str) -> Result<Self, ApiError> {
        let mut list = pairs(query)?;
        for param in pairs(body)? {
            if !list.iter().any(|known| known.name == param.name) {
                list.push(param);
            }
        }
        Ok(Self { list })
    }

    /// Parameters that came as JSON, already as text.
    pub(crate) fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let list =
            pairs.into_iter().map(|(name, value)| Param { name, value, is_read: false }).collect();
        Self { list }
    }

    /// A value without marking it as read.
    pub(crate) fn peek(&self, name: &str) -> Option<&str> {
        self.list.iter().find(|param| param.name == name).map(|param| param.value.as_str())
    }

    /// All names and values as they were sent.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list.iter().map(|param| (param.name.as_str(), param.value.as_str()))
    }

    /// A value that may be missing; an empty one is refused.
    pub(crate) fn maybe(&mut self, name: &str) -> Result<Option<&str>, ApiError> {
        let Some(param) = self.list.iter_mut().find(|param| param.name == name) else {
            return Ok(None);
        };
        param.is_read = true;
        if param.value.is_empty() {
            return Err(ApiError::empty(name));
        }
        Ok(Some(&param.value))
    }

    /// A value that must be there.
    pub(crate) fn must(&mut self, name: &str) -> Result<&str, ApiError> {
        let Some(param) = self.list.iter_mut().find(|param| param.name == name) else {
            return Err(ApiError::missing(name));
        };
        param.is_read = true;
        if param.value.is_empty() { Err(ApiError::missing(name)) } else { Ok(&param.value) }
    }

    /// A number of 1e-8 units that may be missing.
    pub(crate) fn maybe_e8(&mut self, name: &str) -> Result<Option<i128>, ApiError> {
        let Some(text) = self.maybe(name)? else { return Ok(None) };
        match parse_e8(text) {
            Ok(value) => Ok(Some(value)),
            Err(NumberError::Illegal) => Err(ApiError::illegal(name, DECIMAL_RANGE)),
            Err(NumberError::Precision) => Err(ApiError::precision(name)),
            Err(NumberError::Overflow) => Err(ApiError::overflow(name)),
        }
    }

    /// A whole number that may be missing.
    pub(crate) fn maybe_int(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.maybe(name)? else { return Ok(None) };
        if text.len() > 20 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ApiError::illegal(name, INTEGER_RANGE));
        }
        text.parse().map(Some).map_err(|_error| ApiError::overflow(name))
    }

    /// A number of rows between 1 and `max`; larger ones are cut to `max`.
    pub(crate) fn limit(&mut self, default: usize, max: usize) -> Result<usize, ApiError> {
        match self.maybe_int("limit")? {
            None => Ok(default),
            Some(0) => Err(ApiError::invalid_data("limit")),
            Some(limit) => Ok(usize::try_from(limit).unwrap_or(max).min(max)),
        }
    }

    /// Yes or no, when it was sent.
    pub(crate) fn maybe_bool(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.maybe(name)? {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(ApiError::illegal(name, "^(true|false)$")),
        }
    }

    /// A name that the client chose.
    pub(crate) fn maybe_client_id(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let Some(text) = self.maybe(name)? else { return Ok(None) };
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".:/_-".contains(&byte);
        if text.len() > 36 || !text.bytes().all(legal) {
            return Err(ApiError::illegal(name, CLIENT_ID_RANGE));
        }
        Ok(Some(text.to_owned()))
    }

    /// The parameter `symbol`, when it was sent; its characters are checked, not its existence.
    pub(crate) fn maybe_symbol(&mut self) -> Result<Option<String>, ApiError> {
        let Some(text) = self.maybe("symbol")? else { return Ok(None) };
        check_symbol("symbol", text)?;
        Ok(Some(text.to_owned()))
    }

    /// The parameter `symbol`.
    pub(crate) fn symbol(&mut self) -> Result<String, ApiError> {
        let text = self.must("symbol")?;
        check_symbol("symbol", text)?;
        Ok(text.to_owned())
    }

    /// The parameter `symbols`: a JSON array of names.
    pub(crate) fn maybe_symbols(&mut self) -> Result<Option<Vec<String>>, ApiError> {
        let Some(text) = self.maybe("symbols")? else { return Ok(None) };
        let names: Vec<String> = serde_json::from_str(text).map_err(|_error| {
            ApiError::illegal(
                "symbols",
                "^\\[(\"[\\w\\-._&&[^a-z]]{1,50}\"(,\"[\\w\\-._&&[^a-z]]{1,50}\"){0,}){0,1}\\]$",
            )
        })?;
        if names.is_empty() {
            return Err(ApiError::empty("symbols"));
        }
        for (place, name) in names.iter().enumerate() {
            check_symbol("symbols", name)?;
            if names.iter().take(place).any(|known| known == name) {
                return Err(ApiError::new(-1151, "Symbol is present multiple times in the list."));
            }
        }
        Ok(Some(names))
    }

    /// Marks a parameter as known.
    pub(crate) fn skip(&mut self, name: &str) {
        if let Some(param) = self.list.iter_mut().find(|param| param.name == name) {
            param.is_read = true;
        }
    }

    /// Refuses parameters that nobody asked for.
    pub(crate) fn finish(&self) -> Result<(), ApiError> {
        let read = self.list.iter().filter(|param| param.is_read).count();
        if read == self.list.len() {
            return Ok(());
        }
        Err(ApiError::unread(read, self.list.len()))
    }
}

fn check_symbol(name: &str, text: &str) -> Result<(), ApiError> {
    let legal = |c: char| (c.is_alphanumeric() && !c.is_ascii_lowercase()) || "-._".contains(c);
    if text.chars().count() > 50 || !text.chars().all(legal) {
        return Err(ApiError::illegal(name, SYMBOL_RANGE));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Params {
        Params::try_new(query, "").unwrap()
    }

    fn message<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        let error = result.unwrap_err();
        format!("{} {}", error.code, error.message)
    }

    #[test]
    fn the_query_wins_over_the_body_and_a_name_twice_in_one_is_refused() {
        let params = Params::try_new("a=1&b=2", "b=3&c=4").unwrap();
        let all: Vec<_> = params.iter().collect();
        assert_eq!(all, [("a", "1"), ("b", "2"), ("c", "4")]);
        assert_eq!(
            message(Params::try_new("a=1&a=1", "")),
            "-1101 Duplicate values for parameter 'a' detected."
        );
    }

    #[test]
    fn each_kind_of_wrong_value_has_its_own_code() {
        assert_eq!(
            message(read("").must("side")),
            "-1102 Mandatory parameter 'side' was not sent, was empty/null, or malformed."
        );
        assert_eq!(message(read("price=").maybe_e8("price")), "-1105 Parameter 'price' was empty.");
        assert_eq!(
            message(read("price=-1").maybe_e8("price")),
            "-1100 Illegal characters found in parameter 'price'; legal range is \
             '^([0-9]{1,20})(\\.[0-9]{1,20})?$'."
        );
        assert_eq!(
            message(read("price=0.000000001").maybe_e8("price")),
            "-1111 Parameter 'price' has too much precision."
        );
        assert_eq!(
            message(read("orderId=99999999999999999999").maybe_int("orderId")),
            "-1108 Parameter 'orderId' overflowed."
        );
        assert!(message(read("symbol=btcusdt").symbol()).starts_with("-1100 "));
        assert!(
            message(read("symbols=%5B%22A%22%2C%22A%22%5D").maybe_symbols()).starts_with("-1151")
        );
    }

    #[test]
    fn what_nobody_asked_for_is_counted_and_refused() {
        let mut params = read("symbol=BTCUSDT&limt=5");
        params.symbol().unwrap();
        assert_eq!(
            message(params.finish()),
            "-1104 Not all sent parameters were read; read '1' parameter(s) but was sent '2'."
        );
    }

    #[test]
    fn percent_encoding_is_undone_or_refused() {
        assert_eq!(percent_decode("%EF%BC%91a+b").as_deref(), Some("１a b"));
        assert_eq!(percent_decode("%E"), None);
        assert_eq!(percent_decode("%FF"), None);
        assert_eq!(percent_decode("%zz"), None);
    }
}
