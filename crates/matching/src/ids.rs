//! The numbers and names by which things are called.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Which listing, counted from zero in the order of listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolId(pub u32);

/// Which asset, counted from zero in the order in which listings first named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetId(pub u32);

/// Which account, counted from zero in the order of opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

/// Which order list; one sequence for the whole venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListId(pub u64);

/// The longest client id.
const CLIENT_ID_BYTES: usize = 36;

/// The name that an account gives its order: up to 36 characters of `A-Z a-z 0-9 . : / _ -`.
///
/// It is stored in place, so that copying an order copies no heap memory. [`ClientId::NONE`] is no
/// name at all: such an order is found by its number only, and does not clash with any other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    len: u8,
    bytes: [u8; CLIENT_ID_BYTES],
}

/// Why a text is no client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be 1 to 36 characters of A-Z, a-z, 0-9 and . : / _ -")]
pub struct ClientIdError;

// === impl ClientId ===

impl ClientId {
    /// No name.
    pub const NONE: Self = Self { len: 0, bytes: [0; CLIENT_ID_BYTES] };

    /// Whether there is no name.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.len == 0
    }

    /// The name as text; empty for [`ClientId::NONE`].
    #[must_use]
    pub fn as_str(&self) -> &str {
        let used = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(used).unwrap_or_default()
    }
}

impl FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(text: &str) -> Result<Self, ClientIdError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b".:/_-".contains(&b);
        if text.is_empty() || !text.bytes().all(legal) {
            return Err(ClientIdError);
        }
        let mut bytes = [0; CLIENT_ID_BYTES];
        bytes.get_mut(..text.len()).ok_or(ClientIdError)?.copy_from_slice(text.as_bytes());
        let len = u8::try_from(text.len()).or(Err(ClientIdError))?;
        Ok(Self { len, bytes })
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_short_and_plain() {
        let longest = "x".repeat(36);
        assert_eq!(longest.parse::<ClientId>().unwrap().as_str(), longest);
        let too_long = "x".repeat(37);
        for bad in ["", "a b", "ä", too_long.as_str()] {
            assert_eq!(bad.parse::<ClientId>(), Err(ClientIdError), "{bad:?}");
        }
        assert_eq!(
            ClientIdError.to_string(),
            "must be 1 to 36 characters of A-Z, a-z, 0-9 and . : / _ -"
        );
        assert!(ClientId::NONE.is_none());
    }
}
