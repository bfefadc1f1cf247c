//! Trips the breaker of tools for an agent whose tools fail.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use wire::house::{TRIP_TOOLING, ToolingTripped, ToolingView};
use wire::{Failure, schema};

use crate::Exchange;

pub(super) const QUESTION: ToolDef<Exchange> = ToolDef {
    name: TRIP_TOOLING,
    title: "Trip the breaker of tools",
    description: "Stops tools that have nothing to do with an order, for the breaker's cool-down.",
    effect: Effect::Changes,
    open_world: false,
    input: schema::input_of::<ToolingTripped>,
    output: schema::output_of::<ToolingView>,
    run: Run::Waits(|exchange, args, ctx| {
        async move {
            let ToolingTripped { reason } = args.read()?;
            let reason = format!("{}: {reason}", ctx.caller);
            let tripped = exchange.tooling().trip_by(ctx.caller.as_str(), &reason).await;
            args.write(&tripped.map_err(Failure::unavailable)?)
        }
        .boxed()
    }),
};
