//! Asks instances, and knows what their silence means.
//!
//! A call goes to the less busy of two instances. `PUBLISH` tells how many heard it: none means
//! that the instance is gone and nothing happened, so another is asked at once. When an instance
//! was reached and stays silent, a probe finds out whether it still listens; if not, a call that
//! reads is asked elsewhere and a call that acts ends as `unknown`, with the id to ask about.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::CommandId;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::{
    AgentName, Cancel, Effect, Empty, Failure, Id, InstanceId, Meta, Method, Request, Response,
    ToolExecute, ToolName, Traceparent, topics,
};

use crate::carrier::{CarrierError, Subscription};
use crate::{Bus, Directory, Stats};

/// How long an instance may be silent before it is checked whether it still listens.
const PROBE_AFTER: Duration = Duration::from_millis(250);

/// Calls that a client waits for at once; more are refused.
const WAITING_MAX: usize = 4096;

/// How a call is made.
#[derive(Debug, Clone)]
pub struct CallOptions {
    /// How long to wait for the answer.
    pub timeout: Duration,
    /// Whether it acts: then it is sent once and never again.
    pub effect: Effect,
    /// The requester's name for a command that acts.
    pub command_id: Option<CommandId>,
    /// The trace it belongs to.
    pub traceparent: Option<Traceparent>,
}

/// Asks agents.
#[derive(Debug)]
pub struct Client {
    bus: Bus,
    caller: AgentName,
    reply_to: String,
    waiting: Arc<Waiting>,
    directory: Directory,
    stop: CancellationToken,
    _subscriptions: [Subscription; 2],
    _tasks: TaskTracker,
}

#[derive(Debug)]
struct Waiting {
    calls: Mutex<BTreeMap<Id, oneshot::Sender<Answer>>>,
    stats: Arc<Stats>,
}

/// Which of its inboxes an instance is asked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inbox {
    Tools,
    Questions,
}

/// What comes of sending a request to one instance.
#[derive(Debug)]
enum Answer {
    /// It answered.
    Response(Result<Box<RawValue>, Failure>),
    /// The request never left this process.
    NotSent(CarrierError),
    /// Nobody listens on the instance's inbox; it did not get the request.
    NobodyThere,
    /// The instance got the request, or may have, and is gone or cut off.
    Gone,
    /// The deadline passed.
    Silent,
}

/// Takes a call off the books when its caller stops waiting, and tells the instance.
struct Asked<'a> {
    client: &'a Client,
    inbox: String,
    id: Id,
    count: Arc<AtomicU32>,
    answered: bool,
}

impl Client {
    /// A client of this process, under the name of its agent. Resolves when replies can be heard
    /// and the instances were looked up.
    ///
    /// # Errors
    /// When the bus refuses the subscriptions, for example by its access rules.
    pub async fn start(bus: &Bus, caller: &AgentName) -> Result<Self, Failure> {
        let reply_to = topics::reply(caller, &InstanceId::random());
        let waiting = Arc::new(Waiting { calls: Mutex::default(), stats: Arc::clone(&bus.stats) });
        let heard = Arc::clone(&waiting);
        let sink = Arc::new(move |_: &str, payload: Bytes| heard.hear(&payload));
        let refuse = |e: CarrierError| Failure::unavailable(e.to_string());
        let replies = bus.carrier.subscribe(reply_to.clone(), sink).await.map_err(refuse)?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (directory, presences) =
            Directory::start(bus, &tasks, stop.clone()).await.map_err(refuse)?;
        Ok(Self {
            bus: bus.clone(),
            caller: caller.clone(),
            reply_to,
            waiting,
            directory,
            stop,
            _subscriptions: [replies, presences],
            _tasks: tasks,
        })
    }

    /// The instances there are.
    #[must_use]
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Calls that are waited for now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Calls a tool on whichever instance of the agent serves best.
    ///
    /// # Errors
    /// The agent's own failure; `unavailable` when nothing happened; `unknown` when a call that
    /// acts reached an instance which then was silent.
    pub async fn call(
        &self,
        agent: &AgentName,
        tool: &ToolName,
        args: Box<RawValue>,
        options: &CallOptions,
    ) -> Result<Box<RawValue>, Failure> {
        let tool = (Inbox::Tools, tool);
        self.asked_of_any(agent, tool, args, options).await
    }

    /// Asks a question that an agent answers to other agents only; otherwise as [`Client::call`].
    ///
    /// # Errors
    /// As for [`Client::call`].
    pub async fn question(
        &self,
        agent: &AgentName,
        question: &ToolName,
        args: Box<RawValue>,
        options: &CallOptions,
    ) -> Result<Box<RawValue>, Failure> {
        let question = (Inbox::Questions, question);
        self.asked_of_any(agent, question, args, options).await
    }

