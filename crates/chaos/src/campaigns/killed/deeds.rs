//! What is asked of the agent, of the venue and of the market around a kill.

use std::cell::RefCell;
use std::time::Duration;

use bus::{Client, Listener};
use paper_venue::{FaultKind, FaultMatch, FaultSpec, MarketAction};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use wire::{Code, Failure};

use crate::audit::{Asked, Record};
use crate::house::{LOOK_EVERY, Place, ask, ask_as, command_id, is_unknown};
use crate::orders::{Touch, cents};
use crate::program::Caller;
use crate::{Breaches, Error};

/// How far the market falls through what rests in it, in percent.
const CRASH_PERCENT: u32 = 2;

/// How long an order may be refused after a kill.
const TRADE_MAX: Duration = Duration::from_secs(15);

/// Somebody who calls, one call after the other, and notes what was asked and answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Desk<'a> {
    pub(super) client: &'a Client,
    /// The best prices before anything was asked.
    pub(super) touch: Touch,
    pub(super) asked: &'a RefCell<Vec<Asked>>,
}

// === impl Desk ===

impl Desk<'_> {
    /// One of everything.
    pub(super) async fn work(&self) {
        let resting = self.limit(20);
        let named = |of: &Value| {
            json!({ "exchange": "paper", "symbol": "BTCUSDT",
            "client_order_id": of["client_order_id"] })
        };
        let all = json!({ "exchange": "paper" });
        self.buy().await;
        let open = self.call("place_order", resting.clone(), 1).await;
        let mut smaller = named(&open);
        smaller["quantity"] = json!("0.0004");
        self.call("modify_order", smaller, 0).await;
        let mut moved = named(&open);
        moved["price"] = json!(self.under(200));
        let moved = self.call("modify_order", moved, 1).await;
        self.call("cancel_order", named(&moved["order"]), 0).await;
        self.call("place_order_list", self.exits(200), 2).await;
        self.call("place_order", order("sell", "market", "0.001"), 1).await;
        self.call("place_order", resting, 1).await;
        self.call("reconcile_now", all.clone(), 0).await;
        self.call("cancel_all_orders", all, 0).await;
    }

    /// What a market that falls will fill: two orders and a stop, whose other half then ends.
    ///
    /// # Errors
    /// When one of them is not taken.
    pub(super) async fn rest(&self) -> Result<(), Error> {
        self.insist("place_order", self.limit(20), 1).await?;
        self.insist("place_order", self.limit(50), 1).await?;
        self.insist("place_order_list", self.exits(30), 2).await
    }

    /// An order whose answer the venue swallows.
    ///
    /// # Errors
    /// When it is not sent.
    pub(super) async fn lost(&self) -> Result<(), Error> {
        self.insist("place_order", order("buy", "market", "0.001"), 1).await
    }

    /// An order that is filled at once.
    pub(super) async fn buy(&self) {
        self.call("place_order", order("buy", "market", "0.001"), 1).await;
    }

    fn limit(&self, bips: u64) -> Value {
        let mut limit = order("buy", "limit", "0.0005");
        limit["price"] = json!(self.under(bips));
        limit
    }

    fn exits(&self, bips: u64) -> Value {
        let over = cents(self.touch.ask + self.touch.ask / 100);
        json!({ "exchange": "paper", "symbol": "BTCUSDT", "list_type": "oco",
            "side": "sell", "quantity": "0.0005",
            "above": { "order_type": "limit_maker", "price": over },
            "below": { "order_type": "stop_loss", "trigger_price": self.under(bips) } })
    }

    /// A price so many hundredths of a percent under the best bid.
    fn under(&self, bips: u64) -> String {
        cents(self.touch.bid - self.touch.bid * bips / 10_000)
    }

    /// Calls until it is taken: a machine that is busy has old prices now and then.
    async fn insist(&self, tool: &'static str, args: Value, makes: usize) -> Result<(), Error> {
        let deadline = Instant::now() + TRADE_MAX;
        loop {
            self.call(tool, args.clone(), makes).await;
            let last = self.asked.borrow().last().and_then(|last| last.answer.clone().err());
            match last {
                None => return Ok(()),
                Some(failure) if Instant::now() > deadline || is_unknown(&failure) => {
                    return Err(format!("{tool} is not taken: {failure}").into());
                }
                Some(_) => sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Calls, and notes it before and after: what was begun and not ended was cut off.
    async fn call(&self, tool: &'static str, args: Value, makes: usize) -> Value {
        let id = command_id();
        let cut = Failure::unknown("the process was killed", Some(&id)).with("args", args.clone());
        self.asked.borrow_mut().push(Asked { id: id.clone(), tool, makes, answer: Err(cut) });
        let answer = ask_as(self.client, &id, tool, args).await;
        if let Some(last) = self.asked.borrow_mut().last_mut() {
            last.answer = answer.clone();
        }
        answer.unwrap_or_default()
    }
}

fn order(side: &str, kind: &str, quantity: &str) -> Value {
    json!({ "exchange": "paper", "symbol": "BTCUSDT", "side": side, "order_type": kind,
        "quantity": quantity })
}

/// Lets the venue swallow the answer to its k-th such request from now on.
pub(super) async fn arm(place: &Place, nth: u64, matches: FaultMatch) -> Result<(), Error> {
    let script = vec![nth];
    let spec = FaultSpec { once: false, script, matches, ..FaultSpec::once(FaultKind::NoAnswer) };
    place.venue.admin.add_fault(spec).await?;
    Ok(())
}

/// Waits until the venue has swallowed an answer.
pub(super) async fn swallowed(place: &Place) -> Result<(), Error> {
    while !place.venue.admin.faults().await?.iter().any(|fault| fault.struck > 0) {
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// The changes of orders as they are told.
pub(super) async fn changes(caller: &Caller) -> Result<Listener, Error> {
    let channel = wire::topics::topic(&"exchangespec".parse()?, "orders");
    Ok(caller.bus.listen(&channel, 4_096).await?)
}

/// Lets the market fall.
pub(super) async fn crash(place: &Place) -> Result<(), Error> {
    let (symbol, percent) = ("BTCUSDT".to_owned(), CRASH_PERCENT);
    place.venue.admin.market(MarketAction::FlashCrash { symbol, percent }).await?;
    Ok(())
}

/// Somebody with the same key buys, and leaves an order far under the market.
pub(super) async fn by_hand(place: &Place, touch: Touch) -> Result<(), Error> {
    let person = place.person();
    person.place("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.0003").await?;
    let far = cents(touch.bid - touch.bid / 20);
    let resting =
        format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.0003&price={far}");
    person.place(&resting).await?;
    Ok(())
}

/// Waits until the record is what the venue has, by the journal alone: nobody calls. With
/// `all_over`, until no order is open either.
pub(super) async fn agreed(place: &Place, all_over: bool) -> Result<(), Error> {
    let journal = place.journal().await?;
    loop {
        let truth = place.truth().await?;
        let waits = all_over && !truth.orders.values().all(crate::truth::TrueOrder::is_over);
        if !waits && Record::read(&journal).await?.against(&truth)?.is_none() {
            journal.close().await;
            return Ok(());
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Places an order until one is taken.
pub(super) async fn trade(client: &Client) -> Result<Value, Failure> {
    let args = json!({ "exchange": "paper", "symbol": "ETHUSDT", "side": "buy",
        "order_type": "market", "quantity": "0.01" });
    let deadline = Instant::now() + TRADE_MAX;
    loop {
        let answer = ask(client, "place_order", args.clone()).await;
        match answer {
            Err(failure) if Instant::now() < deadline && !is_unknown(&failure) => {
                sleep(Duration::from_millis(5)).await;
            }
            answer => return answer,
        }
    }
}

/// Asks for everything again under its old name: what was done is answered, and done no more.
pub(super) async fn ask_again(client: &Client, asked: &mut [Asked], found: &mut Breaches) {
    for one in asked {
        let was_cut = match &one.answer {
            Err(failure) => failure.data.get("args").cloned().map(|args| (failure.code, args)),
            Ok(_) => None,
        };
        let Some((Code::Unknown, args)) = was_cut else { continue };
        let answer = ask_as(client, &one.id, one.tool, args).await;
        if answer.as_ref().is_err_and(|failure| failure.code == Code::InvalidParams) {
            found.other.push(format!("{} {} asked again: {answer:?}", one.tool, one.id));
        }
        one.answer = answer;
    }
}
