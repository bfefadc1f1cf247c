//! Compares the record with the venue at once.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use wire::{Failure, schema};

use crate::Exchange;
use crate::views::ReconciledView;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "reconcile_now",
    title: "Reconcile now",
    description: "Compares open orders, trades and balances of the account with the venue at once and \
                  takes in what differs: orders nobody here sent are adopted, missed trades booked, \
                  money that moved without a trade written down. It never trades to correct anything.",
    effect: Effect::Changes,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<ReconciledView>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&reconcile_now(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
}

async fn reconcile_now(exchange: &Exchange, params: Params) -> Result<ReconciledView, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let compared = desk.reconcile(&CancellationToken::new()).await;
    compared.map_err(|why| {
        Failure::unavailable(format!("the venue or the journal did not answer: {why}"))
    })?;
    Ok(ReconciledView::new(&desk.reconciled(), exchange.opened_in(&desk.name)))
}
