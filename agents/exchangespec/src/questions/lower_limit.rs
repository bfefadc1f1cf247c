//! Lets a limit allow less.

use agent::{CallContext, Changer, Effect, LiveLimitsError, Run, ToolDef};
use futures_util::FutureExt;
use risk::Tightness;
use serde_json::json;
use wire::house::{LOWER_LIMIT, LimitChangedView, LimitLowered};
use wire::{Code, Failure, schema};

use crate::Exchange;

pub(super) const QUESTION: ToolDef<Exchange> = ToolDef {
    name: LOWER_LIMIT,
    title: "Lower a limit",
    description: "Lets a limit allow less from now on, in every process that reads the journal.",
    effect: Effect::Changes,
    open_world: false,
    input: schema::input_of::<LimitLowered>,
    output: schema::output_of::<LimitChangedView>,
    run: Run::Waits(|exchange, args, ctx| {
        async move { args.write(&lower(&exchange, args.read()?, &ctx).await?) }.boxed()
    }),
};

async fn lower(
    exchange: &Exchange,
    asked: LimitLowered,
    ctx: &CallContext,
) -> Result<LimitChangedView, Failure> {
    let LimitLowered { limit, value, reason } = asked;
    let by = Changer::Tool(ctx.caller.as_str());
    let to = (limit.as_str(), Some(Some(value.as_str())));
    let changed = exchange.limits().change(to, by, &reason, exchange.clock()).await;
    let changed = changed.map_err(|error| refusal(error, &limit, &value))?;
    Ok(LimitChangedView {
        changed: Tightness::of(&limit, changed.before.as_deref(), changed.after.as_deref())
            != Tightness::Same,
        limit,
        before: changed.before,
        after: changed.after,
        version: changed.version,
    })
}

fn refusal(error: LiveLimitsError, limit: &str, value: &str) -> Failure {
    let says = error.to_string();
    match error {
        LiveLimitsError::Senseless(_) => {
            let field = if says.contains("there is no limit") { "limit" } else { "value" };
            let (stands, example) = match field {
                "limit" => (limit, "max_order_notional"),
                _ => (value, "see get_limits"),
            };
            Failure::invalid(field, json!(stands), &says, json!(example))
        }
        LiveLimitsError::NeedsPerson { before, after, .. } => {
            let run = format!("bot4 limit set {limit} {after} --by NAME --reason WHY");
            let says = format!("{says}; a person runs: {run}");
            Failure::new(Code::ApprovalRequired, says)
                .with("reason", json!("LIMIT_NEEDS_PERSON"))
                .with("limit", json!(limit))
                .with("before", json!(before))
                .with("after", json!(after))
        }
        LiveLimitsError::Journal(_) | LiveLimitsError::Crowded => Failure::unavailable(says),
    }
}
