//! An agent whose tools do what the tests need: echo, panic, burn, and act in countable ways.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use agent::{
    Answer, Args, CallContext, Definition, Effect, Environment, Failure, OpenError, Opened, Run,
    ToolDef, typed,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use journal::Journal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use wire::money::PriceText;
use wire::schema;

/// The state of the probe. Acts leave a byte each in a file, which outlives the instance and is
/// shared by replicas.
#[derive(Debug)]
pub(crate) struct Probe {
    dir: PathBuf,
    burning: AtomicU32,
    burning_peak: AtomicU32,
    was_unavailable: AtomicBool,
}

/// Commands on record in memory.
pub(crate) const IN_MEMORY: Definition<Probe> = definition(open_in_memory);

/// Commands on record in the journal of the configuration.
pub(crate) const WITH_JOURNAL: Definition<Probe> = definition(open_with_journal);

type Open = fn(Environment) -> BoxFuture<'static, Result<Opened<Probe>, OpenError>>;

const fn definition(open: Open) -> Definition<Probe> {
    let about = "Does what tests need.";
    Definition {
        name: "probe",
        about,
        version: "0.0.0",
        port: 0,
        tools: TOOLS,
        questions: &[],
        open,
    }
}

fn open_in_memory(
    environment: Environment,
) -> BoxFuture<'static, Result<Opened<Probe>, OpenError>> {
    async move { Ok(Opened::new(Probe::new(environment.state_dir))) }.boxed()
}

fn open_with_journal(
    environment: Environment,
) -> BoxFuture<'static, Result<Opened<Probe>, OpenError>> {
    async move {
        let address = environment.config.journal().map_err(|e| OpenError(e.to_string()))?;
        let journal = Journal::open(&address.expect("a journal is configured")).await;
        let journal = journal.map_err(|error| OpenError(error.to_string()))?;
        let opened = Opened::new(Probe::new(environment.state_dir));
        let closing = journal.clone();
        Ok(opened
            .with_journal(journal, environment.clock)
            .on_close(move || async move { closing.close().await }.boxed()))
    }
    .boxed()
}

/// How often the probe acted in this folder.
pub(crate) fn acts(dir: &Path) -> u64 {
    std::fs::metadata(dir.join("acts")).map_or(0, |file| file.len())
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// What to say.
    #[schemars(length(max = 20), extend("examples" = ["hello"]))]
    text: String,
    /// A price, whose text only its type can refuse.
    price: Option<PriceText>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Said {
    /// What was said.
    text: String,
    /// By which call it was said, drawn anew each time.
    draw: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Number {
    /// A number.
    number: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Burning {
    /// How many burn now.
    now: u32,
    /// How many did at most.
    peak: u32,
}

const TOOLS: &[ToolDef<Probe>] = &[
    tool("echo", Effect::Reads, Run::Inline(|_, args, _| typed(args, |p: Params| Ok(said(p))))),
    tool("panic_inline", Effect::Reads, Run::Inline(|_, _, _| panic!("inline"))),
    tool("panic_waits", Effect::Reads, Run::Waits(|_, _, _| async { panic!("waits") }.boxed())),
    tool("panic_heavy", Effect::Reads, Run::Heavy(|_, _, _| panic!("heavy"))),
    tool("burn", Effect::Reads, Run::Heavy(burn)),
    ToolDef {
        output: schema::output_of::<Burning>,
        ..tool("burning", Effect::Reads, Run::Inline(burning))
    },
    ToolDef {
        output: schema::output_of::<Number>,
        ..tool(
            "nan",
            Effect::Reads,
            Run::Inline(|_, args, _| args.write(&Number { number: f64::NAN })),
        )
    },
    tool("act", Effect::Changes, Run::Waits(act)),
    tool("act_slowly", Effect::MovesMoney, Run::Waits(act_slowly)),
    tool("act_and_panic", Effect::Changes, Run::Inline(act_and_panic)),
    tool("act_refused", Effect::Changes, Run::Inline(act_refused)),
    tool("act_unless_down", Effect::Changes, Run::Inline(act_unless_down)),
    tool("act_heavily", Effect::Changes, Run::Heavy(act_heavily)),
];

const fn tool(name: &'static str, effect: Effect, run: Run<Probe>) -> ToolDef<Probe> {
    ToolDef {
        name,
        title: "Probe",
        description: "Does what a test of the shell around tools needs of a tool.",
        effect,
        open_world: false,
        input: schema::input_of::<Params>,
        output: schema::output_of::<Said>,
        run,
    }
}

fn said(params: Params) -> Said {
    Said { text: params.text, draw: uuid::Uuid::new_v4().simple().to_string() }
}

fn burn(probe: &Probe, _: &Args, context: &CallContext) -> Answer {
    let now = probe.burning.fetch_add(1, Ordering::SeqCst) + 1;
    probe.burning_peak.fetch_max(now, Ordering::SeqCst);
    while !context.is_cancelled() {
        std::thread::yield_now();
    }
    probe.burning.fetch_sub(1, Ordering::SeqCst);
    Err(Failure::unavailable("cancelled"))
}

fn burning(probe: &Probe, args: &Args, _: &CallContext) -> Answer {
    let load = |count: &AtomicU32| count.load(Ordering::SeqCst);
    args.write(&Burning { now: load(&probe.burning), peak: load(&probe.burning_peak) })
}

fn act(probe: Arc<Probe>, args: Args, _: CallContext) -> BoxFuture<'static, Answer> {
    async move {
        typed(&args, |params: Params| {
            probe.leave_a_mark();
            Ok(said(params))
        })
    }
    .boxed()
}

fn act_slowly(probe: Arc<Probe>, args: Args, _: CallContext) -> BoxFuture<'static, Answer> {
    async move {
        let params: Params = args.read()?;
        probe.leave_a_mark();
        sleep(Duration::from_millis(300)).await;
        args.write(&said(params))
    }
    .boxed()
}

fn act_and_panic(probe: &Probe, _: &Args, _: &CallContext) -> Answer {
    probe.leave_a_mark();
    panic!("after the act")
}

fn act_refused(probe: &Probe, _: &Args, _: &CallContext) -> Answer {
    probe.leave_a_mark();
    Err(Failure::refused("TESTED", "as asked"))
}

/// The first call finds what it needs unavailable and does nothing.
fn act_unless_down(probe: &Probe, args: &Args, _: &CallContext) -> Answer {
    if !probe.was_unavailable.swap(true, Ordering::SeqCst) {
        return Err(Failure::unavailable("the venue is down"));
    }
    typed(args, |params: Params| {
        probe.leave_a_mark();
        Ok(said(params))
    })
}

fn act_heavily(probe: &Probe, args: &Args, _: &CallContext) -> Answer {
    typed(args, |params: Params| {
        probe.leave_a_mark();
        Ok(said(params))
    })
}

// === impl Probe ===

impl Probe {
    fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            burning: AtomicU32::new(0),
            burning_peak: AtomicU32::new(0),
            was_unavailable: AtomicBool::new(false),
        }
    }

    fn leave_a_mark(&self) {
        let mut file = OpenOptions::new();
        let file = file.create(true).append(true).open(self.dir.join("acts"));
        file.and_then(|mut file| file.write_all(b".")).expect("the folder is writable");
    }
}
