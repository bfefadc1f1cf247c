//! The breakers.

use agent::{Effect, Run, ToolDef};
use domain::Timestamp;
use futures_util::FutureExt;
use risk::{Breaker, BreakerChange, BreakerKind, TripCode};
use wire::house::{BREAKERS, BreakerChangeView, BreakerView, BreakersAsked, BreakersView};
use wire::money::TimeText;
use wire::{Failure, schema};

use crate::Exchange;

pub(super) const QUESTION: ToolDef<Exchange> = ToolDef {
    name: BREAKERS,
    title: "Breakers",
    description: "Gives both breakers as they are now, and the latest changes of each.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<BreakersAsked>,
    output: schema::output_of::<BreakersView>,
    run: Run::Waits(|exchange, args, ctx| {
        async move { args.write(&breakers(&exchange, &args.read()?, ctx.now()).await?) }.boxed()
    }),
};

async fn breakers(
    exchange: &Exchange,
    asked: &BreakersAsked,
    now: Timestamp,
) -> Result<BreakersView, Failure> {
    let mut shown = Vec::new();
    for kind in BreakerKind::ALL {
        let breaker = exchange.journal().read_breaker(kind).await;
        let changes = match asked.changes.unwrap_or(0) {
            0 => Vec::new(),
            count => {
                let changes = exchange.journal().breaker_changes(kind, count).await;
                changes.map_err(|error| Failure::unavailable(error.to_string()))?
            }
        };
        shown.push(view(kind, &breaker, &changes, now));
    }
    Ok(BreakersView { as_of: TimeText(now), breakers: shown })
}

fn view(
    kind: BreakerKind,
    breaker: &Breaker,
    changes: &[BreakerChange],
    now: Timestamp,
) -> BreakerView {
    let phase = breaker.phase(now);
    let change = |change: &BreakerChange| {
        let then = Breaker::Known { version: change.version, state: change.state };
        let phase = then.phase(change.at);
        BreakerChangeView {
            version: change.version,
            state: phase.word(),
            code: phase.code().map(TripCode::name),
            by: change.by.clone(),
            reason: change.reason.clone(),
            at: TimeText(change.at),
        }
    };
    BreakerView {
        breaker: kind.name(),
        state: phase.word(),
        stops: breaker.stops(now),
        code: phase.code().map(TripCode::name),
        until: phase.until().map(TimeText),
        why: match breaker {
            Breaker::Unreadable { why } => Some(why.clone()),
            Breaker::Known { .. } | Breaker::Missing => None,
        },
        changes: changes.iter().map(change).collect(),
    }
}
