//! The session of the WebSocket API: the account's own events, and orders if they go this way.
//!
//! One task owns the connection. A request carries a small state that both sides change by
//! compare-and-swap: either the task takes it and may write it, or the asker withdraws it and it is
//! never written. So "not sent" is certain here too.
//!
//! The account's events come by a signed subscription, which any kind of key can make. The venue
//! no longer has listen keys.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::Listings;
use super::outcome::{Failure, failure};
use super::params::{Params, sign_for_session, write_json};
use super::parse::orders::Execution;
use super::parse::{ParseError, account::position, json, moment, streams};
use super::rest::{Access, Call, Context};
use crate::account::AccountEvents;
use crate::pace::Backoff;
use crate::socket::{SendFault, Socket};
use crate::{Cost, Counted, Lane, LastCheck, VenueEventKind};

/// Requests that wait for the task.
const ASKED_MAX: usize = 64;
/// How often the connection is asked whether it lives.
const PROBE_EVERY: Duration = Duration::from_secs(3);
/// How long it may say nothing at all.
const SILENCE_MAX: Duration = Duration::from_secs(7);

/// The state of a request.
const QUEUED: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// Whether the session can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Life {
    /// It is being opened.
    Opening { why: String },
    /// It can.
    Live,
    /// It is given up until somebody says otherwise.
    GivenUp { why: String },
}

/// The asking end.
#[derive(Debug)]
pub(crate) struct Session {
    context: Arc<Context>,
    asks: mpsc::Sender<Ask>,
    ids: Arc<AtomicU64>,
    life: watch::Receiver<Life>,
    answer_max: Duration,
}

/// What the task needs.
#[derive(Debug)]
pub(crate) struct SessionTask {
    pub(crate) url: String,
    pub(crate) connect_max: Duration,
    pub(crate) rotate_after: Duration,
    pub(crate) attempts_max: u32,
    pub(crate) backoff: Backoff,
    pub(crate) context: Arc<Context>,
    pub(crate) account: Arc<AccountEvents>,
    pub(crate) listings: Arc<Listings>,
    pub(crate) wake: Arc<Notify>,
}

#[derive(Debug)]
struct Ask {
    id: u64,
    text: String,
    last: Option<Arc<dyn LastCheck>>,
    state: Arc<AtomicU8>,
    reply: oneshot::Sender<Result<Bytes, Failure>>,
}

/// Withdraws a request when its asker goes away before it was taken.
#[derive(Debug)]
struct Withdraw(Arc<AtomicU8>);

/// The end of the task.
#[derive(Debug)]
struct Worker {
    task: SessionTask,
    asks: mpsc::Receiver<Ask>,
    ids: Arc<AtomicU64>,
    life: watch::Sender<Life>,
    pending: BTreeMap<u64, oneshot::Sender<Result<Bytes, Failure>>>,
    subscribing: Option<u64>,
}

// === impl Session ===

impl Session {
    /// The asking end, and the task to run.
    pub(crate) fn new(
        task: SessionTask,
        answer_max: Duration,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (asks, asked) = mpsc::channel(ASKED_MAX);
        let opening = Life::Opening { why: "it was not tried yet".to_owned() };
        let (life_out, life) = watch::channel(opening);
        let ids = Arc::new(AtomicU64::new(1));
        let context = Arc::clone(&task.context);
        let worker = Worker {
            task,
            asks: asked,
            ids: Arc::clone(&ids),
            life: life_out,
            pending: BTreeMap::new(),
            subscribing: None,
        };
        (Self { context, asks, ids, life, answer_max }, worker.run())
    }

    /// Whether it can be used now.
    pub(crate) fn life(&self) -> Life {
        self.life.borrow().clone()
    }

    /// Waits until it can be used; gives the last reason when that takes too long.
    pub(crate) async fn live_within(&self, longest: Duration) -> Result<(), String> {
        let mut life = self.life.clone();
        let waiting = life.wait_for(|life| *life == Life::Live);
        let found = tokio::time::timeout(longest, waiting).await;
        if matches!(found, Ok(Ok(_))) {
            return Ok(());
        }
        match self.life() {
            Life::Live => Ok(()),
            Life::Opening { why } | Life::GivenUp { why } => Err(why),
        }
    }

