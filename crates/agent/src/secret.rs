//! Secrets: kept in files that only their owner can read, compared in constant time, never shown.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;

/// A bearer token, of which only a hash is kept.
#[derive(Clone)]
pub struct Secret([u8; 32]);

/// Why there is no secret.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The file cannot be read or written.
    #[error("token file {}: {why}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        why: io::Error,
    },
    /// The file holds too little to be a secret.
    #[error("token file {}: it must hold at least 32 characters; remove it to have one made", .0.display())]
    Weak(PathBuf),
    /// Others can read the file.
    #[error("token file {}: others can read it; run: chmod 600 {}", .0.display(), .0.display())]
    Exposed(PathBuf),
    /// The machine gives no random numbers.
    #[error("the machine gives no random numbers")]
    NoRandomness,
}

// === impl Secret ===

impl Secret {
    /// The secret of this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(hash(text))
    }

    /// Whether `presented` is the secret. Hashes of equal length are compared, each byte whatever
    /// the bytes before it were, so that the time says nothing about the secret.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        let presented = hash(presented);
        let difference = self.0.iter().zip(presented).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

fn hash(text: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().try_into().expect("invariant: SHA-256 has 32 bytes")
}

/// Reads the token in a file, or makes one of 256 random bits that only the owner can read.
///
/// # Errors
/// [`SecretError`], also when the file can be read by others.
pub fn load_or_make_token(path: &Path) -> Result<String, SecretError> {
    let wrong = |why| SecretError::File { path: path.to_owned(), why };
    match fs::read_to_string(path) {
        Ok(text) => {
            let mode = fs::metadata(path).map_err(wrong)?.permissions().mode();
            // A secret mounted read-only into a container is guarded by the container.
            if mode & 0o022 != 0 || (mode & 0o044 != 0 && mode & 0o200 != 0) {
                return Err(SecretError::Exposed(path.to_owned()));
            }
            let token = text.trim().to_owned();
            if token.len() < 32 { Err(SecretError::Weak(path.to_owned())) } else { Ok(token) }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let token = random_token()?;
            let mut options = OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(path);
            match file {
                Ok(mut file) => {
                    writeln!(file, "{token}").and_then(|()| file.sync_all()).map_err(wrong)?;
                    Ok(token)
                }
                // Another process was faster: its token is the token.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    load_or_make_token(path)
                }
                Err(error) => Err(wrong(error)),
            }
        }
        Err(error) => Err(wrong(error)),
    }
}

/// 256 random bits in hex.
fn random_token() -> Result<String, SecretError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).or(Err(SecretError::NoRandomness))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_for_its_owner_only() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("token");
        let token = load_or_make_token(&path).unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!(load_or_make_token(&path).unwrap(), token);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_token_that_others_can_read_or_that_is_short_is_refused() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "x".repeat(64)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = load_or_make_token(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(matches!(load_or_make_token(&path), Err(SecretError::Weak(_))));
    }

    #[test]
    fn only_the_secret_itself_matches() {
        let secret = Secret::new("correct horse");
        assert!(secret.matches("correct horse"));
        for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(!secret.matches(wrong), "{wrong:?}");
        }
        assert_eq!(format!("{secret:?}"), "Secret");
    }
}
