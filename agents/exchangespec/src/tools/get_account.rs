//! Says what the account has, what it is worth, and how much of each limit is used.

use std::collections::BTreeMap;

use agent::{Effect, LimitSet, Run, ToolDef};
use domain::{Amount, Asset, Decimal, Overflow, Rate};
use futures_util::FutureExt;
use risk::{BreakerRules, DayLossLevel, Limits, Phase, Standing, TripCode, limit_values};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::money::{AmountText, TimeText};
use wire::{Failure, schema};

use super::get_positions::{PositionView, positions, symbols_of};
use crate::Exchange;
use crate::books::{Books, Prices};
use crate::desk::Desk;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "get_account",
    title: "Account",
    description: "Gives balances (free, locked, total), positions with average cost and profit, \
                  equity in USDT at mid prices, losses of the day and the week, drawdown, the \
                  trading breaker, exposure, and each limit with how much of it is used. What cannot \
                  be valued now is left out.",
    effect: Effect::Reads,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Account>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&get_account(&exchange, args.read()?).await?) }.boxed()
    }),
};

/// Places that shares are rounded to for display.
const SHARE_PLACES: u32 = 6;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
}

/// The account.
#[derive(Debug, Serialize, JsonSchema)]
struct Account {
    /// When this was so.
    as_of: TimeText,
    /// The money by asset.
    balances: Vec<BalanceView>,
    /// What was traded, by symbol.
    positions: Vec<PositionView>,
    /// What everything is worth in USDT; absent when something held has no fresh price.
    #[serde(skip_serializing_if = "Option::is_none")]
    equity: Option<AmountText>,
    /// The asset of equity, exposure and limits.
    equity_asset: String,
    /// The day's loss; absent until the account could be valued once and while it cannot be.
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<DayView>,
    /// What else the gate asks about the account before new exposure.
    conduct: ConductView,
    /// What all positions are worth, in USDT; absent while something at stake has no price.
    #[serde(skip_serializing_if = "Option::is_none")]
    exposure: Option<AmountText>,
    /// What open buy orders may add to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_buys: Option<AmountText>,
    /// Each limit on size with how much of it is used; empty while the equity is not known.
    limits_used: Vec<LimitUsed>,
    /// The limits in force; one that is not there is not set.
    limits: BTreeMap<String, String>,
}

/// How much of one asset there is.
#[derive(Debug, Serialize, JsonSchema)]
struct BalanceView {
    /// Which asset.
    asset: String,
    /// What can be used.
    free: AmountText,
    /// What open orders hold.
    locked: AmountText,
    /// Both together.
    total: AmountText,
}

/// The loss of the day.
#[derive(Debug, Serialize, JsonSchema)]
struct DayView {
    /// The first equity of the day in UTC.
    equity_start: AmountText,
    /// What is lost since, zero for a profit.
    loss: AmountText,
    /// The same as a share of the first equity, 0 to 1 and more.
    loss_share: AmountText,
    /// normal, warn, or stop: no new exposure.
    level: &'static str,
}

/// What the account has done and suffered lately.
#[derive(Debug, Serialize, JsonSchema)]
struct ConductView {
    /// Loss since the week's first equity, as a share of it; absent while it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    week_loss_share: Option<AmountText>,
    /// Loss since the highest equity, as a share of it; absent while it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    drawdown: Option<AmountText>,
    /// Losing round trips in a row.
    losing_streak: u32,
    /// Orders sent within the window of order_rate_max.
    orders_in_window: u32,
    /// The trading breaker: closed, half_open, open, needs_person, missing or unreadable.
    breaker: &'static str,
    /// What tripped it; absent while it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker_code: Option<&'static str>,
}

/// How much of a limit is used.
#[derive(Debug, Serialize, JsonSchema)]
struct LimitUsed {
    /// The limit by its configured name.
    limit: String,
    /// Of which symbol; absent for limits of the whole account.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    /// What counts already, in USDT.
    used: AmountText,
    /// What may count, in USDT.
    max: AmountText,
    /// Used over max; absent while nothing may count.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_share: Option<AmountText>,
}

async fn get_account(exchange: &Exchange, params: Params) -> Result<Account, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let mut books = desk.books().await;
    let symbols = symbols_of(&books);
    let prices = desk.prices(&symbols).await;
    books.mark(&prices);
    let equity = desk.value(&mut books, &prices).await;
    let equity = equity.map_err(|error| Failure::unavailable(error.to_string()))?;
    let phase = desk.breaker().await.phase(desk.clock.now());
    let conduct = conduct(&desk.standing(&books, equity), &phase);
    account(&desk, &books, &prices, (equity, conduct)).map_err(|overflow| {
        tracing::error!(%overflow, "a sum of the account cannot be held");
        Failure::unavailable(format!("a sum of the account cannot be held: {overflow}"))
    })
}

