//! The socket interface: requests and answers as JSON over one connection.

use std::net::SocketAddr;

use axum::extract::ws::{Message as Ws, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

use super::streams::{self, Incoming};
use super::{Front, address_of};
use crate::core::{Auth, ReplyTo, Request};
use crate::engine::Message;
use crate::ops::{self, Security};
use crate::protocol::params::Params;
use crate::protocol::signature::socket_payload;
use crate::protocol::timing::TimeUnit;
use crate::protocol::{ApiError, Object, json};
use crate::streams::{ConnId, Frame};

/// A request as it comes in.
#[derive(Debug, Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    method: Option<String>,
    #[serde(borrow, default)]
    params: Option<BTreeMap<String, &'a RawValue>>,
}

/// What all requests of a connection share.
#[derive(Debug, Clone)]
struct Session {
    front: Front,
    conn: ConnId,
    peer: SocketAddr,
    unit: TimeUnit,
    /// Whether answers show the limits unless a request says otherwise.
    shows_limits: bool,
}

pub(super) async fn open(
    State(front): State<Front>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    let query = Params::try_new(query.as_deref().unwrap_or(""), "").unwrap_or_default();
    let unit = match query.peek("timeUnit").map(TimeUnit::try_from_text) {
        Some(Ok(unit)) => unit,
        Some(Err(error)) => return streams::refuse(&error),
        None => TimeUnit::Millis,
    };
    if query.peek("responseFormat") == Some("sbe") {
        return streams::refuse(&ApiError::no_sbe());
    }
    let shows_limits = query.peek("returnRateLimits") != Some("false");
    let conn = front.next_conn();
    upgrade.on_upgrade(move |socket: WebSocket| async move {
        let session = Session { front: front.clone(), conn, peer, unit, shows_limits };
        let how = streams::How { is_counted: false, is_combined: false, unit, names: Vec::new() };
        streams::run(
            front,
            socket,
            (conn, peer),
            how,
            Some(Incoming::new(move |text| {
                let session = session.clone();
                Box::pin(async move { session.hear(&text).await })
            })),
        )
        .await;
    })
}

fn error_text(id: &str, error: &ApiError) -> Frame {
    let body = Object::new().int("code", error.code).str("msg", &error.message).end();
    let text = Object::new().raw("id", id).int("status", error.status).raw("error", &body).end();
    Frame::Text(text.into())
}

/// The text of a JSON value as it is signed: strings without quotes, all else as it stands.
fn plain(value: &RawValue) -> String {
    let text = value.get();
    if text.starts_with('"') {
        serde_json::from_str(text).unwrap_or_default()
    } else {
        text.to_owned()
    }
}

/// An id may be a number, a short string or null.
fn id_text(id: Option<&RawValue>) -> Result<String, ApiError> {
    let Some(id) = id else { return Ok("null".to_owned()) };
    let text = id.get();
    let is_number = text.parse::<i64>().is_ok();
    let string: Option<String> = serde_json::from_str(text).ok();
    if is_number || text == "null" || string.as_ref().is_some_and(|text| text.len() <= 36) {
        return Ok(text.to_owned());
    }
    Err(ApiError::illegal("id", "^[a-zA-Z0-9-_]{1,36}$"))
}

// === impl Session ===

impl Session {
    /// One message of the client; gives what is answered at once.
    async fn hear(&self, text: &str) -> Option<Frame> {
        let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else {
            return Some(error_text("null", &ApiError::invalid_json()));
        };
        let id = match id_text(envelope.id) {
            Ok(id) => id,
            Err(error) => return Some(error_text("null", &error)),
        };
        match self.read(&envelope, &id) {
            Ok(request) => {
                let sent = self.front.mailbox.send(Message::Request(Box::new(request))).await;
                (!sent).then(|| error_text(&id, &ApiError::disconnected()))
            }
            Err(error) => Some(error_text(&id, &error)),
        }
    }

    fn read(&self, envelope: &Envelope<'_>, id: &str) -> Result<Request, ApiError> {
        let method = envelope.method.as_deref().unwrap_or("");
        let op = ops::by_method(method)
            .ok_or_else(|| ApiError::new(-1130, format!("Unknown method: {}", escaped(method))))?;
        let pairs: Vec<(String, String)> = envelope
            .params
            .iter()
            .flatten()
            .filter(|(_, value)| value.get() != "null")
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect();
        let find =
            |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, v)| v.as_str());
        let key = find("apiKey");
        let auth = match op.security {
            Security::Open => Auth::Open,
            // Without a key of its own a request is the one's who logged on.
            Security::Key | Security::Signed if key.is_none() && find("signature").is_none() => {
                Auth::Session
            }
            Security::Key => Auth::Session,
            Security::Signed => {
                let all = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                self.front.signer(key, &socket_payload(all), find("signature"))
            }
        };
        let shows_limits = match find("returnRateLimits") {
            Some("false") => false,
            Some("true") => true,
            _ => self.shows_limits,
        };
        let hidden = ["apiKey", "signature", "returnRateLimits"];
        let params = Params::from_pairs(
            pairs.into_iter().filter(|(name, _)| !hidden.contains(&name.as_str())),
        );
        Ok(Request {
            op,
            method: "WS".to_owned(),
            path: method.to_owned(),
            params,
            unit: self.unit,
            address: address_of(self.peer),
            auth,
            reply: ReplyTo::Conn { conn: self.conn, id: id.to_owned(), shows_limits },
        })
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    json::quote(&mut out, &text.chars().take(60).collect::<String>());
    out.trim_matches('"').to_owned()
}

/// Whether a message of a client is text.
pub(super) fn text_of(message: &Ws) -> Option<&str> {
    match message {
        Ws::Text(text) => Some(text.as_str()),
        _ => None,
    }
}
