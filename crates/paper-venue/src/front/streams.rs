//! Connections that stay: pings, limits of a connection, subscriptions to market streams.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message as Ws, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Front;
use crate::engine::Message;
use crate::protocol::timing::TimeUnit;
use crate::protocol::{ApiError, Array, Object, Params};
use crate::streams::{ConnId, Frame, NewConn, Topic};

/// Frames that are written before the connection is flushed.
const WRITE_BATCH: usize = 128;

/// Request weight of a connection to the socket interface.
const CONNECT_WEIGHT: u32 = 2;

/// How a connection was opened.
#[derive(Debug)]
pub(super) struct How {
    /// Whether messages of the client are counted by the second.
    pub(super) is_counted: bool,
    pub(super) is_combined: bool,
    pub(super) unit: TimeUnit,
    pub(super) names: Vec<String>,
}

type Hearing = Pin<Box<dyn Future<Output = Option<Frame>> + Send>>;

/// What happens to a client's text; the answer is sent at once.
pub(super) struct Incoming(Box<dyn Fn(String) -> Hearing + Send + Sync>);

impl Incoming {
    pub(super) fn new(hear: impl Fn(String) -> Hearing + Send + Sync + 'static) -> Self {
        Self(Box::new(hear))
    }
}

pub(super) fn refuse(error: &ApiError) -> Response {
    let mut response = Response::new(Body::from(error.body()));
    *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    response
}

/// The streams that a path names; a number alone names none.
fn names_of(path: &str) -> Vec<String> {
    let names = path.split('/').filter(|name| !name.is_empty());
    names
        .filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}

fn unit_of(query: Option<&str>) -> Result<TimeUnit, ApiError> {
    let params = Params::try_new(query.unwrap_or(""), "").unwrap_or_default();
    params.peek("timeUnit").map_or(Ok(TimeUnit::Millis), TimeUnit::try_from_text)
}

pub(super) async fn raw(
    state: State<Front>,
    peer: ConnectInfo<SocketAddr>,
    query: RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    start(state.0, peer.0, (query.0, Vec::new(), false), upgrade)
}

pub(super) async fn raw_named(
    state: State<Front>,
    peer: ConnectInfo<SocketAddr>,
    path: Path<String>,
    query: RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    start(state.0, peer.0, (query.0, names_of(&path.0), false), upgrade)
}

pub(super) async fn combined(
    state: State<Front>,
    peer: ConnectInfo<SocketAddr>,
    query: RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    let params = Params::try_new(query.0.as_deref().unwrap_or(""), "").unwrap_or_default();
    let names = params.peek("streams").map(names_of).unwrap_or_default();
    start(state.0, peer.0, (query.0, names, true), upgrade)
}

fn start(
    front: Front,
    peer: SocketAddr,
    what: (Option<String>, Vec<String>, bool),
    upgrade: WebSocketUpgrade,
) -> Response {
    let (query, names, is_combined) = what;
    let unit = match unit_of(query.as_deref()) {
        Ok(unit) => unit,
        Err(error) => return refuse(&error),
    };
    let conn = front.next_conn();
    let how = How { is_counted: true, is_combined, unit, names };
    upgrade.on_upgrade(move |socket| async move {
        run(front, socket, (conn, peer), how, None).await;
    })
}

/// Serves a connection until either side ends it.
pub(super) async fn run(
    front: Front,
    socket: WebSocket,
    who: (ConnId, SocketAddr),
    how: How,
    incoming: Option<Incoming>,
) {
    let (conn, peer) = who;
    let (sender, frames) = mpsc::channel(crate::streams::FRAMES_MAX);
    let kill = CancellationToken::new();
    let new = NewConn {
        sender,
        kill: kill.clone(),
        is_combined: how.is_combined,
        unit: how.unit,
        address: super::address_of(peer),
        weight: if how.is_counted { 0 } else { CONNECT_WEIGHT },
    };
    let (reply, allowed) = oneshot::channel();
    let opened = Message::Open(conn, Box::new(new), reply);
    if !front.mailbox.send(opened).await || !matches!(allowed.await, Ok(Ok(()))) {
        return;
    }
    if !how.names.is_empty() {
        subscribe(&front, conn, how.names).await;
    }
    let incoming = incoming.unwrap_or_else(|| {
        let front = front.clone();
        Incoming::new(move |text| {
            let front = front.clone();
            Box::pin(async move { control(&front, conn, &text).await })
        })
    });
    let limit = if how.is_counted {
        front.mailbox.act(|core| core.limits.messages_per_second).await
    } else {
        None
    };
    let life = Life::new(&front, limit.unwrap_or(u32::MAX));
    life.serve(socket, frames, incoming, kill).await;
    front.mailbox.send(Message::Close(conn)).await;
}

