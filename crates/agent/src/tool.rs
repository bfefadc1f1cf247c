//! A tool is a value in a table: what it is called, what it takes, what it gives, what it does.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use domain::{Clock, CommandId, Timestamp};
use futures_util::future::BoxFuture;
use journal::Beginning;
use ring::digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::ser::{Formatter, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wire::{AgentName, Effect, Failure, InstanceId, ToolInfo, ToolName, schema};

/// What a tool call gives.
pub type Answer = Result<Box<RawValue>, Failure>;

/// A tool.
#[derive(Debug)]
pub struct ToolDef<S> {
    /// Its name within the agent: `calculate_kelly`.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does, for the model that chooses it: what for, units, signs, what it does not do.
    pub description: &'static str,
    /// What a call can do to the world.
    pub effect: Effect,
    /// Whether it reaches things outside the fleet, such as a venue.
    pub open_world: bool,
    /// The schema of its parameters: [`schema::input_of`].
    pub input: fn() -> Value,
    /// The schema of its result: [`schema::output_of`].
    pub output: fn() -> Value,
    /// What it does.
    pub run: Run<S>,
}

/// How a tool runs.
pub enum Run<S> {
    /// At once, in microseconds, where messages are read.
    Inline(fn(&S, &Args, &CallContext) -> Answer),
    /// On a thread of its own, because it burns the processor. It asks
    /// [`CallContext::is_cancelled`] now and then.
    Heavy(fn(&S, &Args, &CallContext) -> Answer),
    /// As a task, because it waits for something. One that acts is never dropped half done: after
    /// [`CallContext::cancel`] fires it ends by itself.
    Waits(fn(Arc<S>, Args, CallContext) -> BoxFuture<'static, Answer>),
    /// As [`Run::Waits`], for a tool whose command begins with its first effect: it puts
    /// [`CallContext::beginning`] on record in the transaction that makes the effect durable. What
    /// ends before that has done nothing, and is known by its answer only.
    Begins(fn(Arc<S>, Args, CallContext) -> BoxFuture<'static, Answer>),
}

/// The arguments of a call, with the schema that they must meet.
#[derive(Debug, Clone)]
pub struct Args {
    pub(crate) text: Arc<RawValue>,
    pub(crate) schema: Arc<Value>,
    /// Them, once they were found to meet the schema.
    pub(crate) checked: Option<Arc<Value>>,
}

/// What a tool may know of its call.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The instance that runs it.
    pub instance: InstanceId,
    /// Who asks.
    pub caller: AgentName,
    /// The command, for a tool that acts.
    pub command_id: Option<CommandId>,
    /// The command as it goes on record, for a tool that acts.
    pub beginning: Option<Arc<Beginning>>,
    /// Fires when the caller gives up, the deadline passes or the instance stops.
    pub cancel: CancellationToken,
    /// When the caller stops waiting.
    pub deadline: Timestamp,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Writes JSON without spaces and without `null`.
struct NoNulls;

/// The tools of an agent, ready to be called.
pub struct ToolTable<S: 'static> {
    tools: BTreeMap<&'static str, Entry<S>>,
    order: Vec<&'static str>,
    hash: String,
}

pub(crate) struct Entry<S: 'static> {
    pub(crate) def: &'static ToolDef<S>,
    pub(crate) info: ToolInfo,
    pub(crate) input: Arc<Value>,
}

/// Reads the arguments, runs the tool, writes the result: once, for all tools.
///
/// # Errors
/// `invalid_params` for arguments that do not meet the schema; otherwise the tool's own failure.
pub fn typed<P, R>(args: &Args, run: impl FnOnce(P) -> Result<R, Failure>) -> Answer
where
    P: DeserializeOwned,
    R: Serialize,
{
    args.write(&run(args.read()?)?)
}

// === impl Args ===

impl Args {
    /// The arguments in their type.
    ///
    /// # Errors
    /// `invalid_params`, naming every mistake.
    pub fn read<P: DeserializeOwned>(&self) -> Result<P, Failure> {
        match &self.checked {
            Some(value) => schema::typed(value),
            None => schema::read(&self.schema, self.text.get()),
        }
    }

    /// Makes sure that the arguments meet the schema, once.
    ///
    /// # Errors
    /// As for [`Args::read`].
    pub(crate) fn check(&mut self) -> Result<Arc<Value>, Failure> {
        if let Some(value) = &self.checked {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(schema::checked(&self.schema, self.text.get())?);
        self.checked = Some(Arc::clone(&value));
        Ok(value)
    }

    /// A result as it travels.
    ///
    /// # Errors
    /// `internal` for a number that JSON cannot hold, which it would write as `null`, and for any
    /// other `null`: a tool must refuse or leave out what there is not, and its output schema has
    /// no place for one.
    pub fn write<R: Serialize>(&self, result: &R) -> Answer {
        let mut text = Vec::new();
        let written = result.serialize(&mut Serializer::with_formatter(&mut text, NoNulls));
        let text = String::from_utf8(text).expect("invariant: JSON is UTF-8");
        written.and_then(|()| RawValue::from_string(text)).map_err(|error| {
            let incident = uuid::Uuid::now_v7().simple().to_string();
            tracing::error!(%incident, %error, "a result cannot be written");
            Failure::internal(&incident)
        })
    }
}

impl Formatter for NoNulls {
    fn write_null<W: io::Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        Err(io::Error::other("it has a null, or a number that is not finite"))
    }
}

// === impl CallContext ===

impl CallContext {
    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether nobody waits for the result any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

// === impl ToolTable ===

impl<S> ToolTable<S> {
    /// The table of an agent.
    ///
    /// # Panics
    /// When a tool has an illegal or second name, a schema that is not plain, or too little to say
    /// of itself. All of that is known when the program is written: the first start shows it.
    #[must_use]
    pub fn new(defs: &'static [ToolDef<S>]) -> Self {
        let mut tools = BTreeMap::new();
        for def in defs {
            let info = def.info();
            assert!(def.description.len() >= 40, "tool {} does not say what it does", def.name);
            let input = Arc::new(info.input_schema.clone());
            let known = tools.insert(def.name, Entry { def, info, input });
            assert!(known.is_none(), "there are two tools called {}", def.name);
        }
        let order = defs.iter().map(|def| def.name).collect();
        let listed: Vec<&ToolInfo> = tools.values().map(|entry| &entry.info).collect();
        let text = serde_json::to_vec(&listed).expect("invariant: it has only text keys");
        Self { tools, order, hash: short_hash(&text) }
    }

    /// What `tools.list` says, in the order of the table.
    #[must_use]
    pub fn infos(&self) -> Vec<&ToolInfo> {
        self.order.iter().filter_map(|name| self.tools.get(name)).map(|e| &e.info).collect()
    }

    pub(crate) fn get(&self, name: &ToolName) -> Result<&Entry<S>, Failure> {
        self.tools.get(name.as_str()).ok_or_else(|| {
            let listed = self.order.join(", ");
            Failure::invalid(
                "tool",
                name,
                &format!("must be one of {listed}"),
                json!(self.order.first()),
            )
        })
    }

    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }
}

impl<S> ToolDef<S> {
    /// The tool as it is listed.
    ///
    /// # Panics
    /// As for [`ToolTable::new`].
    #[must_use]
    pub fn info(&self) -> ToolInfo {
        ToolInfo {
            name: self.name.parse().expect("invariant: a tool of ours has a legal name"),
            title: self.title.to_owned(),
            description: self.description.to_owned(),
            effect: self.effect,
            open_world: self.open_world,
            input_schema: (self.input)(),
            output_schema: (self.output)(),
        }
    }
}

impl<S> fmt::Debug for Run<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inline(_) => "Inline",
            Self::Heavy(_) => "Heavy",
            Self::Waits(_) => "Waits",
            Self::Begins(_) => "Begins",
        })
    }
}

impl<S> fmt::Debug for ToolTable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.order).finish()
    }
}

/// A short SHA-256 in hex: enough to see that something changed, or that arguments are the same.
#[must_use]
pub fn short_hash(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    let digits = |byte: &u8| [byte >> 4, byte & 0xf];
    let hex = |digit: u8| char::from_digit(u32::from(digit), 16).unwrap_or_default();
    digest.as_ref().iter().take(16).flat_map(digits).map(hex).collect()
}
