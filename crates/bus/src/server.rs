//! Answers the calls to one instance and says that the instance is there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::{
    AgentName, Cancel, Code, Empty, Failure, Id, InstanceId, Meta, Method, Presence, PresenceState,
    Request, Response, ToolExecute, ToolName, topics,
};

use crate::carrier::{Health, Subscription};
use crate::{Bus, Publisher};

/// How often an instance says that it is there.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long an instance that says nothing is still taken to be there.
pub(crate) const PRESENCE_TTL: Duration = Duration::from_secs(3);

/// Who answers.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Which agent.
    pub agent: AgentName,
    /// Which instance of it.
    pub instance: InstanceId,
    /// The version of its program.
    pub version: String,
}

/// A tool call as it reaches its handler.
#[derive(Debug)]
pub struct Call {
    /// The id that the answer will carry.
    pub id: Id,
    /// Which tool.
    pub tool: ToolName,
    /// Its arguments, an object.
    pub args: Box<RawValue>,
    /// Who asks, until when.
    pub meta: Meta,
    /// Is cancelled when the caller gives up, the deadline passes or the instance must stop.
    pub cancel: CancellationToken,
}

/// Runs tools.
pub trait Handler: fmt::Debug + Send + Sync {
    /// The result of `tools.list`: `{"tools": [...]}`.
    fn tools(&self) -> Box<RawValue>;

    /// Changes whenever the tool list does.
    fn tools_hash(&self) -> String;

    /// Whether other agents may ask it something.
    fn has_questions(&self) -> bool {
        false
    }

    /// Answers a question of another agent: as [`Handler::execute`], for what only agents may ask.
    fn question(self: Arc<Self>, call: Call) -> BoxFuture<'static, Result<Box<RawValue>, Failure>> {
        async move {
            let why = "the agent answers no questions of other agents";
            Err(Failure::invalid("tool", &call.tool, why, json!("ping")))
        }
        .boxed()
    }

    /// Runs a tool. After its `cancel` fires the call must end soon: what only reads is dropped,
    /// what acts is brought to a known end.
    fn execute(self: Arc<Self>, call: Call) -> BoxFuture<'static, Result<Box<RawValue>, Failure>>;
}

/// How a server behaves.
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions {
    /// Calls that it works on at once; more are answered `unavailable`.
    pub in_flight_max: u32,
}

/// Whether the instance can serve, and what else it says of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    /// Why it cannot; empty when it can.
    pub reasons: Vec<String>,
    /// Facts for `/status`: market, halt state.
    pub details: Map<String, Value>,
}

/// Who runs what is asked: the tools or the questions of the handler.
type Work = fn(Arc<dyn Handler>, Call) -> BoxFuture<'static, Result<Box<RawValue>, Failure>>;

/// What is answered at once, and to whom; `None` when a task will answer.
type AnswerNow = Option<(Meta, Result<Box<RawValue>, Failure>)>;

/// Answers calls until it is drained.
#[derive(Debug)]
pub struct Server {
    core: Arc<Core>,
    inboxes: Mutex<Vec<Subscription>>,
    heart: CancellationToken,
    beating: TaskTracker,
}

struct Core {
    bus: Bus,
    identity: Identity,
    handler: Arc<dyn Handler>,
    options: ServerOptions,
    calls: TaskTracker,
    /// The running calls, by who asked and under which id.
    running: Mutex<BTreeMap<(String, Id), CancellationToken>>,
    draining: watch::Sender<bool>,
    status: watch::Receiver<Status>,
    presence: Publisher,
    started_unix_ms: i64,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Server {
    /// Starts to answer. Resolves when the inbox is open and announced.
    ///
    /// # Errors
    /// When the bus refuses the inbox, for example by its access rules.
    pub async fn start(
        bus: &Bus,
        identity: Identity,
        handler: Arc<dyn Handler>,
        options: ServerOptions,
        status: watch::Receiver<Status>,
    ) -> Result<Self, Failure> {
        let mut open = vec![(
            topics::inbox(&identity.agent, &identity.instance),
            <dyn Handler as Handler>::execute as Work,
        )];
        if handler.has_questions() {
            let questions = topics::questions(&identity.agent, &identity.instance);
            open.push((questions, <dyn Handler as Handler>::question));
        }
        let core = Arc::new(Core {
            bus: bus.clone(),
            handler,
            options,
            calls: TaskTracker::new(),
            running: Mutex::default(),
            draining: watch::Sender::new(false),
            status,
            presence: bus.publisher(&identity.agent, &identity.instance, topics::PRESENCE),
            started_unix_ms: bus.clock.now().unix_millis(),
            identity,
        });
        let mut inboxes = Vec::with_capacity(open.len());
        for (inbox, work) in open {
            let asked = Arc::clone(&core);
            let sink = Arc::new(move |_: &str, payload: Bytes| asked.hear(&payload, work));
            let subscription = bus.carrier.subscribe(inbox, sink).await;
            inboxes.push(subscription.map_err(|e| Failure::unavailable(e.to_string()))?);
        }
        core.announce().await;
        let (heart, beating) = (CancellationToken::new(), TaskTracker::new());
        beating.spawn(Arc::clone(&core).beat(heart.clone()));
        Ok(Self { core, inboxes: Mutex::new(inboxes), heart, beating })
    }

    /// Calls that are worked on now.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.core.in_flight()
    }

