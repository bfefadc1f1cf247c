//! Asks a person to reset a breaker: no tool does.

use agent::{Answer, CallContext, Effect, Run, ToolDef};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::house::{BREAKERS, BreakersAsked};
use wire::{Code, Failure, schema};

use crate::Quant;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "reset_breaker",
    title: "Reset a breaker",
    description: "Asks to close a breaker again. Only a person does that: the answer is \
                  approval_required with the command for them to run, or that it is closed already.",
    effect: Effect::Changes,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Reset>,
    run: Run::Waits(|quant, args, ctx| {
        async move { args.write(&reset_breaker(&quant, &args.read()?, &ctx).await?) }.boxed()
    }),
};

/// Which breaker.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum BreakerWord {
    Trading,
    Tooling,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Trading stops new exposure, tooling stops tools.
    breaker: BreakerWord,
    /// Why it should be closed, for the person who decides.
    #[schemars(length(min = 1, max = 200), extend("examples" = ["the venue is back"]))]
    reason: String,
}

/// A breaker that is closed.
#[derive(Debug, Serialize, JsonSchema)]
struct Reset {
    /// Which one.
    breaker: &'static str,
    /// What it is: closed.
    state: &'static str,
}

// === impl BreakerWord ===

impl BreakerWord {
    const fn name(self) -> &'static str {
        match self {
            Self::Trading => "trading",
            Self::Tooling => "tooling",
        }
    }
}

async fn reset_breaker(
    quant: &Quant,
    params: &Params,
    ctx: &CallContext,
) -> Result<Reset, Failure> {
    let name = params.breaker.name();
    let asked = BreakersAsked { changes: None };
    let answer: Answer = quant.house.ask((BREAKERS, Effect::Reads), &asked, ctx).await;
    let shown: Value = serde_json::from_str(answer?.get()).unwrap_or_default();
    let known = shown["breakers"].as_array().into_iter().flatten().find(|b| b["breaker"] == name);
    let known = known.ok_or_else(|| Failure::unavailable("the breaker is not known"))?;
    let state = known["state"].as_str().unwrap_or("unreadable");
    if state == "closed" {
        return Ok(Reset { breaker: name, state: "closed" });
    }
    let run = format!("bot4 breaker reset {name} --by NAME --reason WHY");
    let says = format!("the breaker of {name} is {state}; a person closes it with: {run}");
    Err(Failure::new(Code::ApprovalRequired, says)
        .with("reason", json!("RESET_NEEDS_PERSON"))
        .with("breaker", json!(name))
        .with("state", json!(state))
        .with("asked_for", json!(params.reason)))
}
