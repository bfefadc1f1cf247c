//! RESP3, the protocol of Redis: commands out, values in.
//!
//! A value is kept as ranges of the bytes it came in, so that a message costs no copy.

use std::ops::Range;

use bytes::BytesMut;
use thiserror::Error;

/// The largest value that is taken; a message of the bus has at most a sixteenth of it.
const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How deep values may nest: replies of the commands used here have two levels.
const DEPTH_MAX: usize = 8;

/// A value, with its texts as ranges of the bytes it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(Range<usize>),
    Error(Range<usize>),
    Integer(i64),
    List(Vec<Value>),
    /// A message out of turn: subscriptions and their messages.
    Push(Vec<Value>),
    Null,
}

/// Bytes that are not RESP3.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum RespError {
    #[error("the server sent a value of kind {0:?}, which is not RESP3")]
    Kind(char),
    #[error("the server sent a number that is none")]
    Number,
    #[error("the server sent a value of more than {VALUE_BYTES_MAX} bytes")]
    TooLong,
    #[error("the server sent values nested deeper than {DEPTH_MAX}")]
    TooDeep,
}

/// Writes a command.
pub(super) fn command(out: &mut BytesMut, words: &[&[u8]]) {
    header(out, b'*', words.len());
    for word in words {
        header(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn header(out: &mut BytesMut, kind: u8, number: usize) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).expect("invariant: one digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&[kind]);
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Reads the first value and how many bytes it has; `None` when it is not all there yet.
pub(super) fn read(bytes: &[u8]) -> Result<Option<(Value, usize)>, RespError> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(0)?;
    if value.is_none() && bytes.len() > VALUE_BYTES_MAX {
        return Err(RespError::TooLong);
    }
    Ok(value.map(|value| (value, reader.at)))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Option<Value>, RespError> {
        if depth > DEPTH_MAX {
            return Err(RespError::TooDeep);
        }
        let Some(line) = self.line() else { return Ok(None) };
        let kind = self.bytes[line.start];
        let rest = line.start + 1..line.end;
        Ok(match kind {
            b'+' | b'(' | b',' | b'#' => Some(Value::Text(rest)),
            b'-' => Some(Value::Error(rest)),
            b':' => Some(Value::Integer(self.number(rest)?)),
            b'_' => Some(Value::Null),
            b'$' | b'=' => self.text(rest)?.map(|text| text.map_or(Value::Null, Value::Text)),
            b'!' => self.text(rest)?.map(|text| text.map_or(Value::Null, Value::Error)),
            b'*' | b'~' => self.list(rest, 1, depth)?.map(Value::List),
            b'%' => self.list(rest, 2, depth)?.map(Value::List),
            b'>' => self.list(rest, 1, depth)?.map(Value::Push),
            other => return Err(RespError::Kind(char::from(other))),
        })
    }

    /// The next line without its end.
    fn line(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let length = self.bytes.get(start..)?.iter().position(|&b| b == b'\n')?;
        self.at = start + length + 1;
        // A line has at least its kind; the carriage return belongs to its end.
        Some(start..(start + length).saturating_sub(1).max(start + 1))
    }

    fn number(&self, digits: Range<usize>) -> Result<i64, RespError> {
        let text = std::str::from_utf8(&self.bytes[digits]).or(Err(RespError::Number))?;
        text.parse().or(Err(RespError::Number))
    }

    /// `Some(None)` is the null of older servers.
    fn text(&mut self, digits: Range<usize>) -> Result<Option<Option<Range<usize>>>, RespError> {
        let length = self.number(digits)?;
        let Ok(length) = usize::try_from(length) else { return Ok(Some(None)) };
        if length > VALUE_BYTES_MAX {
            return Err(RespError::TooLong);
        }
        let text = self.at..self.at + length;
        if self.bytes.len() < text.end + 2 {
            return Ok(None);
        }
        self.at = text.end + 2;
        Ok(Some(Some(text)))
    }

    fn list(
        &mut self,
        digits: Range<usize>,
        each: usize,
        depth: usize,
    ) -> Result<Option<Vec<Value>>, RespError> {
        let length = usize::try_from(self.number(digits)?.max(0)).or(Err(RespError::Number))?;
        if length > VALUE_BYTES_MAX {
            return Err(RespError::TooLong);
        }
        let mut items = Vec::new();
        for _ in 0..length * each {
            let Some(item) = self.value(depth + 1)? else { return Ok(None) };
            items.push(item);
        }
        Ok(Some(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_command_is_written_as_a_list_of_texts() {
        let mut out = BytesMut::new();
        command(&mut out, &[b"PUBLISH", b"a", b"0123456789"]);
        assert_eq!(&out[..], b"*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$10\r\n0123456789\r\n");
    }

    #[test]
    fn every_kind_is_read() {
        let read_all = |text: &[u8]| read(text).unwrap().unwrap();
        assert_eq!(read_all(b"+OK\r\n"), (Value::Text(1..3), 5));
        assert_eq!(read_all(b"-NOPERM no\r\n"), (Value::Error(1..10), 12));
        assert_eq!(read_all(b":-12\r\n"), (Value::Integer(-12), 6));
        assert_eq!(read_all(b"$-1\r\n"), (Value::Null, 5));
        assert_eq!(read_all(b"_\r\n"), (Value::Null, 3));
        assert_eq!(read_all(b"$0\r\n\r\n"), (Value::Text(4..4), 6));
        let push = b">2\r\n$1\r\na\r\n:3\r\n";
        assert_eq!(
            read_all(push),
            (Value::Push(vec![Value::Text(8..9), Value::Integer(3)]), push.len())
        );
        let map = b"%1\r\n+a\r\n*0\r\n";
        let expect = Value::List(vec![Value::Text(5..6), Value::List(vec![])]);
        assert_eq!(read_all(map), (expect, map.len()));
    }

    #[test]
    fn what_is_not_resp3_is_refused() {
        assert_eq!(read(b"HTTP/1.1 400 Bad Request\r\n"), Err(RespError::Kind('H')));
        assert_eq!(read(b":x\r\n"), Err(RespError::Number));
        assert_eq!(read(b"$99999999999\r\n"), Err(RespError::TooLong));
        assert_eq!(read(&b"*1\r\n".repeat(20)), Err(RespError::TooDeep));
    }

    proptest! {
        #[test]
        fn a_value_is_read_only_when_it_is_whole(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut out = BytesMut::new();
            command(&mut out, &[b"x", &payload]);
            for cut in 0..out.len() {
                prop_assert_eq!(read(&out[..cut]).unwrap(), None);
            }
            let (value, length) = read(&out).unwrap().unwrap();
            prop_assert_eq!(length, out.len());
            let Value::List(items) = value else { panic!("a command is a list") };
            let Value::Text(range) = items[1].clone() else { panic!("of texts") };
            prop_assert_eq!(&out[range], &payload[..]);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _read = read(&bytes).is_ok();
        }
    }
}
