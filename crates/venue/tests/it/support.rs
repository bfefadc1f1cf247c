//! A server that answers by a script: HTTP, market streams and sessions on one port.
//!
//! It checks every signature over the exact bytes it was sent, with another implementation than
//! the one under test.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::{ClientOrderId, NewOrder, OrderKind, Side, Symbol, TimeInForce, Timestamp};
use futures_util::{SinkExt, StreamExt};
use risk::{
    Approved, Breaker, BreakerState, Context, Exposure, Halt, Limits, LossStreak, Market, Standing,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use venue::LastCheck;
use venue::binance::Credentials;

pub(crate) const API_KEY: &str = "test-key";
pub(crate) const SECRET: &str = "test-secret";

/// How a request is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// With a status and a body.
    Answer(u16, String),
    /// With one more header.
    Header(u16, &'static str, String),
    /// With these bytes, after which the connection is closed.
    Raw(String),
    /// Not at all; the connection is closed.
    Close,
    /// Not at all; the connection stays open.
    Silence,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `POST /api/v3/order`, or the method of a session.
    pub(crate) what: String,
    /// The query and the body, or the parameters of a session, without the signature.
    pub(crate) params: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Push {
    /// To every market stream.
    Market(String),
    /// To every session.
    Account(String),
    /// Closes every socket.
    Close,
}

#[derive(Debug)]
struct Shared {
    script: Mutex<BTreeMap<String, VecDeque<Reply>>>,
    standing: Mutex<BTreeMap<String, Reply>>,
    seen: Mutex<Vec<Seen>>,
    pushes: broadcast::Sender<Push>,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) base: String,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            script: Mutex::default(),
            standing: Mutex::new(standing()),
            seen: Mutex::default(),
            pushes: broadcast::channel(1024).0,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { base, shared, tasks }
    }

    /// Answers the next request of that kind so; later ones as usual.
    pub(crate) fn next(&self, what: &str, reply: Reply) {
        self.shared.script.lock().unwrap().entry(what.to_owned()).or_default().push_back(reply);
    }

    /// Answers every request of that kind so from now on.
    pub(crate) fn always(&self, what: &str, reply: Reply) {
        self.shared.standing.lock().unwrap().insert(what.to_owned(), reply);
    }

    pub(crate) fn push(&self, push: Push) {
        drop(self.shared.pushes.send(push));
    }

    /// What has come of that kind.
    pub(crate) fn seen(&self, what: &str) -> Vec<String> {
        let seen = self.shared.seen.lock().unwrap();
        seen.iter().filter(|one| one.what == what).map(|one| one.params.clone()).collect()
    }

    /// Closes the port and every connection.
    pub(crate) async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }
}

fn ok(body: &str) -> Reply {
    Reply::Answer(200, body.to_owned())
}

