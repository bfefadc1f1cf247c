//! Who we are to the venue: an API key, and the secret that signs requests.
//!
//! A signature covers the exact bytes that are sent, so what signs here appends to the buffer that
//! leaves. The state of the HMAC after the secret is computed once. Secrets come from files or from
//! the environment and are shown by nothing.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use sha2::Sha256;

/// An API key with its secret.
#[derive(Clone)]
pub struct Credentials {
    api_key: Arc<str>,
    key: Arc<Key>,
}

enum Key {
    Hmac(Hmac<Sha256>),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// Why there are no credentials; never says what was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A file cannot be read.
    #[error("the file {path} cannot be read: {why}")]
    File {
        /// Which one.
        path: String,
        /// What the system says.
        why: String,
    },
    /// A variable of the environment is not set or no text.
    #[error("the environment variable {name} is not set")]
    Missing {
        /// Which one.
        name: String,
    },
    /// The API key cannot stand in a header.
    #[error("the API key must be 1 to 256 visible ASCII characters")]
    ApiKey,
    /// The secret is empty.
    #[error("the secret is empty")]
    EmptySecret,
    /// The private key is not understood.
    #[error(
        "the private key must be an unencrypted PKCS#8 PEM of Ed25519 or RSA (2048 to 4096 bits)"
    )]
    PrivateKey,
    /// The key could not sign.
    #[error("the key could not sign")]
    Sign,
}

// === impl Credentials ===

impl Credentials {
    /// A key whose secret is a text that both sides know (HMAC-SHA256).
    ///
    /// # Errors
    /// [`KeyError`] for an API key that no header takes or an empty secret.
    pub fn hmac(api_key: &str, secret: &str) -> Result<Self, KeyError> {
        if secret.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        let key = Hmac::new_from_slice(secret.as_bytes()).or(Err(KeyError::EmptySecret))?;
        Self::new(api_key, Key::Hmac(key))
    }

    /// A key whose secret is a private key in PEM (PKCS#8, Ed25519 or RSA).
    ///
    /// # Errors
    /// [`KeyError`] for an API key that no header takes or a PEM that is not understood.
    pub fn pem(api_key: &str, pem: &str) -> Result<Self, KeyError> {
        let der = pem_body(pem).ok_or(KeyError::PrivateKey)?;
        // Keys that other tools write have no public half in them, which is no flaw.
        let key = match Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
            Ok(pair) => Key::Ed25519(pair),
            Err(_) => Key::Rsa(RsaKeyPair::from_pkcs8(&der).or(Err(KeyError::PrivateKey))?),
        };
        Self::new(api_key, key)
    }

    /// Reads the API key and the secret from one file each; a PEM is recognised as such.
    ///
    /// # Errors
    /// [`KeyError`] when a file cannot be read or holds no key.
    pub fn from_files(api_key: &Path, secret: &Path) -> Result<Self, KeyError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|e| KeyError::File {
                path: path.display().to_string(),
                why: e.kind().to_string(),
            })
        };
        Self::from_text(&read(api_key)?, &read(secret)?)
    }

    /// Reads the API key and the secret from one variable of the environment each.
    ///
    /// # Errors
    /// [`KeyError`] when a variable is not set or holds no key.
    pub fn from_env(api_key: &str, secret: &str) -> Result<Self, KeyError> {
        #[expect(clippy::disallowed_methods, reason = "secrets do not pass through configuration")]
        let read =
            |name: &str| std::env::var(name).or(Err(KeyError::Missing { name: name.to_owned() }));
        Self::from_text(&read(api_key)?, &read(secret)?)
    }

    fn from_text(api_key: &str, secret: &str) -> Result<Self, KeyError> {
        let (api_key, secret) = (api_key.trim(), secret.trim());
        if secret.starts_with("-----BEGIN") {
            Self::pem(api_key, secret)
        } else {
            Self::hmac(api_key, secret)
        }
    }

    fn new(api_key: &str, key: Key) -> Result<Self, KeyError> {
        let legal = api_key.bytes().all(|b| b.is_ascii_graphic());
        if !legal || !(1..=256).contains(&api_key.len()) {
            return Err(KeyError::ApiKey);
        }
        Ok(Self { api_key: api_key.into(), key: Arc::new(key) })
    }

    /// The public half, which is sent along.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Whether it can log on to a session.
    #[must_use]
    pub fn is_ed25519(&self) -> bool {
        matches!(*self.key, Key::Ed25519(_))
    }

    /// Appends the signature of `payload` as text: hexadecimal of an HMAC, else base64.
    ///
    /// # Errors
    /// [`KeyError::Sign`], which only a damaged RSA key gives.
    pub fn sign(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), KeyError> {
        match &*self.key {
            Key::Hmac(keyed) => {
                push_hex(&mac(keyed, payload), out);
            }
            Key::Ed25519(pair) => push_base64(pair.sign(payload).as_ref(), out),
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), payload, &mut signature)
                    .or(Err(KeyError::Sign))?;
                push_base64(&signature, out);
            }
        }
        Ok(())
    }

    /// Signs everything in `query` and appends `&signature=`, encoded as a query needs it.
    ///
    /// # Errors
    /// [`KeyError::Sign`], which only a damaged RSA key gives.
    pub fn sign_query(&self, query: &mut Vec<u8>) -> Result<(), KeyError> {
        if let Key::Hmac(keyed) = &*self.key {
            let tag = mac(keyed, query);
            query.extend_from_slice(b"&signature=");
            push_hex(&tag, query);
            return Ok(());
        }
        let mut signature = Vec::with_capacity(684);
        self.sign(query, &mut signature)?;
        query.extend_from_slice(b"&signature=");
        super::params::push_encoded(&signature, query);
        Ok(())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match *self.key {
            Key::Hmac(_) => "HMAC-SHA256",
            Key::Ed25519(_) => "Ed25519",
            Key::Rsa(_) => "RSA",
        };
        f.debug_struct("Credentials").field("kind", &kind).finish_non_exhaustive()
    }
}

fn mac(keyed: &Hmac<Sha256>, payload: &[u8]) -> [u8; 32] {
    let mut mac = keyed.clone();
    mac.update(payload);
    mac.finalize().into_bytes().into()
}

fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    let pairs = text.chunks_exact_mut(2).zip(bytes);
    for (pair, byte) in pairs {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    out.extend_from_slice(&text);
}

fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
}

/// What stands between the lines `-----BEGIN PRIVATE KEY-----` and `-----END PRIVATE KEY-----`.
fn pem_body(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok()
}

#[cfg(test)]
#[path = "sign/tests.rs"]
mod tests;
