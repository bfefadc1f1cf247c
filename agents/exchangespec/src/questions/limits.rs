//! The limits in force.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use journal::LimitChanged;
use serde_json::json;
use wire::house::{LIMITS, LimitChangeView, LimitView, LimitsAsked, LimitsView};
use wire::money::TimeText;
use wire::{Failure, schema};

use crate::Exchange;

pub(super) const QUESTION: ToolDef<Exchange> = ToolDef {
    name: LIMITS,
    title: "Limits in force",
    description: "Gives the limits in force, what the configuration says, and the latest changes.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<LimitsAsked>,
    output: schema::output_of::<LimitsView>,
    run: Run::Waits(|exchange, args, ctx| {
        async move { args.write(&limits(&exchange, args.read()?, ctx.now()).await?) }.boxed()
    }),
};

async fn limits(
    exchange: &Exchange,
    asked: LimitsAsked,
    now: domain::Timestamp,
) -> Result<LimitsView, Failure> {
    let unavailable = |error: String| Failure::unavailable(error);
    let all = exchange.limits().all().await;
    let (version, all) = all.map_err(|error| unavailable(error.to_string()))?;
    if let Some(key) = &asked.limit
        && !all.iter().any(|limit| limit.key == key)
    {
        let keys: Vec<&str> = all.iter().map(|limit| limit.key).collect();
        let rule = format!("must be one of {}", keys.join(", "));
        return Err(Failure::invalid("limit", json!(key), &rule, json!("max_order_notional")));
    }
    let changes = match asked.changes.unwrap_or(0) {
        0 => Vec::new(),
        count => {
            let changes = exchange.journal().limit_changes(count).await;
            changes.map_err(|error| unavailable(error.to_string()))?
        }
    };
    let shown = all.into_iter().filter(|l| asked.limit.as_deref().is_none_or(|key| l.key == key));
    let view = |limit: agent::LimitInForce| LimitView {
        limit: limit.key.to_owned(),
        configured: limit.configured.filter(|_| limit.changed_by.is_some()),
        value: limit.value,
        changed_by: limit.changed_by,
    };
    Ok(LimitsView {
        version,
        as_of: TimeText(now),
        limits: shown.map(view).collect(),
        changes: changes.into_iter().map(change).collect(),
    })
}

fn change(change: LimitChanged) -> LimitChangeView {
    LimitChangeView {
        version: change.version,
        limit: change.key,
        value: change.value,
        by: change.by,
        reason: change.reason,
        at: TimeText(change.at),
    }
}
