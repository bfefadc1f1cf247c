//! What senders and the connection's task share: bytes to write, replies to expect, listeners.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_util::task::AtomicWaker;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::expect::{Expect, Reply};
use super::resp::{self, Value};
use crate::Stats;
use crate::carrier::{CarrierError, Sink};

/// Bytes that may wait to be written; a sender that would add more is refused.
const OUT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Whether messages that nobody wants a receipt for are sent without one.
///
/// Redis writes a receipt before it writes the message to its listener, so that each costs the
/// listener a system call's time; only those of one batch come together. But a refusal is a reply
/// too: the first message shows whether the access rules let it pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quiet {
    Forbidden,
    Unproven,
    Proven,
}

type Stands = oneshot::Sender<Result<(), CarrierError>>;

struct Subscribed {
    sinks: BTreeMap<u64, Sink>,
    /// Whoever waits until it stands; none once it does.
    waiting: Vec<Stands>,
    stands: bool,
}

struct State {
    /// Whether commands are taken; the reason why not.
    open: Result<(), Arc<str>>,
    out: BytesMut,
    expected: VecDeque<Expect>,
    quiet: Quiet,
    subscribed: BTreeMap<String, Subscribed>,
    next: u64,
    heard: Instant,
    /// Why the server ended the greeting.
    broken: Option<Arc<str>>,
}

pub(super) struct Shared {
    state: Mutex<State>,
    waker: AtomicWaker,
    /// The channel of this connection's own heartbeat.
    echo: String,
    pub(super) stats: Arc<Stats>,
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(echo: String, stats: Arc<Stats>) -> Self {
        let state = State {
            open: Err("connecting".into()),
            out: BytesMut::new(),
            expected: VecDeque::new(),
            quiet: Quiet::Forbidden,
            subscribed: BTreeMap::new(),
            next: 0,
            heard: Instant::now(),
            broken: None,
        };
        Self { state: Mutex::new(state), waker: AtomicWaker::new(), echo, stats }
    }

    /// Queues a command, or tells whoever expects its reply that it is not sent.
    pub(super) fn send(&self, words: &[&[u8]], expect: Expect) {
        let mut state = self.lock();
        match state.refusal() {
            None => {
                state.command(words, expect);
                drop(state);
                self.waker.wake();
            }
            Some(why) => {
                drop(state);
                expect.fail(&CarrierError::NotSent(why));
            }
        }
    }

    /// Queues a publication without a receipt; false when it is not sent.
    pub(super) fn tell(&self, channel: &str, payload: &[u8]) -> bool {
        let mut state = self.lock();
        if state.refusal().is_some() {
            return false;
        }
        let words: [&[u8]; 3] = [b"PUBLISH", channel.as_bytes(), payload];
        if state.quiet == Quiet::Proven && state.out.is_empty() {
            resp::command(&mut state.out, &[b"CLIENT", b"REPLY", b"SKIP"]);
            resp::command(&mut state.out, &words);
        } else {
            state.command(&words, Expect::Told);
        }
        drop(state);
        self.waker.wake();
        true
    }

    pub(super) fn subscribe(
        &self,
        channel: &str,
        sink: Sink,
    ) -> (u64, oneshot::Receiver<Result<(), CarrierError>>) {
        let (sender, stands) = oneshot::channel();
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        let is_open = state.open.is_ok();
        let entry = state.subscribed.entry(channel.to_owned()).or_insert_with(Subscribed::new);
        let is_new = entry.sinks.is_empty();
        entry.sinks.insert(number, sink);
        if entry.stands {
            // Whoever asked has hardly gone already; if so there is nobody to tell.
            drop(sender.send(Ok(())));
        } else {
            entry.waiting.push(sender);
        }
        if is_new && is_open {
            state.subscribe(channel);
        }
        drop(state);
        self.waker.wake();
        (number, stands)
    }

    pub(super) fn unsubscribe(&self, channel: &str, number: u64) {
        let mut state = self.lock();
        let Some(entry) = state.subscribed.get_mut(channel) else { return };
        entry.sinks.remove(&number);
        if !entry.sinks.is_empty() {
            return;
        }
        state.subscribed.remove(channel);
        if state.open.is_ok() {
            let word: &[u8] = if channel.contains('*') { b"PUNSUBSCRIBE" } else { b"UNSUBSCRIBE" };
            state.command(&[word, channel.as_bytes()], Expect::Unsubscribed);
        }
        drop(state);
        self.waker.wake();
    }