    /// Stops: takes nothing new, lets running calls finish within `grace`, cancels the rest, and
    /// leaves. True when nothing had to be cancelled.
    pub async fn drain(&self, grace: Duration) -> bool {
        let core = &self.core;
        core.draining.send_replace(true);
        core.announce().await;
        core.calls.close();
        let finished = timeout(grace, core.calls.wait()).await.is_ok();
        if !finished {
            for cancel in core.lock().values() {
                cancel.cancel();
            }
            // What acts ends by itself soon after; what does not is cut off with the process.
            let ended = timeout(grace, core.calls.wait()).await.is_ok();
            tracing::warn!(ended, "calls were cancelled because the instance stops");
        }
        self.heart.cancel();
        self.beating.close();
        self.beating.wait().await;
        core.leave().await;
        // Only now: a caller whose probe finds no inbox takes its running call for lost. What came
        // meanwhile was answered `unavailable`, and goes elsewhere.
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        finished
    }
}

impl Drop for Server {
    /// Dropped without [`Server::drain`], it falls silent as if it had crashed.
    fn drop(&mut self) {
        self.heart.cancel();
    }
}

// === impl Core ===

impl Core {
    fn hear(self: &Arc<Self>, payload: &[u8], work: Work) {
        let request = match Request::parse(payload) {
            Ok(request) => request,
            Err((id, failure)) => {
                self.bus.stats.malformed(1);
                // Whoever sent it can be told if at least the way back can be read.
                if let Some(reply_to) = reply_to_of(payload) {
                    self.reply(&reply_to, Response { id, outcome: Err(failure) });
                }
                return;
            }
        };
        let id = request.id;
        let params = request.params.as_deref().map_or("{}", RawValue::get);
        let answered = Method::parse(&request.method).and_then(|method| match method {
            Method::ToolExecute => self.execute(&id, read(params)?, work),
            Method::ToolsList => Ok(Some((read::<Empty>(params)?.meta, Ok(self.handler.tools())))),
            Method::Ping => Ok(Some((read::<Empty>(params)?.meta, Ok(raw(&json!({})))))),
            Method::Cancel => Ok(Some(self.cancel(read(params)?))),
        });
        match answered {
            Ok(None) => {}
            Ok(Some((meta, outcome))) => {
                self.reply(&meta.reply_to, Response { id: Some(id), outcome });
            }
            Err(failure) => {
                if let Some(reply_to) = reply_to_of(payload) {
                    self.reply(&reply_to, Response { id: Some(id), outcome: Err(failure) });
                }
            }
        }
    }

    fn execute(
        self: &Arc<Self>,
        id: &Id,
        params: ToolExecute,
        work: Work,
    ) -> Result<AnswerNow, Failure> {
        let ToolExecute { agent, tool, args, meta } = params;
        if agent != self.identity.agent {
            let me = self.identity.agent.as_str();
            return Err(Failure::invalid("agent", &agent, "must be the agent asked", json!(me)));
        }
        let late = self.bus.clock.now().since(meta.deadline());
        if !late.is_zero() {
            let message = format!("the call came {} ms after its deadline", late.as_millis());
            return Ok(Some((meta, Err(Failure::unavailable(message)))));
        }
        if let Some(busy) = self.too_busy() {
            self.bus.stats.overloaded(1);
            return Ok(Some((meta, Err(Failure::unavailable(busy)))));
        }
        let cancel = CancellationToken::new();
        let key = (meta.reply_to.clone(), id.clone());
        if self.lock().insert(key.clone(), cancel.clone()).is_some() {
            let message = format!("a call with the id {id} is running already");
            return Err(Failure::new(Code::InvalidRequest, message));
        }
        let left = meta.deadline().since(self.bus.clock.now());
        let deadline = Instant::now() + left;
        let call = Call { id: id.clone(), tool, args, meta, cancel: cancel.clone() };
        let work = work(Arc::clone(&self.handler), call);
        let this = Arc::clone(self);
        self.calls.spawn(async move {
            let outcome = until(deadline, cancel, work).await;
            this.lock().remove(&key);
            let (reply_to, id) = key;
            this.reply(&reply_to, Response { id: Some(id), outcome });
        });
        Ok(None)
    }

    fn cancel(&self, params: Cancel) -> (Meta, Result<Box<RawValue>, Failure>) {
        let key = (params.meta.reply_to.clone(), params.request_id);
        let cancel = self.lock().get(&key).cloned();
        let found = cancel.is_some();
        if let Some(cancel) = cancel {
            cancel.cancel();
        }
        (params.meta, Ok(raw(&json!({ "cancelled": found }))))
    }

