//! API keys: whose they are, how their signatures are verified, what they may do.
//!
//! The directory is a value: who verifies requests holds a copy that is replaced whole, so nothing
//! is locked while a signature is checked.
//!
//! # Invariants
//!
//! * Secrets leave only once, in the answer that made them, and for the keys file (mode 0600).

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use matching::AccountId;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::ledger::StateError;
use crate::protocol::signature::Verifier;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// One API key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) account: AccountId,
    pub(crate) verifier: Verifier,
    pub(crate) can_trade: bool,
    pub(crate) can_withdraw: bool,
    pub(crate) created_at: i64,
}

/// All keys by their text.
#[derive(Debug, Default, Clone)]
pub(crate) struct Directory {
    keys: BTreeMap<String, std::sync::Arc<Key>>,
}

/// A key as the keys file has it.
#[derive(Serialize, Deserialize)]
struct Stored {
    api_key: String,
    account: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    public_key: Option<String>,
    can_trade: bool,
    can_withdraw: bool,
    created_at: i64,
}

/// An API key and its secret, as given out once.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// What is sent with each request.
    pub api_key: String,
    /// What requests are signed with.
    pub secret: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("api_key", &self.api_key).finish_non_exhaustive()
    }
}

/// A random text of 64 letters and digits, as the venue's keys are.
pub(crate) fn random_text() -> Option<String> {
    let mut text = String::with_capacity(64);
    let source = SystemRandom::new();
    while text.len() < 64 {
        let mut bytes = [0_u8; 64];
        source.fill(&mut bytes).ok()?;
        // Bytes from 248 on would make some letters more likely.
        for byte in bytes.iter().filter(|byte| **byte < 248).take(64 - text.len()) {
            text.push(char::from(*ALPHABET.get(usize::from(byte % 62))?));
        }
    }
    Some(text)
}

/// Letters and digits of a number, for names that the venue makes up.
pub(crate) fn letters(mut bits: u64, count: usize) -> String {
    let mut text = String::with_capacity(count);
    for _ in 0..count {
        let place = usize::try_from(bits % 62).unwrap_or(0);
        text.push(ALPHABET.get(place).copied().map_or('A', char::from));
        bits = (bits / 62).rotate_left(17) ^ bits.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    text
}

/// Whether a text can be an API key.
pub(crate) fn is_key_text(text: &str) -> bool {
    (16..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

// === impl Directory ===

impl Directory {
    pub(crate) fn find(&self, name: &str) -> Option<&std::sync::Arc<Key>> {
        self.keys.get(name)
    }

    pub(crate) fn insert(&mut self, key: Key) {
        self.keys.insert(key.name.clone(), std::sync::Arc::new(key));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.values().map(AsRef::as_ref)
    }

    /// Reads the keys file; none is an empty directory.
    pub(crate) fn load(path: &Path) -> Result<Self, StateError> {
        let name = path.display().to_string();
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(path)
            .map_err(|source| StateError::File { path: name.clone(), source })?;
        // The message of the parser could quote a secret: it is left out.
        let stored: Vec<Stored> = serde_json::from_str(&text).map_err(|error| {
            let why = "the file is no list of keys".to_owned();
            StateError::Line { path: name.clone(), line: error.line(), why }
        })?;
        let mut directory = Self::default();
        for key in stored {
            let verifier = match (&key.secret, &key.public_key) {
                (Some(secret), None) => Some(Verifier::hmac(secret)),
                (None, Some(pem)) => Verifier::from_pem(pem),
                _ => None,
            };
            let Some(verifier) = verifier else {
                return Err(StateError::Unfit(format!("{name} has a key without a secret")));
            };
            directory.insert(Key {
                name: key.api_key,
                account: AccountId(key.account),
                verifier,
                can_trade: key.can_trade,
                can_withdraw: key.can_withdraw,
                created_at: key.created_at,
            });
        }
        Ok(directory)
    }

    /// Writes the keys file, readable for its owner alone.
    pub(crate) fn save(&self, path: &Path) -> Result<(), StateError> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let stored: Vec<Stored> = self.iter().map(Stored::of).collect();
        let fail = |source| StateError::File { path: path.display().to_string(), source };
        let text = serde_json::to_string(&stored).map_err(|error| fail(error.into()))?;
        let new = path.with_extension("new");
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(fail)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
        fs::rename(&new, path).map_err(fail)
    }
}

// === impl Stored ===

impl Stored {
    fn of(key: &Key) -> Self {
        let (secret, public_key) = match &key.verifier {
            Verifier::Hmac { secret, .. } => (Some(secret.clone()), None),
            Verifier::Rsa { pem, .. } | Verifier::Ed25519 { pem, .. } => (None, Some(pem.clone())),
        };
        Self {
            api_key: key.name.clone(),
            account: key.account.0,
            secret,
            public_key,
            can_trade: key.can_trade,
            can_withdraw: key.can_withdraw,
            created_at: key.created_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_in_a_file_for_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let mut directory = Directory::load(&path).unwrap();
        directory.insert(Key {
            name: random_text().unwrap(),
            account: AccountId(3),
            verifier: Verifier::hmac("the secret"),
            can_trade: true,
            can_withdraw: false,
            created_at: 7,
        });
        directory.save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Directory::load(&path).unwrap();
        let key = again.iter().next().unwrap();
        assert_eq!((key.account, key.name.len(), key.can_withdraw), (AccountId(3), 64, false));
        fs::write(&path, "[{\"api_key\":\"x\",\"secret\":\"hush\"}]").unwrap();
        let error = Directory::load(&path).unwrap_err().to_string();
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn a_secret_is_not_in_debug_output() {
        let pair = Credentials { api_key: "key".to_owned(), secret: "hush".to_owned() };
        assert_eq!(format!("{pair:?}"), "Credentials { api_key: \"key\", .. }");
    }
}
