//! A small client: signed REST requests and sockets, with nothing hidden.

use std::time::Duration;

use domain::{Clock as _, Timestamp};
use futures_util::{SinkExt as _, StreamExt as _};
use paper_venue::{Credentials, MarketOptions, Options, PaperVenue, Running};
use ring::hmac;
use serde_json::{Value, json};
use telemetry::SystemClock;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// A venue with one account.
pub(crate) struct Desk {
    pub(crate) venue: Running,
    pub(crate) account: u32,
    pub(crate) keys: Credentials,
    pub(crate) http: reqwest::Client,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

/// A socket of JSON messages.
pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

pub(crate) fn empty_market() -> Options {
    Options::new(MarketOptions::Empty)
}

pub(crate) fn simulated_market() -> Options {
    let mut options = Options::new(MarketOptions::Sim { seed: 7, symbols: Vec::new() });
    options.history = Duration::from_secs(120);
    options
}

/// Starts a venue with an account that has money in it.
pub(crate) async fn open(options: Options) -> Desk {
    let venue = PaperVenue::start(options).await.unwrap();
    desk(venue).await
}

pub(crate) async fn desk(venue: Running) -> Desk {
    let balances = [("USDT", "100000"), ("BTC", "10")];
    let account = venue.admin.open_account(&balances).await.unwrap();
    let http = http();
    Desk { venue, account: account.id, keys: account.credentials, http }
}

pub(crate) fn http() -> reqwest::Client {
    // The client wants a cryptographic library even for plain connections.
    rustls::crypto::ring::default_provider().install_default().unwrap_or(());
    reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap()
}

pub(crate) fn sign(secret: &str, payload: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::sign(&key, payload.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parameters of a query as JSON, each a string.
pub(crate) fn fields(query: &str) -> Value {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

// === impl Reply ===

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn code(&self) -> i64 {
        self.json()["code"].as_i64().unwrap_or_else(|| panic!("no code: {}", self.text))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["msg"].as_str().unwrap_or_default().to_owned()
    }

    /// The JSON of an answer that must be a success.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }
}

// === impl Desk ===

impl Desk {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.venue.address)
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        self.try_send(request).await.unwrap()
    }

    pub(crate) async fn try_send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<Reply, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, text: response.text().await? })
    }

    /// An unsigned GET.
    pub(crate) async fn get(&self, path_and_query: &str) -> Reply {
        self.send(self.http.get(self.url(path_and_query))).await
    }

    pub(crate) fn signed_request(
        &self,
        method: &str,
        path: &str,
        params: &str,
    ) -> reqwest::RequestBuilder {
        let stamp = format!("timestamp={}", now().unix_millis());
        let payload = if params.is_empty() { stamp } else { format!("{params}&{stamp}") };
        let signature = sign(&self.keys.secret, &payload);
        let url = self.url(&format!("{path}?{payload}&signature={signature}"));
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, url).header("X-MBX-APIKEY", &self.keys.api_key)
    }

    /// A signed request with its parameters in the query.
    pub(crate) async fn signed(&self, method: &str, path: &str, params: &str) -> Reply {
        self.send(self.signed_request(method, path, params)).await
    }

    /// Places an order; a `LIMIT` one also gets its time in force.
    pub(crate) async fn order(&self, side: &str, price: &str, quantity: &str, more: &str) -> Reply {
        let more = if more.is_empty() { String::new() } else { format!("&{more}") };
        let params = format!(
            "symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=GTC&price={price}&quantity={quantity}{more}"
        );
        self.signed("POST", "/api/v3/order", &params).await
    }

    pub(crate) async fn socket(&self, path: &str) -> Socket {
        let url = format!("ws://{}{path}", self.venue.address);
        Socket(tokio_tungstenite::connect_async(url).await.unwrap().0)
    }

    /// A signed request over a socket.
    pub(crate) fn signed_message(&self, id: i64, method: &str, params: &Value) -> Value {
        let mut params = params.as_object().cloned().unwrap_or_default();
        params.insert("apiKey".to_owned(), json!(self.keys.api_key));
        params.insert("timestamp".to_owned(), json!(now().unix_millis()));
        // The map of this JSON library is sorted by name, as the signature wants it.
        let payload: Vec<String> = params
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) => format!("{name}={text}"),
                other => format!("{name}={other}"),
            })
            .collect();
        let signature = sign(&self.keys.secret, &payload.join("&"));
        params.insert("signature".to_owned(), json!(signature));
        json!({"id": id, "method": method, "params": params})
    }

    /// A socket that hears the account's events.
    pub(crate) async fn user_stream(&self) -> Socket {
        let mut socket = self.socket("/ws-api/v3").await;
        let subscribe = self.signed_message(1, "userDataStream.subscribe.signature", &json!({}));
        let answer = socket.ask(&subscribe).await;
        assert_eq!(answer["result"]["subscriptionId"], 0, "{answer}");
        socket
    }

    /// The ledger's entries of one kind.
    pub(crate) async fn entries(&self, kind: &str) -> Vec<Value> {
        let ledger: Value =
            serde_json::from_str(&self.venue.admin.ledger(0).await.unwrap()).unwrap();
        let entries = ledger["entries"].as_array().unwrap();
        entries.iter().filter(|entry| entry["entry"] == kind).cloned().collect()
    }
}

// === impl Socket ===

impl Socket {
    pub(crate) async fn tell(&mut self, message: &Value) {
        self.0.send(Message::Text(message.to_string().into())).await.unwrap();
    }

    pub(crate) async fn ask(&mut self, message: &Value) -> Value {
        self.tell(message).await;
        self.next().await
    }

    /// The next text; `None` at the end of the connection.
    pub(crate) async fn text(&mut self) -> Option<String> {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(10), self.0.next());
            match next.await.expect("nothing came in ten seconds") {
                Some(Ok(Message::Text(text))) => return Some(text.as_str().to_owned()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_) | Err(_)) | None => return None,
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Value {
        let text = self.text().await.expect("the connection ended");
        serde_json::from_str(&text).unwrap()
    }

    /// The next message for which this holds.
    pub(crate) async fn until(&mut self, holds: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next().await;
            if holds(&message) {
                return message;
            }
        }
    }
}
