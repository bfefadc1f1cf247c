//! A person trades by hand on the agent's account, while it runs and while it is down.
//!
//! The person places, trades and cancels over a signed client of its own, and money is paid in. The
//! agent must afterwards have adopted all of it, to the last unit, and must not have sent a single
//! order that nobody asked it for.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::time::Instant;

use crate::audit::{Asked, Record};
use crate::draws::Draws;
use crate::house::{House, SERVE_MAX, ask, ask_as, command_id, exchange, touch};
use crate::orders::{Mind, SYMBOLS, Touch};
use crate::person::Person;
use crate::{Breaches, Error, Tally};

/// What `--only` knows it by.
pub const NAME: &str = "manual";

/// What the person does while the agent runs, and again while it is down.
const ACTS: usize = 30;

/// What a person pays in, by asset.
const PAYMENTS: [(&str, &str); 3] = [("USDT", "1234.56789"), ("BTC", "0.00000001"), ("SOL", "7")];

/// Runs `seeds` seeds from `first` on.
///
/// # Errors
/// When something that is not on trial fails.
pub async fn run(first: u64, seeds: u64) -> Result<Tally, Error> {
    let mut tally = Tally::new(NAME, "acts by hand");
    for seed in first..first.saturating_add(seeds) {
        tally.add(Box::pin(one(seed)).await?);
    }
    Ok(tally)
}

async fn one(seed: u64) -> Result<Tally, Error> {
    let mut tally = Tally { seeds: 1, ..Tally::new(NAME, "acts by hand") };
    let house = House::new(seed, &[]).await?;
    let mut hand = Hand { draws: Draws::new(seed, u64::MAX), open: Vec::new(), acts: 0 };
    let (person, mut seen) = (house.place.person(), [None; SYMBOLS.len()]);
    let deadline = Instant::now() + SERVE_MAX;
    for (market, place) in seen.iter_mut().enumerate() {
        while place.is_none() && Instant::now() < deadline {
            *place = touch(&house.client, market).await;
        }
    }
    let seen: Vec<Touch> = seen.into_iter().flatten().collect();
    let mut mind = Mind::new(seed, 0);
    let mut asked = Vec::new();
    for _ in 0..ACTS {
        hand.act(&house, &person, &seen).await?;
        let market = mind.market();
        let Some(touch) = seen.get(market) else { continue };
        let (wish, id) = (mind.wish(market, *touch), command_id());
        let answer = ask_as(&house.client, &id, wish.tool, wish.args).await;
        if let Ok(answer) = &answer {
            mind.learn(market, answer);
        }
        let kept = answer.as_ref().is_ok_and(|answer| answer["how"] == "kept_its_place");
        let makes = if kept { 0 } else { wish.makes };
        asked.push(Asked { id, tool: wish.tool, makes, answer });
    }
    // While it is down everything else goes on: what it left open is filled and cancelled.
    let place = house.leave().await;
    for _ in 0..ACTS {
        hand.act_at(&place, &person, &seen).await?;
    }
    person.send("DELETE", "/api/v3/openOrders", "symbol=ETHUSDT").await?;
    let started = Instant::now();
    let house = House::on(place).await?;
    tally.time("start to serving", started.elapsed());
    house.place.freeze_market().await?;
    let (mut found, took) = house.place.settle(&house.client, &asked).await?;
    tally.time("settled after", took);
    idle(&house, &mut found).await?;
    let (truth, journal) = (house.place.truth().await?, house.place.journal().await?);
    let record = Record::read(&journal).await?;
    journal.close().await;
    let by_hand = truth.orders.values().filter(|told| told.client_id.starts_with("man-")).count();
    if record.adopted() != by_hand {
        let adopted = record.adopted();
        found.losses.push(format!("{adopted} of {by_hand} orders by hand were adopted"));
    }
    // Nothing was sent to correct what the person did.
    let wished: BTreeSet<&str> = asked.iter().map(|asked| asked.id.as_str()).collect();
    for order in &record.orders {
        let command = order.command_id().as_str();
        if !command.starts_with("found:") && !wished.contains(command) {
            found.other.push(format!("nobody asked for {}", order.request().client_order_id));
        }
    }
    tally.states = record.states();
    (tally.orders, tally.trades, tally.events) = (truth.orders.len(), truth.trades(), hand.acts);
    tally.breach(seed, found);
    house.end().await;
    Ok(tally)
}

/// Looks several times more: what has been adopted is not adopted again, and nothing is sent.
async fn idle(house: &House, found: &mut Breaches) -> Result<(), Error> {
    let before = house.place.truth().await?.placing().count();
    let mut last = None;
    for _ in 0..5 {
        last = Some(ask(&house.client, "reconcile_now", exchange()).await?);
    }
    let after = house.place.truth().await?.placing().count();
    if after != before {
        found.other.push(format!("{} orders were sent by comparing", after - before));
    }
    let trouble = last.as_ref().map_or(&Value::Null, |view| &view["failed"]);
    if !trouble.is_null() {
        found.other.push(format!("comparing fails: {trouble}"));
    }
    Ok(())
}

/// The person's own choices and memory.
#[derive(Debug)]
struct Hand {
    draws: Draws,
    open: Vec<(&'static str, u64)>,
    acts: u64,
}

// === impl Hand ===

impl Hand {
    async fn act(&mut self, house: &House, person: &Person, seen: &[Touch]) -> Result<(), Error> {
        self.act_at(&house.place, person, seen).await
    }

    /// Does one thing.
    async fn act_at(
        &mut self,
        place: &crate::house::Place,
        person: &Person,
        seen: &[Touch],
    ) -> Result<(), Error> {
        self.acts = self.acts.saturating_add(1);
        let market = usize::try_from(self.draws.below(3)).unwrap_or_default();
        let (Some(symbol), Some(touch)) = (SYMBOLS.get(market), seen.get(market)) else {
            return Ok(());
        };
        let side = if self.draws.below(2) == 0 { "BUY" } else { "SELL" };
        let quantity = ["0.0004", "0.01", "0.2"].get(market).copied().unwrap_or_default();
        let name = format!("man-{}-{}", self.acts, self.draws.below(1 << 40));
        let base =
            format!("symbol={symbol}&side={side}&quantity={quantity}&newClientOrderId={name}");
        match self.draws.below(10) {
            0..4 => {
                person.place(&format!("{base}&type=MARKET")).await?;
            }
            4..8 => {
                // Below or above where the market was, so that some trade and some rest.
                let off = touch.bid / 500;
                let price = touch.bid.saturating_sub(off) + self.draws.below(2 * off);
                let price = format!("{}.{:02}", price / 100, price % 100);
                let params = format!("{base}&type=LIMIT&timeInForce=GTC&price={price}");
                let number = person.place(&params).await?;
                self.open.push((symbol, number));
            }
            8 => {
                if let Some((symbol, number)) = self.open.pop() {
                    // It may have traded meanwhile.
                    drop(person.cancel(symbol, number).await);
                }
            }
            _ => {
                if let Some((asset, amount)) = self.draws.pick(&PAYMENTS) {
                    place.venue.admin.deposit(place.account, asset, amount).await?;
                }
            }
        }
        Ok(())
    }
}
