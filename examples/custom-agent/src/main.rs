//! A whole agent: a counter that others can read and change.

use std::process::ExitCode;
use std::sync::atomic::{AtomicI64, Ordering};

use agent::{Definition, Effect, Environment, Failure, OpenError, Opened, Run, ToolDef, typed};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::schema::{input_of, output_of};

/// What all calls share.
#[derive(Debug, Default)]
struct Counter(AtomicI64);

const TOOLS: &[ToolDef<Counter>] = &[
    ToolDef {
        name: "read_count",
        title: "Read the count",
        description: "Reads the count as it stands, in whole units; changes nothing.",
        effect: Effect::Reads,
        open_world: false,
        input: input_of::<Nothing>,
        output: output_of::<Count>,
        run: Run::Inline(|counter, args, _| {
            typed(args, |Nothing {}| Ok(Count { count: counter.0.load(Ordering::SeqCst) }))
        }),
    },
    ToolDef {
        name: "add_to_count",
        title: "Add to the count",
        description: "Adds whole units to the count, at most 100 at once; negative ones take away.",
        effect: Effect::Changes,
        open_world: false,
        input: input_of::<Add>,
        output: output_of::<Count>,
        run: Run::Inline(|counter, args, _| typed(args, |params| add(counter, &params))),
    },
];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Add {
    /// How many units to add; negative takes away.
    #[schemars(range(min = -100, max = 100), extend("examples" = [5]))]
    units: i64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Count {
    /// The count, after the call.
    count: i64,
}

fn add(counter: &Counter, params: &Add) -> Result<Count, Failure> {
    let added = |count: i64| count.checked_add(params.units).filter(|count| *count >= 0);
    let before = counter.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, added);
    let before = before.or(Err(Failure::refused("BELOW_ZERO", "the count cannot fall below 0")))?;
    Ok(Count { count: before + params.units })
}

fn open(_: Environment) -> BoxFuture<'static, Result<Opened<Counter>, OpenError>> {
    ready(Ok(Opened::new(Counter::default()))).boxed()
}

fn main() -> ExitCode {
    let (name, about, version) = ("counter", "Counts.", env!("CARGO_PKG_VERSION"));
    agent::main(&Definition {
        name,
        about,
        version,
        port: 8090,
        tools: TOOLS,
        questions: &[],
        open,
    })
}