    async fn asked_of_any(
        &self,
        agent: &AgentName,
        (inbox, tool): (Inbox, &ToolName),
        args: Box<RawValue>,
        options: &CallOptions,
    ) -> Result<Box<RawValue>, Failure> {
        let deadline = Instant::now() + options.timeout;
        let params = ToolExecute {
            agent: agent.clone(),
            tool: tool.clone(),
            args,
            meta: self.meta(options.timeout, options),
        };
        let params = to_raw_value(&params).expect("invariant: it has only text keys");
        let mut tried: Vec<InstanceId> = Vec::new();
        let mut last = None;
        loop {
            let chosen = match self.directory.choose(agent, &tried) {
                Ok(chosen) => chosen,
                Err(why) => return Err(last.unwrap_or_else(|| Failure::unavailable(why))),
            };
            let (instance, count) = chosen;
            let target = Target { agent, instance: &instance, inbox, count };
            match self.ask(&target, Method::ToolExecute, &params, deadline).await {
                Answer::Response(Err(failure)) if failure.code == wire::Code::Unavailable => {
                    // It did nothing, so another instance may.
                    last = Some(failure);
                }
                Answer::Response(outcome) => return outcome,
                Answer::NotSent(error) => return Err(Failure::unavailable(error.to_string())),
                Answer::NobodyThere => {
                    self.bus.stats.undelivered(1);
                    self.directory.forget(agent, &instance);
                }
                Answer::Gone | Answer::Silent if options.effect.acts() => {
                    let command = options.command_id.as_ref().map(CommandId::as_str);
                    let message = format!(
                        "instance {instance} of {agent} took the call and did not answer; it may \
                         have acted: ask with the same command_id before acting again"
                    );
                    return Err(Failure::unknown(message, command));
                }
                Answer::Gone => self.bus.stats.asked_again(1),
                Answer::Silent => {
                    let ms = options.timeout.as_millis();
                    let message = format!("{agent} did not answer within {ms} ms");
                    return Err(Failure::unavailable(message));
                }
            }
            tried.push(instance);
        }
    }

    /// Asks one instance for its tools.
    ///
    /// # Errors
    /// As for [`Client::call`].
    pub async fn tools(
        &self,
        agent: &AgentName,
        instance: &InstanceId,
        timeout: Duration,
    ) -> Result<Box<RawValue>, Failure> {
        self.simple(agent, instance, Method::ToolsList, timeout).await
    }

    /// Asks one instance for a sign of life.
    ///
    /// # Errors
    /// As for [`Client::call`].
    pub async fn ping(
        &self,
        agent: &AgentName,
        instance: &InstanceId,
        timeout: Duration,
    ) -> Result<(), Failure> {
        self.simple(agent, instance, Method::Ping, timeout).await.map(drop)
    }

    async fn simple(
        &self,
        agent: &AgentName,
        instance: &InstanceId,
        method: Method,
        timeout: Duration,
    ) -> Result<Box<RawValue>, Failure> {
        let params = to_raw_value(&Empty { meta: self.plain_meta(timeout) })
            .expect("invariant: it has only text keys");
        let target = Target { agent, instance, inbox: Inbox::Tools, count: Arc::default() };
        match self.ask(&target, method, &params, Instant::now() + timeout).await {
            Answer::Response(outcome) => outcome,
            Answer::NotSent(error) => Err(Failure::unavailable(error.to_string())),
            Answer::NobodyThere | Answer::Gone => {
                Err(Failure::unavailable(format!("instance {instance} of {agent} is gone")))
            }
            Answer::Silent => Err(Failure::unavailable(format!(
                "instance {instance} of {agent} did not answer within {} ms",
                timeout.as_millis()
            ))),
        }
    }