    fn too_busy(&self) -> Option<String> {
        if *self.draining.borrow() {
            return Some("the instance is stopping".to_owned());
        }
        let (now, max) = (self.in_flight(), self.options.in_flight_max);
        (now >= max).then(|| format!("the instance works on {now} calls and takes at most {max}"))
    }

    fn in_flight(&self) -> u32 {
        u32::try_from(self.lock().len()).unwrap_or(u32::MAX)
    }

    fn reply(&self, reply_to: &str, response: Response) {
        if !topics::is_reply(reply_to) {
            return self.bus.stats.malformed(1);
        }
        if !self.bus.carrier.tell(reply_to, bounded(response).into()) {
            self.bus.stats.dropped(1);
        }
    }

    async fn beat(self: Arc<Self>, stop: CancellationToken) {
        let (mut health, mut status) = (self.bus.health(), self.status.clone());
        let mut status_ends = false;
        let mut tick = interval(HEARTBEAT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => self.announce().await,
                // Callers learn of a change at once, and of everybody after an outage.
                changed = status.changed(), if !status_ends => {
                    // A status that nobody can change any more stands for good.
                    status_ends = changed.is_err();
                    self.announce().await;
                }
                changed = health.changed() => {
                    if changed.is_ok() && *health.borrow() == Health::Up {
                        self.announce().await;
                    }
                }
            }
        }
    }

    async fn announce(&self) {
        let presence = self.say();
        let value = serde_json::to_vec(&presence).expect("invariant: it has only text keys");
        self.presence.publish(raw(&presence));
        let key = topics::presence_key(&self.identity.agent, &self.identity.instance);
        if let Err(error) = self.bus.carrier.put(key, value.into(), PRESENCE_TTL).await {
            tracing::debug!(%error, "the presence key was not set");
        }
    }

    async fn leave(&self) {
        let presence = Presence { state: PresenceState::Left, ..self.say() };
        self.presence.publish(raw(&presence));
        let key = topics::presence_key(&self.identity.agent, &self.identity.instance);
        if let Err(error) = self.bus.carrier.remove(key).await {
            tracing::debug!(%error, "the presence key was not removed; it expires by itself");
        }
    }

    fn say(&self) -> Presence {
        let Identity { agent, instance, version } = self.identity.clone();
        let Status { reasons, details } = self.status.borrow().clone();
        let state = match (*self.draining.borrow(), reasons.is_empty()) {
            (true, _) => PresenceState::Draining,
            (false, true) => PresenceState::Ready,
            (false, false) => PresenceState::NotReady,
        };
        Presence {
            agent,
            instance,
            version,
            protocol: wire::PROTOCOL,
            state,
            reasons,
            in_flight: self.in_flight(),
            in_flight_max: self.options.in_flight_max,
            tools_hash: self.handler.tools_hash(),
            started_unix_ms: self.started_unix_ms,
            at_unix_ms: self.bus.clock.now().unix_millis(),
            details,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, Id), CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the work run; at the deadline it is told to stop and brought to its end.
async fn until(
    deadline: Instant,
    cancel: CancellationToken,
    mut work: BoxFuture<'static, Result<Box<RawValue>, Failure>>,
) -> Result<Box<RawValue>, Failure> {
    tokio::select! {
        biased;
        outcome = &mut work => outcome,
        () = sleep_until(deadline) => {
            cancel.cancel();
            work.await
        }
    }
}

/// A response that is too long to be read is replaced by one that says so.
fn bounded(response: Response) -> Vec<u8> {
    let bytes = response.to_bytes();
    if bytes.len() <= wire::BODY_BYTES_MAX {
        return bytes;
    }
    let message = format!(
        "the result has {} bytes and at most {} can be sent: ask for less",
        bytes.len(),
        wire::BODY_BYTES_MAX
    );
    Response { id: response.id, outcome: Err(Failure::refused("RESULT_TOO_LARGE", message)) }
        .to_bytes()
}

fn read<'a, T: Deserialize<'a>>(params: &'a str) -> Result<T, Failure> {
    serde_json::from_str(params).map_err(|error| {
        Failure::new(Code::InvalidParams, format!("`params` of the request: {error}"))
    })
}

fn raw<T: serde::Serialize>(value: &T) -> Box<RawValue> {
    to_raw_value(value).expect("invariant: it has only text keys")
}

/// The way back of a request that is otherwise wrong.
fn reply_to_of(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Outer {
        params: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        meta: Innermost,
    }
    #[derive(Deserialize)]
    struct Innermost {
        reply_to: String,
    }
    Some(serde_json::from_slice::<Outer>(payload).ok()?.params.meta.reply_to)
}

#[cfg(test)]
mod tests;
