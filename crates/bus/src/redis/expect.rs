//! What the replies of the server are for, in the order in which they come.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::resp::Value;
use crate::carrier::{CarrierError, Receipt};

/// What the server's next reply is for.
pub(super) enum Expect {
    /// A publication: how many heard it.
    Receipt(Receipt),
    /// Any other command.
    Reply(oneshot::Sender<Result<Reply, CarrierError>>),
    /// A subscription of this channel or pattern.
    Subscribed(String),
    /// An unsubscription.
    Unsubscribed,
    /// A part of the greeting; an error ends the connection.
    Greeting,
    /// The question whether commands may be sent without a reply.
    QuietAllowed,
    /// A message whose number of listeners does not matter.
    Told,
    /// Nothing that matters.
    Nothing,
}

/// A reply with the bytes it was read from.
pub(super) struct Reply {
    pub(super) value: Value,
    pub(super) bytes: Bytes,
}

// === impl Expect ===

impl Expect {
    pub(super) fn fail(self, error: &CarrierError) {
        match self {
            Self::Receipt(receipt) => receipt(Err(error.clone())),
            // Whoever asked may have given up.
            Self::Reply(sender) => drop(sender.send(Err(error.clone()))),
            Self::Subscribed(_)
            | Self::Unsubscribed
            | Self::Greeting
            | Self::QuietAllowed
            | Self::Told
            | Self::Nothing => {}
        }
    }
}

// === impl Reply ===

impl Reply {
    /// The texts of a list; nulls are left out.
    pub(super) fn texts(&self) -> Result<Vec<Bytes>, CarrierError> {
        match &self.value {
            Value::List(items) => Ok(self.ranges(items)),
            _ => Err(odd()),
        }
    }

    /// A cursor and the list that comes with it.
    pub(super) fn cursor(&self) -> Result<(Bytes, Vec<Bytes>), CarrierError> {
        match &self.value {
            Value::List(items) => match items.as_slice() {
                [Value::Text(cursor), Value::List(keys)] => {
                    Ok((self.bytes.slice(cursor.clone()), self.ranges(keys)))
                }
                _ => Err(odd()),
            },
            _ => Err(odd()),
        }
    }

    /// The entries of a stream that have one field: name and value of each.
    pub(super) fn entries(&self) -> Result<Vec<(Bytes, Bytes)>, CarrierError> {
        let Value::List(items) = &self.value else { return Err(odd()) };
        let entry = |item: &Value| match item {
            Value::List(parts) => match parts.as_slice() {
                [Value::Text(id), Value::List(fields)] => match fields.as_slice() {
                    [Value::Text(_), Value::Text(value)] => {
                        Ok((self.bytes.slice(id.clone()), self.bytes.slice(value.clone())))
                    }
                    _ => Err(odd()),
                },
                _ => Err(odd()),
            },
            _ => Err(odd()),
        };
        items.iter().map(entry).collect()
    }

    fn ranges(&self, items: &[Value]) -> Vec<Bytes> {
        let texts = items.iter().filter_map(|item| match item {
            Value::Text(range) => Some(self.bytes.slice(range.clone())),
            _ => None,
        });
        texts.collect()
    }
}

pub(super) fn odd() -> CarrierError {
    CarrierError::Refused("the server's reply has another shape than documented".into())
}