fn account(
    desk: &Desk,
    books: &Books,
    prices: &Prices,
    (equity, conduct): (Option<Amount>, ConductView),
) -> Result<Account, Overflow> {
    let LimitSet { limits, breaker_rules, .. } = &*desk.limits();
    let first = books.symbols_at_stake().into_iter().next();
    let whole = first.map(|symbol| books.exposure(&symbol, None));
    let (value, open_buys) = match whole {
        None => (Some(Amount::ZERO), Some(Amount::ZERO)),
        Some((all, true)) => (Some(all.portfolio_value), Some(all.portfolio_open_buys_value)),
        Some((_, false)) => (None, None),
    };
    let limits_used = match (equity, value.zip(open_buys)) {
        (Some(equity), Some((value, open_buys))) => {
            limits_used(limits, books, (equity, value.try_add(open_buys)?))?
        }
        _ => Vec::new(),
    };
    Ok(Account {
        as_of: TimeText(desk.clock.now()),
        balances: balances(books)?,
        positions: positions(books, prices)?,
        equity: equity.map(AmountText),
        equity_asset: desk.quote.to_string(),
        day: day(limits, books, equity)?,
        conduct,
        exposure: value.map(AmountText),
        open_buys: open_buys.map(AmountText),
        limits_used,
        limits: configured(limits, breaker_rules),
    })
}

fn balances(books: &Books) -> Result<Vec<BalanceView>, Overflow> {
    let locked: BTreeMap<Asset, Amount> = books.locked()?;
    let balance = |(asset, total): (&Asset, &Amount)| {
        let locked = locked.get(asset).copied().unwrap_or_default();
        Ok(BalanceView {
            asset: asset.to_string(),
            free: AmountText(total.try_sub(locked)?),
            locked: AmountText(locked),
            total: AmountText(*total),
        })
    };
    books.totals().iter().map(balance).collect()
}

fn day(
    limits: &Limits,
    books: &Books,
    equity: Option<Amount>,
) -> Result<Option<DayView>, Overflow> {
    let Some((book, equity)) = books.day.zip(equity) else { return Ok(None) };
    let Some(share) = book.loss_share(equity) else { return Ok(None) };
    let level = match limits.day_loss_level(share) {
        DayLossLevel::Normal => "normal",
        DayLossLevel::Warn => "warn",
        DayLossLevel::Stop => "stop",
    };
    Ok(Some(DayView {
        equity_start: AmountText(book.equity_start()),
        loss: AmountText(book.loss(equity)?),
        loss_share: rounded(share),
        level,
    }))
}

fn conduct(standing: &Standing, phase: &Phase) -> ConductView {
    ConductView {
        week_loss_share: standing.week_loss.map(rounded),
        drawdown: standing.drawdown.map(rounded),
        losing_streak: standing.streak.losses(),
        orders_in_window: standing.orders_in_window,
        breaker: phase.word(),
        breaker_code: phase.code().map(TripCode::name),
    }
}

/// What counts under each limit on size, as the gate counts it.
fn limits_used(
    limits: &Limits,
    books: &Books,
    (equity, portfolio): (Amount, Amount),
) -> Result<Vec<LimitUsed>, Overflow> {
    let mut used = Vec::new();
    for symbol in books.symbols_at_stake() {
        let (exposure, _) = books.exposure(&symbol, None);
        let counts = exposure.position_value.try_add(exposure.open_buys_value)?;
        let max = share(equity, limits.max_position_size)?;
        used.push(limit("max_position_size", Some(symbol.to_string()), counts, max));
    }
    let max = share(equity, limits.max_portfolio_risk)?;
    used.push(limit("max_portfolio_risk", None, portfolio, max));
    let max = equity.decimal().checked_mul(limits.max_leverage).ok_or(Overflow)?;
    used.push(limit("max_leverage", None, portfolio, Amount::new(max)));
    Ok(used)
}

fn share(equity: Amount, rate: Rate) -> Result<Amount, Overflow> {
    equity.decimal().checked_mul(rate.decimal()).map(Amount::new).ok_or(Overflow)
}

fn limit(name: &str, symbol: Option<String>, used: Amount, max: Amount) -> LimitUsed {
    let share = used.decimal().checked_div(max.decimal());
    LimitUsed {
        limit: name.to_owned(),
        symbol,
        used: AmountText(used),
        max: AmountText(max),
        used_share: share.map(rounded),
    }
}

fn rounded(share: Decimal) -> AmountText {
    AmountText(Amount::new(share.round_dp(SHARE_PLACES)))
}

fn configured(limits: &Limits, breaker: &BreakerRules) -> BTreeMap<String, String> {
    let listed = limit_values(limits, breaker).into_iter();
    listed.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