    /// Starts a new connection: greets, renews every subscription, and sends a first heartbeat.
    pub(super) fn greet(&self, user: Option<&str>, password: Option<&str>, db: u32) {
        let mut state = self.lock();
        state.out.clear();
        state.expected.clear();
        state.quiet = Quiet::Forbidden;
        state.broken = None;
        state.heard = Instant::now();
        let mut hello: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if let Some(password) = password {
            let user = user.unwrap_or("default");
            hello.extend([&b"AUTH"[..], user.as_bytes(), password.as_bytes()]);
        }
        state.command(&hello, Expect::Greeting);
        if db != 0 {
            state.command(&[b"SELECT", db.to_string().as_bytes()], Expect::Greeting);
        }
        state.command(&[b"CLIENT", b"REPLY", b"ON"], Expect::QuietAllowed);
        // The echo is no entry in `subscribed`: its messages are told apart by their channel.
        state.command(&[b"SUBSCRIBE", self.echo.as_bytes()], Expect::Greeting);
        let channels: Vec<String> = state.subscribed.keys().cloned().collect();
        for channel in channels {
            state.subscribe(&channel);
        }
        state.heartbeat(&self.echo);
    }

    pub(super) fn heartbeat(&self) {
        let mut state = self.lock();
        state.heartbeat(&self.echo);
        drop(state);
        self.waker.wake();
    }

    /// When the own heartbeat was heard last.
    pub(super) fn heard(&self) -> Instant {
        self.lock().heard
    }

    /// Ends the connection: nothing is taken until the next one stands.
    pub(super) fn close(&self, why: &Arc<str>) {
        let mut state = self.lock();
        state.open = Err(Arc::clone(why));
        state.out.clear();
        let cut_off = std::mem::take(&mut state.expected);
        for entry in state.subscribed.values_mut() {
            entry.stands = false;
        }
        drop(state);
        for expect in cut_off {
            expect.fail(&CarrierError::Lost);
        }
    }

    /// Moves what waits to be written into `to`.
    pub(super) fn take_out(&self, to: &mut BytesMut) {
        let mut state = self.lock();
        if to.is_empty() {
            std::mem::swap(to, &mut state.out);
        } else {
            to.extend_from_slice(&state.out);
            state.out.clear();
        }
    }

    pub(super) fn register(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }

    /// Takes a value that the server sent. `Ok(true)` when the own heartbeat was heard for the
    /// first time on this connection.
    pub(super) fn take(&self, value: Value, bytes: Bytes) -> Result<bool, Arc<str>> {
        match value {
            Value::Push(items) => self.push(&items, &bytes),
            value => {
                let expect = self.lock().expected.pop_front();
                let Some(expect) = expect else {
                    return Err("the server sent a reply that nothing asked for".into());
                };
                self.reply(expect, value, bytes).map(|()| false)
            }
        }
    }