fn standing() -> BTreeMap<String, Reply> {
    let info = include_str!("../payloads/binance_exchange_info.json");
    let account = r#"{"canTrade":true,"commissionRates":{"maker":"0.001","taker":"0.001"},"balances":[{"asset":"USDT","free":"100","locked":"0"}]}"#;
    let session = r#"{"subscriptionId":0}"#;
    [
        ("GET /api/v3/exchangeInfo", ok(info)),
        ("GET /sapi/v1/account/apiRestrictions", ok(r#"{"enableWithdrawals":false}"#)),
        ("GET /api/v3/account", ok(account)),
        (
            "GET /api/v3/depth",
            ok(r#"{"lastUpdateId":10,"bids":[["100.00","1"]],"asks":[["101.00","1"]]}"#),
        ),
        ("userDataStream.subscribe.signature", ok(session)),
        ("ping", ok("{}")),
    ]
    .map(|(what, reply)| (what.to_owned(), reply))
    .into()
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&shared)));
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut peeked = [0; 2048];
    let count = stream.peek(&mut peeked).await.unwrap_or(0);
    let head = String::from_utf8_lossy(&peeked[..count]).to_ascii_lowercase();
    if head.contains("upgrade: websocket") {
        let kind = if head.starts_with("get /ws-api/v3") {
            Kind::Session
        } else if head.starts_with("get /v5/private") {
            Kind::Private
        } else if head.starts_with("get /v5/public/spot") {
            Kind::Public
        } else {
            Kind::Market
        };
        socket(stream, shared, kind).await;
        return;
    }
    let mut buffer = Vec::new();
    while let Some((what, params)) = request(&mut stream, &mut buffer).await {
        let bytes = match shared.reply(&what, params) {
            Reply::Answer(status, body) => response(status, "", &body),
            Reply::Header(status, header, body) => response(status, header, &body),
            Reply::Raw(text) => {
                drop(stream.write_all(text.as_bytes()).await);
                return;
            }
            Reply::Close => return,
            Reply::Silence => std::future::pending().await,
        };
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

fn response(status: u16, header: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{header}\r\n{body}").into_bytes()
}

/// Reads a request and checks its signature.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
            });
            let whole = end + 4 + length.unwrap_or(0);
            if buffer.len() >= whole {
                let body = String::from_utf8(buffer[end + 4..whole].to_vec()).unwrap();
                buffer.drain(..whole);
                return Some(checked(&head, &body));
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn checked(head: &str, body: &str) -> (String, String) {
    let mut words = head.split_whitespace();
    let (method, uri) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let params = format!("{query}{body}");
    let has_key = head.to_ascii_lowercase().contains(&format!("x-mbx-apikey: {API_KEY}"));
    if let Some(signature) = header(head, "x-bapi-sign") {
        let of = |name| header(head, name).unwrap();
        assert_eq!(of("x-bapi-api-key"), API_KEY);
        let (time, window) = (of("x-bapi-timestamp"), of("x-bapi-recv-window"));
        assert_eq!(signature, hmac(&format!("{time}{API_KEY}{window}{params}")), "of {params}");
    }
    let unsigned = match params.split_once("&signature=") {
        Some((signed, signature)) => {
            assert_eq!(signature, hmac(signed), "of {signed}");
            assert!(has_key, "{head}");
            signed.to_owned()
        }
        None => params,
    };
    (format!("{method} {path}"), unsigned)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

pub(crate) fn hmac(text: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    ring::hmac::sign(&key, text.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

impl Shared {
    fn reply(&self, what: &str, params: String) -> Reply {
        self.seen.lock().unwrap().push(Seen { what: what.to_owned(), params });
        if let Some(reply) = self.script.lock().unwrap().get_mut(what).and_then(VecDeque::pop_front)
        {
            return reply;
        }
        if what == "GET /v5/market/time" {
            let nanos = now().unix_nanos();
            return ok(&format!("{{\"retCode\":0,\"result\":{{\"timeNano\":\"{nanos}\"}}}}"));
        }
        if what == "GET /api/v3/time" {
            return ok(&format!("{{\"serverTime\":{}}}", now().unix_millis()));
        }
        let standing = self.standing.lock().unwrap().get(what).cloned();
        standing.unwrap_or_else(|| Reply::Answer(404, String::new()))
    }
}

/// Which protocol a socket speaks, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Session,
    Market,
    Private,
    Public,
}

async fn socket(stream: TcpStream, shared: Arc<Shared>, kind: Kind) {
    let is_session = matches!(kind, Kind::Session | Kind::Private);
    let mut pushes = shared.pushes.subscribe();
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
    loop {
        tokio::select! {
            pushed = pushes.recv() => {
                let text = match pushed {
                    Ok(Push::Market(text)) if !is_session => text,
                    Ok(Push::Account(text)) if is_session => text,
                    Ok(Push::Close) | Err(_) => return,
                    Ok(_) => continue,
                };
                if socket.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
            message = socket.next() => {
                let Some(Ok(message)) = message else { return };
                let Message::Text(text) = message else { continue };
                let asked: serde_json::Value = serde_json::from_str(&text).unwrap();
                let reply = if kind == Kind::Session {
                    session(&shared, &asked)
                } else if asked["op"].is_string() {
                    Some(operation(&shared, &asked))
                } else {
                    let what = asked["method"].as_str().unwrap().to_owned();
                    shared.seen.lock().unwrap().push(Seen { what, params: asked["params"].to_string() });
                    Some(format!("{{\"result\":null,\"id\":{}}}", asked["id"]))
                };
                match reply {
                    Some(text) if text.is_empty() => return,
                    Some(text) => drop(socket.send(Message::text(text)).await),
                    None => {}
                }
            }
        }
    }
}

/// The answer to an operation of Bybit's sockets.
fn operation(shared: &Shared, asked: &serde_json::Value) -> String {
    let (op, args) = (asked["op"].as_str().unwrap(), &asked["args"]);
    if op == "auth" {
        assert_eq!(args[0], API_KEY);
        assert_eq!(args[2], hmac(&format!("GET/realtime{}", args[1])));
    }
    match shared.reply(op, args.to_string()) {
        Reply::Answer(401, why) => {
            format!("{{\"success\":false,\"ret_msg\":\"{why}\",\"op\":\"{op}\"}}")
        }
        _ => format!("{{\"success\":true,\"ret_msg\":\"\",\"op\":\"{op}\",\"conn_id\":\"1\"}}"),
    }
}

/// The answer of a session: empty to close, `None` for silence.
fn session(shared: &Shared, asked: &serde_json::Value) -> Option<String> {
    let params = asked["params"].as_object().unwrap();
    let mut pairs: Vec<(String, String)> = params
        .iter()
        .filter(|(name, _)| *name != "signature")
        .map(|(name, value)| {
            (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect();
    pairs.sort();
    let payload =
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    if let Some(signature) = params.get("signature") {
        assert_eq!(signature, &hmac(&payload), "of {payload}");
    }
    let id = &asked["id"];
    match shared.reply(asked["method"].as_str().unwrap(), payload) {
        Reply::Answer(200, body) => {
            Some(format!("{{\"id\":{id},\"status\":200,\"result\":{body}}}"))
        }
        Reply::Answer(status, body) => {
            Some(format!("{{\"id\":{id},\"status\":{status},\"error\":{body}}}"))
        }
        Reply::Close => Some(String::new()),
        _ => None,
    }
}

pub(crate) fn now() -> Timestamp {
    domain::Clock::now(&testkit::WallClock)
}

pub(crate) fn credentials() -> Credentials {
    Credentials::hmac(API_KEY, SECRET).unwrap()
}

pub(crate) fn btcusdt() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

pub(crate) fn id(text: &str) -> ClientOrderId {
    text.parse().unwrap()
}

pub(crate) fn order(name: &str) -> NewOrder {
    NewOrder {
        client_order_id: id(name),
        symbol: btcusdt(),
        side: Side::Buy,
        quantity: "0.5".parse().unwrap(),
        kind: OrderKind::Limit {
            price: "100".parse().unwrap(),
            time_in_force: TimeInForce::GoodTilCanceled,
            post_only: false,
        },
    }
}

/// The order with the gate's approval, given at a market around its price.
pub(crate) fn approved(order: NewOrder) -> Approved<NewOrder> {
    let instrument = domain::Instrument {
        symbol: order.symbol.clone(),
        base: "BTC".parse().unwrap(),
        quote: "USDT".parse().unwrap(),
        tick_size: "0.01".parse().unwrap(),
        step_size: "0.00001".parse().unwrap(),
        quantity_min: "0.00001".parse().unwrap(),
        quantity_max: "9000".parse().unwrap(),
        notional_min: "5".parse().unwrap(),
        maker_fee: domain::Rate::ZERO,
        taker_fee: domain::Rate::ZERO,
        filters: domain::Filters::default(),
    };
    let at = Timestamp::from_unix_millis(0);
    let market = Market::try_new("99.99".parse().unwrap(), "100.01".parse().unwrap(), at).unwrap();
    let ctx = Context {
        limits: &Limits::default(),
        limits_age_ms: 0,
        halt: &Halt::Running { version: 1 },
        now: at,
        instrument: &instrument,
        quote: &instrument.quote,
        market: Some(&market),
        equity: Some("1000000".parse().unwrap()),
        day_loss: Some(domain::Decimal::ZERO),
        exposure: &Exposure::default(),
        breaker: &Breaker::Known { version: 1, state: BreakerState::Closed },
        standing: &Standing {
            week_loss: Some(domain::Decimal::ZERO),
            drawdown: Some(domain::Decimal::ZERO),
            streak: LossStreak::default(),
            orders_in_window: 0,
        },
        portfolio: None,
    };
    risk::check(order, &ctx).unwrap()
}

/// Lets everything pass.
#[derive(Debug)]
pub(crate) struct Yes;

impl LastCheck for Yes {
    fn may_send(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Lets nothing pass.
#[derive(Debug)]
pub(crate) struct No;

impl LastCheck for No {
    fn may_send(&self) -> Result<(), String> {
        Err("the lease has run out".to_owned())
    }
}

/// Waits until something is so; fails after ten seconds.
#[track_caller]
pub(crate) fn until<F: FnMut() -> bool>(
    what: &str,
    mut is_so: F,
) -> impl Future<Output = ()> + use<F> {
    let what = what.to_owned();
    async move {
        let waiting = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), waiting).await;
        assert!(waited.is_ok(), "it never became so: {what}");
    }
}
