//! Says what an order would do, before anybody places it.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use wire::house::{OrderAsked, OrderRiskView, RISK_OF_ORDER};
use wire::schema;

use crate::Quant;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "risk_of_order",
    title: "Risk of an order",
    description: "Says what an order would do to position, exposure, leverage, concentration, value at \
                  risk, expected shortfall, correlated exposure and drawdown, each before, after and \
                  beside its limit, and whether the gate would let it pass now. Places nothing.",
    effect: Effect::Reads,
    open_world: true,
    input: schema::input_of::<OrderAsked>,
    output: schema::output_of::<OrderRiskView>,
    run: Run::Waits(|quant, args, ctx| {
        async move {
            let asked: OrderAsked = args.read()?;
            quant.house.ask((RISK_OF_ORDER, Effect::Reads), &asked, &ctx).await
        }
        .boxed()
    }),
};