    fn push(&self, items: &[Value], bytes: &Bytes) -> Result<bool, Arc<str>> {
        let text = |at: usize| match items.get(at) {
            Some(Value::Text(range)) => bytes.get(range.clone()).unwrap_or_default(),
            _ => b"",
        };
        let name = |at: usize| std::str::from_utf8(text(at)).unwrap_or_default();
        let payload = |at: usize| match items.get(at) {
            Some(Value::Text(range)) => bytes.slice(range.clone()),
            _ => Bytes::new(),
        };
        match text(0) {
            b"message" if name(1) == self.echo => Ok(self.hear_own()),
            b"message" => {
                self.deliver(name(1), name(1), &payload(2));
                Ok(false)
            }
            b"pmessage" => {
                self.deliver(name(1), name(2), &payload(3));
                Ok(false)
            }
            b"subscribe" | b"psubscribe" | b"unsubscribe" | b"punsubscribe" => {
                // Confirmations come in turn, although as messages.
                let expected = self.lock().expected.pop_front();
                match expected {
                    Some(Expect::Subscribed(_)) => self.stand(name(1)),
                    Some(Expect::Unsubscribed | Expect::Greeting) => {}
                    _ => return Err("the server confirmed what nothing asked for".into()),
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn deliver(&self, subscribed: &str, channel: &str, payload: &Bytes) {
        let sinks: Vec<Sink> = {
            let state = self.lock();
            let entry = state.subscribed.get(subscribed);
            entry.into_iter().flat_map(|entry| entry.sinks.values().cloned()).collect()
        };
        for sink in sinks {
            sink(channel, payload.clone());
        }
    }

    fn hear_own(&self) -> bool {
        let mut state = self.lock();
        state.heard = Instant::now();
        let is_first = state.open.is_err();
        state.open = Ok(());
        if is_first {
            // What was subscribed while the greeting ran is not part of it.
            let late: Vec<String> = state.late();
            for channel in late {
                state.subscribe(&channel);
            }
        }
        is_first
    }

    fn stand(&self, channel: &str) {
        let mut state = self.lock();
        let Some(entry) = state.subscribed.get_mut(channel) else { return };
        entry.stands = true;
        for waiting in std::mem::take(&mut entry.waiting) {
            // Whoever waited may have given up.
            drop(waiting.send(Ok(())));
        }
    }

    fn reply(&self, expect: Expect, value: Value, bytes: Bytes) -> Result<(), Arc<str>> {
        let error = match &value {
            Value::Error(range) => {
                let text = bytes.get(range.clone()).unwrap_or_default();
                Some(Arc::<str>::from(String::from_utf8_lossy(text)))
            }
            _ => None,
        };
        match (expect, error) {
            (Expect::Greeting, Some(why)) => return Err(why),
            (Expect::Subscribed(channel), Some(why)) => self.refuse(&channel, &why),
            (Expect::Told, Some(why)) => tracing::error!(%why, "the bus refuses a message"),
            (expect, Some(why)) => expect.fail(&CarrierError::Refused(why)),
            (Expect::Receipt(receipt), None) => match value {
                Value::Integer(count) => receipt(Ok(u64::try_from(count).unwrap_or(0))),
                _ => return Err("the server did not say how many heard a message".into()),
            },
            // Whoever asked may have given up.
            (Expect::Reply(sender), None) => drop(sender.send(Ok(Reply { value, bytes }))),
            (Expect::Subscribed(_) | Expect::Unsubscribed, None) => {
                return Err("the server confirmed a subscription out of turn".into());
            }
            (Expect::QuietAllowed, None) => self.lock().quiet = Quiet::Unproven,
            (Expect::Told, None) => self.lock().prove_quiet(),
            (Expect::Greeting | Expect::Nothing, None) => {}
        }
        Ok(())
    }

    /// A subscription that the access rules forbid is told to whoever waits and not renewed.
    fn refuse(&self, channel: &str, why: &Arc<str>) {
        tracing::error!(channel, %why, "the bus refuses a subscription");
        let refused = self.lock().subscribed.remove(channel);
        for waiting in refused.into_iter().flat_map(|entry| entry.waiting) {
            // Whoever waited may have given up.
            drop(waiting.send(Err(CarrierError::Refused(Arc::clone(why)))));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    /// Why no command is taken now.
    fn refusal(&self) -> Option<Arc<str>> {
        match &self.open {
            Err(why) => Some(Arc::clone(why)),
            Ok(()) if self.out.len() > OUT_BYTES_MAX => Some("too much waits to be sent".into()),
            Ok(()) => None,
        }
    }

    fn prove_quiet(&mut self) {
        if self.quiet == Quiet::Unproven {
            self.quiet = Quiet::Proven;
        }
    }

    fn command(&mut self, words: &[&[u8]], expect: Expect) {
        resp::command(&mut self.out, words);
        self.expected.push_back(expect);
    }

    fn subscribe(&mut self, channel: &str) {
        let word: &[u8] = if channel.contains('*') { b"PSUBSCRIBE" } else { b"SUBSCRIBE" };
        self.command(&[word, channel.as_bytes()], Expect::Subscribed(channel.to_owned()));
    }

    fn heartbeat(&mut self, echo: &str) {
        self.command(&[b"PUBLISH", echo.as_bytes(), b"echo"], Expect::Nothing);
    }

    /// Subscriptions that neither stand nor were asked for.
    fn late(&self) -> Vec<String> {
        let asked = |channel: &str| {
            self.expected
                .iter()
                .any(|expect| matches!(expect, Expect::Subscribed(name) if name == channel))
        };
        let entries = self.subscribed.iter();
        let late = entries.filter(|(channel, entry)| !entry.stands && !asked(channel));
        late.map(|(channel, _)| channel.clone()).collect()
    }
}

impl Subscribed {
    const fn new() -> Self {
        Self { sinks: BTreeMap::new(), waiting: Vec::new(), stands: false }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}
