//! The breaker of tools alone, for those who look often.

use agent::{Effect, Run, ToolDef, ToolingRecord};
use futures_util::FutureExt;
use wire::house::{Nothing, TOOLING, ToolingView};
use wire::{Failure, schema};

use crate::Exchange;

pub(super) const QUESTION: ToolDef<Exchange> = ToolDef {
    name: TOOLING,
    title: "Breaker of tools",
    description: "Gives what the breaker of tools is now, and whether it stops tools.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Nothing>,
    output: schema::output_of::<ToolingView>,
    run: Run::Waits(|exchange, args, _| {
        async move {
            let Nothing {} = args.read()?;
            args.write(&exchange.tooling().read().await.map_err(Failure::unavailable)?)
        }
        .boxed()
    }),
};