    /// Asks, and gives the result.
    pub(crate) async fn call(&self, mut call: Call<'_>) -> Result<Bytes, Failure> {
        self.context.pay(call.cost, call.lane, call.patient).await?;
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let not_sent = |why: String| Failure::NotSent { why };
        if call.access == Access::Signed {
            let params = &mut call.params;
            sign_for_session(params, self.context.timing(), &self.context.credentials)
                .map_err(|e| not_sent(e.to_string()))?;
        }
        let text = message(id, call.session_method, &call.params);
        let (reply, answer) = oneshot::channel();
        let withdraw = Withdraw(Arc::new(AtomicU8::new(QUEUED)));
        let state = Arc::clone(&withdraw.0);
        let ask = Ask { id, text, last: call.last, state, reply };
        let started = Instant::now();
        self.asks
            .try_send(ask)
            .map_err(|e| not_sent(format!("the session takes no request now: {e}")))?;
        let why = match tokio::time::timeout(self.answer_max, answer).await {
            Ok(Ok(result)) => {
                if !matches!(result, Err(Failure::NotSent { .. } | Failure::Unknown { .. })) {
                    self.context.meter.answered(started.elapsed());
                }
                return result;
            }
            Ok(Err(_)) => "the session has ended".to_owned(),
            Err(_) => format!("no answer within {} ms", self.answer_max.as_millis()),
        };
        self.context.meter.failed(&why);
        if withdraw.withdrawn() { Err(not_sent(why)) } else { Err(Failure::Unknown { why }) }
    }
}

fn message(id: u64, method: &str, params: &Params<'_>) -> String {
    let mut out = format!("{{\"id\":{id},\"method\":\"{method}\",\"params\":").into_bytes();
    write_json(params, &mut out);
    out.push(b'}');
    String::from_utf8(out).expect("invariant: parameters are text")
}

// === impl Withdraw ===

impl Withdraw {
    /// Takes the request back; says whether it will never be written.
    fn withdrawn(&self) -> bool {
        let swapped =
            self.0.compare_exchange(QUEUED, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire);
        matches!(swapped, Ok(_) | Err(WITHDRAWN))
    }
}

impl Drop for Withdraw {
    fn drop(&mut self) {
        self.withdrawn();
    }
}

// === impl Worker ===

impl Worker {
    async fn run(mut self) {
        loop {
            let why = match self.open().await {
                Ok(mut socket) => {
                    let why = self.serve(&mut socket).await;
                    self.task.account.broken(&why);
                    why
                }
                Err(why) => {
                    self.task.account.broken(&why);
                    why
                }
            };
            self.subscribing = None;
            for (_, reply) in std::mem::take(&mut self.pending) {
                answer(reply, Err(Failure::Unknown { why: why.clone() }));
            }
            if self.asks.is_closed() {
                return;
            }
            let wait = self.task.backoff.failed();
            if self.task.backoff.attempts() > self.task.attempts_max {
                self.life.send_replace(Life::GivenUp { why: why.clone() });
                let woken = Arc::clone(&self.task.wake);
                self.refuse_until(woken.notified(), &why).await;
                self.task.backoff.succeeded();
            } else {
                self.life.send_replace(Life::Opening { why: why.clone() });
                self.refuse_until(tokio::time::sleep(wait), &why).await;
            }
        }
    }

    async fn open(&mut self) -> Result<Socket, String> {
        let (url, within) = (self.task.url.clone(), self.task.connect_max);
        let opening = async move { Socket::open(&url, within).await };
        self.refuse_until(opening, "the session is being opened").await
    }

    /// Waits for something, and answers whoever asks meanwhile.
    async fn refuse_until<T>(&mut self, until: impl Future<Output = T>, why: &str) -> T {
        let mut until = std::pin::pin!(until);
        loop {
            tokio::select! {
                done = &mut until => return done,
                Some(ask) = self.asks.recv() => {
                    let why = format!("the session is down: {why}");
                    answer(ask.reply, Err(Failure::NotSent { why }));
                }
            }
        }
    }