/// The times of one connection.
struct Life {
    ping: Duration,
    pong: Duration,
    ends: Instant,
    stop: CancellationToken,
    messages_max: u32,
    second: Instant,
    messages: u32,
    /// Since when a ping is unanswered.
    waiting: Option<Instant>,
    is_silent: bool,
}

type Sink = SplitSink<WebSocket, Ws>;

/// How a connection ends.
enum End {
    /// Without a farewell: it is lost, or a fault wants it so.
    Cut,
    /// The other side said farewell.
    Heard,
    /// This side does, with this.
    Told(CloseFrame),
}

// === impl Life ===

impl Life {
    fn new(front: &Front, messages_max: u32) -> Self {
        let now = Instant::now();
        Self {
            ping: front.intervals.ping,
            pong: front.intervals.pong,
            ends: now + front.intervals.lifetime,
            stop: front.stop.clone(),
            messages_max,
            second: now,
            messages: 0,
            waiting: None,
            is_silent: false,
        }
    }

    async fn serve(
        mut self,
        socket: WebSocket,
        mut frames: mpsc::Receiver<Frame>,
        incoming: Incoming,
        kill: CancellationToken,
    ) {
        let (mut sink, mut stream) = socket.split();
        let close =
            |code, reason: &'static str| End::Told(CloseFrame { code, reason: reason.into() });
        let mut batch = Vec::with_capacity(WRITE_BATCH);
        let mut ping = tokio::time::interval_at(Instant::now() + self.ping, self.ping);
        let ends = self.ends;
        let end = loop {
            tokio::select! {
                count = frames.recv_many(&mut batch, WRITE_BATCH) => {
                    if count == 0 {
                        break close(1001, "");
                    }
                    if !self.write(&mut sink, &mut batch).await {
                        break End::Cut;
                    }
                }
                message = stream.next() => {
                    let Some(Ok(message)) = message else { break End::Cut };
                    if !self.count() {
                        break close(1008, "Too many requests");
                    }
                    if let Some(end) = self.hear(&mut sink, message, &incoming).await {
                        break end;
                    }
                }
                _ = ping.tick() => {
                    if !self.beat(&mut sink).await {
                        break close(1008, "Pong timeout");
                    }
                }
                () = tokio::time::sleep_until(ends) => break close(1001, ""),
                () = kill.cancelled() => break close(1008, "disconnected"),
                () = self.stop.cancelled() => break close(1001, ""),
            }
        };
        if self.is_silent {
            return;
        }
        let farewell = async {
            match end {
                End::Cut => return,
                // The answer to the other side's farewell waits underneath.
                End::Heard => sink.flush().await.unwrap_or(()),
                End::Told(frame) => sink.send(Ws::Close(Some(frame))).await.unwrap_or(()),
            }
            // Whoever ends a connection with something unread in it loses what was sent last.
            while let Some(Ok(_)) = stream.next().await {}
        };
        tokio::time::timeout(Duration::from_secs(1), farewell).await.unwrap_or(());
    }

    /// Writes frames; false when the connection ends without a farewell.
    async fn write(&mut self, sink: &mut Sink, batch: &mut Vec<Frame>) -> bool {
        for frame in batch.drain(..) {
            match frame {
                Frame::Text(text) => {
                    if sink.feed(Ws::Text(text)).await.is_err() {
                        return false;
                    }
                }
                Frame::Silence => self.is_silent = true,
                Frame::Close => {
                    // Whether it arrives does not matter any more.
                    sink.flush().await.unwrap_or(());
                    return false;
                }
            }
        }
        sink.flush().await.is_ok()
    }

    /// Takes a message of the client; gives how the connection ends, if it does.
    async fn hear(&mut self, sink: &mut Sink, message: Ws, incoming: &Incoming) -> Option<End> {
        match &message {
            Ws::Text(_) => {}
            Ws::Pong(_) => {
                self.waiting = None;
                return None;
            }
            // Pings are answered underneath.
            Ws::Ping(_) | Ws::Binary(_) => return None,
            Ws::Close(_) => return Some(End::Heard),
        }
        let text = super::sockets::text_of(&message)?;
        if self.is_silent {
            return None;
        }
        match (incoming.0)(text.to_owned()).await? {
            Frame::Text(text) => sink.send(Ws::Text(text)).await.is_err().then_some(End::Cut),
            Frame::Silence | Frame::Close => Some(End::Cut),
        }
    }

    /// Counts a message; false when there were too many in this second.
    fn count(&mut self) -> bool {
        let now = Instant::now();
        if now.duration_since(self.second) >= Duration::from_secs(1) {
            self.second = now;
            self.messages = 0;
        }
        self.messages = self.messages.saturating_add(1);
        self.messages <= self.messages_max
    }

