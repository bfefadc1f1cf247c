//! Shows the limits in force.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use wire::house::{LIMITS, LimitsAsked, LimitsView};
use wire::schema;

use crate::Quant;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "get_limits",
    title: "Limits",
    description: "Lists the limits that every order is judged by, as they are in force now, with what \
                  the configuration says where a tool or a person changed it, and the latest changes.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<LimitsAsked>,
    output: schema::output_of::<LimitsView>,
    run: Run::Waits(|quant, args, ctx| {
        async move {
            let asked: LimitsAsked = args.read()?;
            quant.house.ask((LIMITS, Effect::Reads), &asked, &ctx).await
        }
        .boxed()
    }),
};
