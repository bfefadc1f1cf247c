//! Who may talk to the coordinator: bearers of its token, and no web page that is not listed.
//!
//! A page in a browser can reach loopback addresses, and by changing what its own host name
//! resolves to it can do so under its own name. So the `Host` must be one that the coordinator is
//! known by and an `Origin`, which only browsers send, must be listed.

use std::sync::Arc;

use agent::Secret;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The names that every machine has for itself.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Decides who may talk.
#[derive(Debug, Clone)]
pub struct Guard(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    token: Option<Secret>,
    hosts: Vec<String>,
    origins: Vec<String>,
}

// === impl Guard ===

impl Guard {
    /// A guard for a coordinator that is also known by `hosts` and may be called by pages of
    /// `origins`. Without a token everybody may talk: only for tests of the protocol itself.
    #[must_use]
    pub fn new(token: Option<Secret>, hosts: &[String], origins: &[String]) -> Self {
        Self(Arc::new(Rules { token, hosts: hosts.to_vec(), origins: origins.to_vec() }))
    }

    /// Host names under which the coordinator is reached, without ports.
    pub(crate) fn hosts(&self) -> Vec<String> {
        LOOPBACK.iter().map(|&host| host.to_owned()).chain(self.0.hosts.iter().cloned()).collect()
    }

    pub(crate) fn origins(&self) -> Vec<String> {
        self.0.origins.clone()
    }

    /// Turns away web pages: for every route.
    pub(crate) async fn no_foreign_page(
        State(guard): State<Self>,
        request: Request,
        next: Next,
    ) -> Response {
        match guard.foreign(request.headers()) {
            None => next.run(request).await,
            Some(why) => refuse(StatusCode::FORBIDDEN, &why),
        }
    }

    /// Asks for the token.
    pub(crate) async fn bearer(
        State(guard): State<Self>,
        request: Request,
        next: Next,
    ) -> Response {
        if guard.is_bearer(request.headers()) {
            return next.run(request).await;
        }
        let mut response = refuse(
            StatusCode::UNAUTHORIZED,
            "a bearer token is needed: Authorization: Bearer TOKEN",
        );
        let challenge = header::HeaderValue::from_static("Bearer realm=\"bot4\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        response
    }

    fn is_bearer(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.0.token else { return true };
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, presented)) = value.and_then(|value| value.split_once(' ')) else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer") && token.matches(presented.trim())
    }

    fn foreign(&self, headers: &HeaderMap) -> Option<String> {
        let text = |name| headers.get(name).map(|v| v.to_str().unwrap_or("(not text)"));
        let host = text(header::HOST).unwrap_or("(none)");
        if !self.knows(host) {
            return Some(format!(
                "host {host:?} is not one of mine: http.allowed_hosts lists further ones"
            ));
        }
        match text(header::ORIGIN) {
            Some(origin) if !self.0.origins.iter().any(|listed| listed == origin) => Some(format!(
                "origin {origin:?} is not allowed: http.allowed_origins lists those that are"
            )),
            Some(_) | None => None,
        }
    }

    fn knows(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            // The colons of an IPv6 address stand within its brackets.
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        LOOPBACK.iter().any(|known| name.eq_ignore_ascii_case(known))
            || self.0.hosts.iter().any(|known| name.eq_ignore_ascii_case(known))
    }
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn guard() -> Guard {
        let (hosts, origins) = (["bot4.example".to_owned()], ["https://app.example".to_owned()]);
        Guard::new(Some(Secret::new("token")), &hosts, &origins)
    }

    #[test]
    fn own_names_pass_and_others_do_not() {
        for own in ["localhost", "127.0.0.1:3000", "[::1]:3000", "LOCALHOST:1", "bot4.example:443"]
        {
            assert_eq!(guard().foreign(&headers(&[("host", own)])), None, "{own}");
        }
        for other in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:3000", ""] {
            assert!(guard().foreign(&headers(&[("host", other)])).is_some(), "{other}");
        }
        assert!(guard().foreign(&headers(&[])).is_some());
    }

    #[test]
    fn only_listed_pages_pass() {
        let from = |origin| headers(&[("host", "localhost"), ("origin", origin)]);
        assert_eq!(guard().foreign(&from("https://app.example")), None);
        for other in ["null", "https://evil.example", "http://localhost:3000"] {
            assert!(guard().foreign(&from(other)).is_some(), "{other}");
        }
    }

    #[test]
    fn only_the_token_passes() {
        for value in ["Bearer token", "bearer token", "BEARER  token"] {
            assert!(guard().is_bearer(&headers(&[("authorization", value)])), "{value}");
        }
        for value in ["token", "Bearer", "Bearer ", "Basic token", "Bearer tokens"] {
            assert!(!guard().is_bearer(&headers(&[("authorization", value)])), "{value}");
        }
        assert!(!guard().is_bearer(&headers(&[])));
    }
}
