//! Where Redis is and who we are there.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

/// An address of Redis with credentials; neither `Debug` nor errors show the password.
///
/// | form | means |
/// |---|---|
/// | `redis://[user[:password]@]host[:port][/db]` | TCP |
/// | `rediss://...[?ca=FILE]` | TLS, checked against public roots or the given file |
/// | `redis+unix:///path[?user=..&password=..&db=..]` | a Unix socket |
///
/// User and password are percent-decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    pub(super) target: Target,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) db: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Tcp { host: String, port: u16 },
    Tls { host: String, port: u16, ca: Option<PathBuf> },
    Unix(PathBuf),
}

/// Why a text is no address of Redis. It never repeats the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the Redis URL is wrong: {0}; it must look like redis://host:6379, rediss://host:6379 or \
     redis+unix:///run/redis.sock"
)]
pub struct RedisUrlError(&'static str);

// === impl RedisUrl ===

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    fn from_str(text: &str) -> Result<Self, RedisUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(RedisUrlError("it has no scheme"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        match scheme {
            "redis" => Self::network(rest, query, false),
            "rediss" => Self::network(rest, query, true),
            "redis+unix" | "unix" => Self::unix(rest, query),
            _ => Err(RedisUrlError("its scheme is unknown")),
        }
    }
}

impl RedisUrl {
    /// The name under which the server knows us, if the address has one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    fn network(rest: &str, query: &str, tls: bool) -> Result<Self, RedisUrlError> {
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        let (place, db) = place.split_once('/').unwrap_or((place, ""));
        let db = if db.is_empty() { 0 } else { number(db)? };
        let (host, port) = match place.rsplit_once(':') {
            // The colons of an IPv6 address stand within its brackets.
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().or(Err(RedisUrlError("its port is no port")))?)
            }
            _ => (place, 6379),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(RedisUrlError("it has no host"));
        }
        let (user, password) = match credentials.map(|c| c.split_once(':').unwrap_or((c, ""))) {
            Some((user, password)) => (some(decode(user)?), some(decode(password)?)),
            None => (None, None),
        };
        let mut ca = None;
        for (key, value) in pairs(query)? {
            match key {
                "ca" if tls => ca = Some(PathBuf::from(value)),
                _ => return Err(RedisUrlError("it has an unknown query parameter")),
            }
        }
        let target = if tls { Target::Tls { host, port, ca } } else { Target::Tcp { host, port } };
        Ok(Self { target, user, password, db })
    }

    fn unix(path: &str, query: &str) -> Result<Self, RedisUrlError> {
        if !path.starts_with('/') {
            return Err(RedisUrlError("the socket's path is not absolute"));
        }
        let target = Target::Unix(PathBuf::from(decode(path)?));
        let mut url = Self { target, user: None, password: None, db: 0 };
        for (key, value) in pairs(query)? {
            match key {
                "user" => url.user = some(value),
                "password" => url.password = some(value),
                "db" => url.db = number(&value)?,
                _ => return Err(RedisUrlError("it has an unknown query parameter")),
            }
        }
        Ok(url)
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn number(text: &str) -> Result<u32, RedisUrlError> {
    text.parse().or(Err(RedisUrlError("its database is no number")))
}

fn pairs(query: &str) -> Result<Vec<(&str, String)>, RedisUrlError> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (key, value) =
                part.split_once('=').ok_or(RedisUrlError("a query parameter has no value"))?;
            Ok((key, decode(value)?))
        })
        .collect()
}

fn decode(text: &str) -> Result<String, RedisUrlError> {
    const WRONG: RedisUrlError = RedisUrlError("a percent sign is not followed by two hex digits");
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = bytes.next().and_then(|b| char::from(b).to_digit(16)).ok_or(WRONG)?;
            u8::try_from(digit).or(Err(WRONG))
        };
        out.push(digit()? * 16 + digit()?);
    }
    String::from_utf8(out).or(Err(RedisUrlError("it is not UTF-8")))
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The address without credentials, for logs.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Tcp { host, port } => write!(f, "redis://{host}:{port}/{}", self.db),
            Target::Tls { host, port, .. } => write!(f, "rediss://{host}:{port}/{}", self.db),
            Target::Unix(path) => write!(f, "redis+unix://{}?db={}", path.display(), self.db),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let found = match text.parse::<RedisUrl>() {
            Ok(url) => format!("{url} user={:?} password={}", url.user, url.password.is_some()),
            Err(error) => error.0.to_owned(),
        };
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn every_form_is_read() {
        check("redis://localhost", "redis://localhost:6379/0 user=None password=false");
        check("redis://u:p%40ss@h:1/2", "redis://h:1/2 user=Some(\"u\") password=true");
        check("redis://:secret@h", "redis://h:6379/0 user=None password=true");
        check("redis://[::1]:7000", "redis://::1:7000/0 user=None password=false");
        check("redis://[::1]", "redis://::1:6379/0 user=None password=false");
        check("rediss://h?ca=/etc/ca.pem", "rediss://h:6379/0 user=None password=false");
        check(
            "redis+unix:///run/r.sock?user=u&password=p&db=1",
            "redis+unix:///run/r.sock?db=1 user=Some(\"u\") password=true",
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_repeating_it() {
        check("localhost:6379", "it has no scheme");
        check("http://h", "its scheme is unknown");
        check("redis://", "it has no host");
        check("redis://h:99999", "its port is no port");
        check("redis://h/x", "its database is no number");
        check("redis://u:%zz@h", "a percent sign is not followed by two hex digits");
        check("redis://h?tls=1", "it has an unknown query parameter");
        check("redis+unix://run/r.sock", "the socket's path is not absolute");
    }

    #[test]
    fn the_password_is_not_shown() {
        let url: RedisUrl = "redis://u:hunter2@h".parse().unwrap();
        assert!(!format!("{url:?} {url}").contains("hunter2"));
    }
}