    /// Sends a request to one instance and waits for what comes of it.
    async fn ask(
        &self,
        target: &Target<'_>,
        method: Method,
        params: &RawValue,
        deadline: Instant,
    ) -> Answer {
        let id = new_id();
        let (sender, mut answer) = oneshot::channel();
        if let Err(answer) = self.waiting.open(id.clone(), sender) {
            return answer;
        }
        let inbox = match target.inbox {
            Inbox::Tools => topics::inbox(target.agent, target.instance),
            Inbox::Questions => topics::questions(target.agent, target.instance),
        };
        target.count.fetch_add(1, Ordering::Relaxed);
        let mut asked = Asked {
            client: self,
            inbox,
            id: id.clone(),
            count: Arc::clone(&target.count),
            answered: false,
        };
        let request = Request {
            id: id.clone(),
            method: method.name().into(),
            params: Some(std::borrow::Cow::Borrowed(params)),
        };
        let waiting = Arc::clone(&self.waiting);
        let receipt = Box::new(move |reached| match reached {
            Ok(0) => waiting.close(&id, Answer::NobodyThere),
            Ok(_) => {}
            Err(CarrierError::Lost) => waiting.close(&id, Answer::Gone),
            Err(error) => waiting.close(&id, Answer::NotSent(error)),
        });
        self.bus.carrier.publish(&asked.inbox, request.to_bytes().into(), receipt);
        loop {
            let probe = (Instant::now() + PROBE_AFTER).min(deadline);
            tokio::select! {
                biased;
                answer = &mut answer => {
                    asked.answered = true;
                    return answer.unwrap_or(Answer::Gone);
                }
                () = sleep_until(probe) => {
                    if Instant::now() >= deadline {
                        return Answer::Silent;
                    }
                    if !self.directory.knows(target.agent, target.instance) {
                        return Answer::Gone;
                    }
                    self.probe(&asked);
                }
            }
        }
    }

    /// Sends a ping whose answer nobody waits for: how many heard it is what counts.
    fn probe(&self, asked: &Asked<'_>) {
        let params = Empty { meta: self.plain_meta(PROBE_AFTER) };
        let (waiting, id) = (Arc::clone(&self.waiting), asked.id.clone());
        let receipt = Box::new(move |reached| {
            if reached == Ok(0) || reached == Err(CarrierError::Lost) {
                waiting.close(&id, Answer::Gone);
            }
        });
        let ping = envelope(Id::Text(UNHEARD.into()), Method::Ping, &params);
        self.bus.carrier.publish(&asked.inbox, ping.into(), receipt);
    }

    fn meta(&self, timeout: Duration, options: &CallOptions) -> Meta {
        Meta {
            command_id: options.command_id.clone(),
            traceparent: options.traceparent.clone(),
            ..self.plain_meta(timeout)
        }
    }

    fn plain_meta(&self, timeout: Duration) -> Meta {
        Meta {
            reply_to: self.reply_to.clone(),
            deadline_unix_ms: self.bus.clock.now().plus(timeout).unix_millis(),
            caller: self.caller.clone(),
            command_id: None,
            traceparent: None,
        }
    }
}

struct Target<'a> {
    agent: &'a AgentName,
    instance: &'a InstanceId,
    inbox: Inbox,
    count: Arc<AtomicU32>,
}

/// An id that other agents cannot guess, who could otherwise answer in the place of the one asked.
fn new_id() -> Id {
    Id::Text(format!("{:032x}", rand::random::<u128>()).into())
}

/// The id of requests whose answer is dropped.
const UNHEARD: &str = "unheard";

fn envelope<T: Serialize>(id: Id, method: Method, params: &T) -> Vec<u8> {
    let params = to_raw_value(params).expect("invariant: it has only text keys");
    let params = Some(std::borrow::Cow::Owned(params));
    Request { id, method: method.name().into(), params }.to_bytes()
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

// === impl Asked ===

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        if self.answered {
            return;
        }
        self.client.waiting.lock().remove(&self.id);
        let params =
            Cancel { request_id: self.id.clone(), meta: self.client.plain_meta(PROBE_AFTER) };
        let cancel = envelope(Id::Text(UNHEARD.into()), Method::Cancel, &params);
        // An instance that is gone has stopped already.
        self.client.bus.carrier.tell(&self.inbox, cancel.into());
    }
}

// === impl Waiting ===

impl Waiting {
    fn open(&self, id: Id, sender: oneshot::Sender<Answer>) -> Result<(), Answer> {
        let mut calls = self.lock();
        if calls.len() >= WAITING_MAX {
            self.stats.overloaded(1);
            let why = format!("{WAITING_MAX} calls are waited for already");
            return Err(Answer::NotSent(CarrierError::NotSent(why.into())));
        }
        calls.insert(id, sender);
        Ok(())
    }

    fn hear(&self, payload: &[u8]) {
        let Ok(Response { id, outcome }) = Response::parse(payload) else {
            return self.stats.malformed(1);
        };
        match id {
            Some(Id::Text(text)) if &*text == UNHEARD => {}
            Some(id) => self.close(&id, Answer::Response(outcome)),
            None => self.stats.malformed(1),
        }
    }

    fn close(&self, id: &Id, answer: Answer) {
        let waiting = self.lock().remove(id);
        let heard = waiting.is_some_and(|sender| sender.send(answer).is_ok());
        if !heard {
            self.stats.late_replies(1);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Id, oneshot::Sender<Answer>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
