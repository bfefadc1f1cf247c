//! Requests that are none, as a careless caller sends them: each is told why, where it can be told.

use std::sync::mpsc;

use futures_util::FutureExt;
use testkit::WallClock;

use super::*;

#[derive(Debug)]
struct Echo;

impl Handler for Echo {
    fn tools(&self) -> Box<RawValue> {
        raw(&json!({ "tools": [] }))
    }

    fn tools_hash(&self) -> String {
        "1".to_owned()
    }

    fn execute(self: Arc<Self>, call: Call) -> BoxFuture<'static, Result<Box<RawValue>, Failure>> {
        async move { Ok(call.args) }.boxed()
    }
}

const REPLY_TO: &str = "bot4:reply:tester:1";

/// A server on a bus in memory, and what comes back on the reply channel.
struct World {
    bus: Bus,
    _server: Server,
    heard: mpsc::Receiver<String>,
    _subscription: Subscription,
}

impl World {
    async fn start() -> Self {
        let bus = Bus::memory(Arc::new(WallClock));
        let identity = Identity {
            agent: "probe".parse().unwrap(),
            instance: "1".parse().unwrap(),
            version: "0".to_owned(),
        };
        let (_, status) = watch::channel(Status::default());
        let options = ServerOptions { in_flight_max: 8 };
        let server = Server::start(&bus, identity, Arc::new(Echo), options, status).await.unwrap();
        let (tell, heard) = mpsc::sync_channel(16);
        let sink = Arc::new(move |_: &str, payload: Bytes| {
            tell.send(String::from_utf8(payload.to_vec()).unwrap()).unwrap();
        });
        let subscription = bus.carrier.subscribe(REPLY_TO.to_owned(), sink).await.unwrap();
        Self { bus, _server: server, heard, _subscription: subscription }
    }

    /// What the server answers; memory delivers on the spot.
    fn ask(&self, text: &str) -> Option<Value> {
        let payload = Bytes::from(text.to_owned());
        self.bus.carrier.publish("bot4:rpc:probe:1", payload, Box::new(drop));
        self.heard.try_recv().ok().map(|answer| serde_json::from_str(&answer).unwrap())
    }

    #[track_caller]
    fn refuse(&self, text: &str, code: i64, says: &str) {
        let answer = self.ask(text).expect("the caller is told");
        let (found, message) = (&answer["error"]["code"], &answer["error"]["message"]);
        assert_eq!(*found, code, "{answer}");
        assert!(message.as_str().unwrap().contains(says), "{answer}");
    }
}

fn request(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}"#)
}

fn meta(more: &str) -> String {
    format!(
        r#"{{"reply_to":"{REPLY_TO}","deadline_unix_ms":9999999999999,"caller":"tester"{more}}}"#
    )
}

#[tokio::test]
async fn a_request_that_is_none_is_told_why() {
    let world = World::start().await;
    let good = meta("");
    world.refuse(
        &request("dance", &format!(r#"{{"meta":{good}}}"#)),
        -32601,
        "there is no method \"dance\"",
    );
    let odd = meta(r#","retries":3"#);
    let params = format!(r#"{{"meta":{odd}}}"#);
    world.refuse(&request("ping", &params), -32602, "unknown field `retries`");
    let params = format!(r#"{{"agent":"other","tool":"echo","args":{{}},"meta":{good}}}"#);
    world.refuse(&request("tool.execute", &params), -32602, "`agent` is other but");
    let params = format!(r#"{{"agent":"probe","tool":"No","args":{{}},"meta":{good}}}"#);
    world.refuse(&request("tool.execute", &params), -32602, "is no tool name");
    let old = request("ping", &format!(r#"{{"meta":{good}}}"#)).replace("2.0", "1.0");
    world.refuse(&old, -32600, "must be \"2.0\"");
    assert_eq!(world.bus.stats().malformed, 1, "what is JSON-RPC is not malformed");
}

#[tokio::test]
async fn what_names_no_way_back_is_counted_and_stops_nothing() {
    let world = World::start().await;
    for junk in
        ["", "{", "[]", "null", "\u{0}", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"]
    {
        assert_eq!(world.ask(junk), None, "{junk:?}");
    }
    assert!(world.bus.stats().malformed >= 5);
    let ping = request("ping", &format!(r#"{{"meta":{}}}"#, meta("")));
    assert_eq!(world.ask(&ping).unwrap()["result"], json!({}));
}

#[tokio::test]
async fn an_answer_goes_to_a_reply_channel_and_nowhere_else() {
    let world = World::start().await;
    for elsewhere in ["bot4:rpc:exchangespec:1", "bot4:topic:probe:presence", "news"] {
        let ping = request("ping", &format!(r#"{{"meta":{}}}"#, meta("")));
        let before = world.bus.stats().malformed;
        assert_eq!(world.ask(&ping.replace(REPLY_TO, elsewhere)), None);
        assert_eq!(world.bus.stats().malformed, before + 1, "{elsewhere}");
    }
}

#[tokio::test]
async fn a_call_that_comes_after_its_deadline_is_not_run() {
    let world = World::start().await;
    let late = meta("").replace("9999999999999", "1");
    let params = format!(r#"{{"agent":"probe","tool":"echo","args":{{}},"meta":{late}}}"#);
    world.refuse(&request("tool.execute", &params), -32003, "after its deadline");
}
