//! Shows the breakers.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use wire::house::{BREAKERS, BreakersAsked, BreakersView};
use wire::schema;

use crate::Quant;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "get_breakers",
    title: "Breakers",
    description: "Shows the breaker of trading, which stops new exposure and never a reduction, and the \
                  breaker of tools, which never stops an order: what each is now, why and until when.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<BreakersAsked>,
    output: schema::output_of::<BreakersView>,
    run: Run::Waits(|quant, args, ctx| {
        async move {
            let asked: BreakersAsked = args.read()?;
            quant.house.ask((BREAKERS, Effect::Reads), &asked, &ctx).await
        }
        .boxed()
    }),
};
