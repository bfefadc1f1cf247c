//! Lowers a limit of the house.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use wire::house::{LOWER_LIMIT, LimitChangedView, LimitLowered};
use wire::schema;

use crate::Quant;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "set_limit",
    title: "Lower a limit",
    description: "Lets a limit of the house allow less, for every order decided from a fraction of a \
                  second later on, restarts included. To allow more is refused: a person does that \
                  with bot4 limit set.",
    effect: Effect::Changes,
    open_world: false,
    input: schema::input_of::<LimitLowered>,
    output: schema::output_of::<LimitChangedView>,
    run: Run::Waits(|quant, args, ctx| {
        async move {
            let asked: LimitLowered = args.read()?;
            quant.house.ask((LOWER_LIMIT, Effect::Changes), &asked, &ctx).await
        }
        .boxed()
    }),
};