    /// Sends a ping; false when the last one was never answered.
    async fn beat(&mut self, sink: &mut Sink) -> bool {
        if self.is_silent {
            return true;
        }
        let now = Instant::now();
        if self.waiting.is_some_and(|since| now.duration_since(since) >= self.pong) {
            return false;
        }
        self.waiting.get_or_insert(now);
        sink.send(Ws::Ping(bytes::Bytes::from_static(b"1"))).await.is_ok()
    }
}

/// A message to a stream connection.
#[derive(Debug, Deserialize)]
struct Control<'a> {
    #[serde(default)]
    method: String,
    #[serde(default)]
    params: Vec<serde_json::Value>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

fn fault(id: &str, code: i32, message: &str) -> Frame {
    let error = Object::new().int("code", code).str("msg", message).end();
    Frame::Text(Object::new().raw("error", &error).raw("id", id).end().into())
}

fn done(id: &str, result: &str) -> Frame {
    Frame::Text(Object::new().raw("result", result).raw("id", id).end().into())
}

/// Adds streams; gives a refusal when that is more than allowed.
async fn subscribe(front: &Front, conn: ConnId, names: Vec<String>) -> Option<&'static str> {
    let outcome = front.mailbox.act(move |core| {
        let mut streams = Vec::with_capacity(names.len());
        for name in names {
            if let Some(account) = core.listen_keys.get(&name).copied() {
                if let Some(open) = core.hub.conn(conn) {
                    let number = open.next_user;
                    open.next_user = number.saturating_add(1);
                    let user = crate::streams::Subscriber {
                        account,
                        listen_key: Some(name),
                        ends_with_session: false,
                    };
                    open.users.insert(number, user);
                }
                continue;
            }
            let Ok(topic) = Topic::parse(&name, &core.lower) else {
                return Some("Invalid request: invalid stream");
            };
            streams.push((name, topic));
        }
        let max = usize::try_from(core.limits.streams_per_connection).unwrap_or(usize::MAX);
        (!core.hub.subscribe(conn, streams, max))
            .then_some("Invalid request: too many streams for one connection")
    });
    outcome.await.flatten()
}

/// Answers a message to a stream connection.
async fn control(front: &Front, conn: ConnId, text: &str) -> Option<Frame> {
    let Ok(control) = serde_json::from_str::<Control<'_>>(text) else {
        return Some(fault("null", 2, "Invalid JSON: expected value"));
    };
    let id = control.id.map_or("null", RawValue::get);
    let is_short = serde_json::from_str::<String>(id).is_ok_and(|text| text.len() <= 36);
    if id.parse::<i64>().is_err() && id != "null" && !is_short {
        return Some(fault(
            "null",
            2,
            "Invalid request: request ID must be an unsigned integer, a string of up to 36 characters, or null",
        ));
    }
    let names: Option<Vec<String>> =
        control.params.iter().map(|value| value.as_str().map(str::to_owned)).collect();
    let frame = match (control.method.as_str(), names) {
        ("SUBSCRIBE", Some(names)) => match subscribe(front, conn, names).await {
            Some(message) => fault(id, 2, message),
            None => done(id, "null"),
        },
        ("UNSUBSCRIBE", Some(names)) => {
            front.mailbox.act(move |core| core.hub.unsubscribe(conn, &names)).await?;
            done(id, "null")
        }
        ("LIST_SUBSCRIPTIONS", _) => {
            let names = front.mailbox.act(move |core| {
                let mut names = Array::new();
                for name in core.hub.names(conn) {
                    names.str(name);
                }
                names.end()
            });
            done(id, &names.await?)
        }
        ("SET_PROPERTY" | "GET_PROPERTY", _) => property(front, conn, &control, id).await?,
        ("SUBSCRIBE" | "UNSUBSCRIBE", None) => {
            fault(id, 2, "Invalid request: params must be an array of strings")
        }
        _ => fault(
            id,
            2,
            "Invalid request: unknown variant, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`",
        ),
    };
    Some(frame)
}

/// The property `combined`.
async fn property(front: &Front, conn: ConnId, control: &Control<'_>, id: &str) -> Option<Frame> {
    if control.params.first().and_then(|name| name.as_str()) != Some("combined") {
        return Some(fault(id, 0, "Unknown property"));
    }
    if control.method == "GET_PROPERTY" {
        let value = front
            .mailbox
            .act(move |core| core.hub.conn(conn).is_some_and(|open| open.new.is_combined));
        return Some(done(id, if value.await? { "true" } else { "false" }));
    }
    let Some(value) = control.params.get(1).and_then(serde_json::Value::as_bool) else {
        return Some(fault(id, 1, "Invalid value type: expected Boolean"));
    };
    front
        .mailbox
        .act(move |core| {
            if let Some(open) = core.hub.conn(conn) {
                open.new.is_combined = value;
            }
        })
        .await?;
    Some(done(id, "null"))
}