    /// Serves one connection until it ends, and says why it did.
    async fn serve(&mut self, socket: &mut Socket) -> String {
        if let Err(why) = self.subscribe(socket).await {
            return why;
        }
        let opened = Instant::now();
        let mut heard = Instant::now();
        let mut probe = tokio::time::interval_at(opened + PROBE_EVERY, PROBE_EVERY);
        let mut check = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                message = socket.next() => {
                    heard = Instant::now();
                    let taken = match message {
                        Ok(Some(message)) => self.take(&message),
                        Ok(None) => Ok(()),
                        Err(why) => Err(why),
                    };
                    if let Err(why) = taken {
                        return why;
                    }
                }
                ask = self.asks.recv() => {
                    let Some(ask) = ask else { return "nobody asks any more".to_owned() };
                    if let Err(why) = self.write(socket, ask).await {
                        return why;
                    }
                }
                _ = probe.tick() => {
                    if let Err(why) = self.probe(socket).await {
                        return why;
                    }
                }
                _ = check.tick() => {
                    // Whoever asked and has gone is answered no more.
                    self.pending.retain(|_, reply| !reply.is_closed());
                    if heard.elapsed() > SILENCE_MAX {
                        return format!("nothing was heard for {} s", SILENCE_MAX.as_secs());
                    }
                    // Answers to probes are no events: without this a lost answer would leave
                    // the account deaf for good.
                    let patience = self.task.connect_max;
                    if self.subscribing.is_some() && opened.elapsed() > patience {
                        let ms = patience.as_millis();
                        return format!("the venue did not answer within {ms} ms whether it tells \
                                        of the account's events");
                    }
                    if opened.elapsed() > self.task.rotate_after && self.pending.is_empty() {
                        return "the connection was due to be renewed".to_owned();
                    }
                }
            }
        }
    }

    async fn write(&mut self, socket: &mut Socket, ask: Ask) -> Result<(), String> {
        if let Some(why) = ask.last.as_ref().and_then(|last| last.may_send().err()) {
            answer(ask.reply, Err(Failure::NotSent { why }));
            return Ok(());
        }
        let taken = ask.state.compare_exchange(QUEUED, TAKEN, Ordering::AcqRel, Ordering::Acquire);
        if taken.is_err() {
            return Ok(());
        }
        match socket.send(ask.text).await {
            Ok(()) => {
                self.pending.insert(ask.id, ask.reply);
                Ok(())
            }
            Err(fault) => {
                let why = fault.why().to_owned();
                let result = match fault {
                    SendFault::NotSent { why } => Failure::NotSent { why },
                    SendFault::Unknown { why } => Failure::Unknown { why },
                };
                answer(ask.reply, Err(result));
                Err(why)
            }
        }
    }

    async fn subscribe(&mut self, socket: &mut Socket) -> Result<(), String> {
        let context = Arc::clone(&self.task.context);
        let mut params = Params::new();
        sign_for_session(&mut params, context.timing(), &context.credentials)
            .map_err(|e| e.to_string())?;
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        self.subscribing = Some(id);
        let text = message(id, "userDataStream.subscribe.signature", &params);
        socket.send(text).await.map_err(|fault| fault.why().to_owned())
    }

    /// Asks for a sign of life: a connection may be open and dead.
    async fn probe(&mut self, socket: &mut Socket) -> Result<(), String> {
        let context = &self.task.context;
        let cost = Cost { weight: 1, orders: 0 };
        if context.budget.take(cost, Lane::Cancel, context.clock.now()).is_err() {
            return Ok(());
        }
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let sent = socket.send(message(id, "ping", &Params::new())).await;
        sent.map_err(|fault| fault.why().to_owned())
    }

    /// Takes a message in; an error ends the connection.
    fn take(&mut self, message: &Message) -> Result<(), String> {
        let bytes = message.clone().into_data();
        let found = match streams::session(&bytes) {
            Ok(found) => found,
            Err(error) => {
                self.task.context.meter.bad_message(&bytes, &error.to_string());
                return Ok(());
            }
        };
        if let Some(event) = found.event {
            return self.event(event.get().as_bytes());
        }
        if found.name.as_deref() == Some("serverShutdown") {
            return Err("the server is shutting down".to_owned());
        }
        self.observe(&found.rate_limits);
        let Some(id) = found.id else { return Ok(()) };
        let status = found.status.unwrap_or(500);
        let result = match (status, found.result) {
            (200, result) => Ok(result.map_or("null", |raw| raw.get()).as_bytes()),
            (_, _) => Err((found.error.as_ref().and_then(retry_after), found.error)),
        };
        let result = match result {
            Ok(result) => Ok(Bytes::copy_from_slice(result)),
            Err((until, error)) => {
                let after = until.map(|until| until.since(self.task.context.clock.now()));
                let code = error.as_ref().map(|error| error.code);
                self.task.context.learn(status, code, after);
                Err(failure(status, error))
            }
        };
        if self.subscribing == Some(id) {
            return self.subscribed(result);
        }
        if let Some(reply) = self.pending.remove(&id) {
            answer(reply, result);
        }
        Ok(())
    }

    fn subscribed(&mut self, result: Result<Bytes, Failure>) -> Result<(), String> {
        self.subscribing = None;
        result.map_err(|failure| {
            format!("the venue refused the account's events: {}", failure.why())
        })?;
        self.task.backoff.succeeded();
        self.task.account.opened(self.task.context.clock.now());
        self.life.send_replace(Life::Live);
        Ok(())
    }

    fn observe(&self, usages: &[streams::Usage<'_>]) {
        let context = &self.task.context;
        for usage in usages {
            let counts = match usage.rate_limit_type.as_ref() {
                "REQUEST_WEIGHT" => Counted::Weight,
                "ORDERS" => Counted::Orders,
                _ => continue,
            };
            let seconds: u64 = match usage.interval.as_ref() {
                "SECOND" => 1,
                "MINUTE" => 60,
                "HOUR" => 3_600,
                "DAY" => 86_400,
                _ => continue,
            };
            let interval = Duration::from_secs(seconds.saturating_mul(usage.interval_num));
            context.budget.observe(counts, interval, usage.count, context.clock.now());
        }
    }

    /// Takes in an event of the account.
    fn event(&self, event: &[u8]) -> Result<(), String> {
        let account = &self.task.account;
        account.heard(self.task.context.clock.now());
        let told = match streams::event_name(event).as_deref() {
            Ok("executionReport") => self.execution(event),
            Ok("outboundAccountPosition") => position(event).map(|(at_ms, balances)| {
                account.publish(moment(at_ms), VenueEventKind::Balances(balances));
            }),
            Ok("eventStreamTerminated") => {
                return Err("the venue has ended the account's stream".to_owned());
            }
            // Other events repeat what reports and positions say.
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone()),
        };
        if let Err(error) = told {
            let why = error.to_string();
            self.task.context.meter.bad_message(event, &why);
            let now = self.task.context.clock.now();
            account.publish(now, VenueEventKind::Gap { why });
        }
        Ok(())
    }

    fn execution(&self, event: &[u8]) -> Result<(), ParseError> {
        let account = &self.task.account;
        let report: Execution<'_> = json("an execution report", event)?;
        let instrument = self.task.listings.find(report.symbol());
        if let Some(fill) = report.fill(instrument.as_ref())? {
            account.publish(report.at(), VenueEventKind::Fill(fill));
        }
        if !report.is_unpaid() {
            account.publish(report.at(), VenueEventKind::Order(report.order()?));
        }
        Ok(())
    }
}

/// Until when the venue wants to be left alone.
fn retry_after(error: &super::outcome::ErrorBody<'_>) -> Option<Timestamp> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        retry_after: i64,
    }
    let data: Data = serde_json::from_str(error.data?.get()).ok()?;
    Some(moment(data.retry_after))
}

/// Answers an asker, who may have gone.
fn answer(reply: oneshot::Sender<Result<Bytes, Failure>>, result: Result<Bytes, Failure>) {
    drop(reply.send(result));
}
