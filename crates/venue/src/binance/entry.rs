//! What is asked before trading begins: clocks, filters, fees, and what the key may do.

use bytes::Bytes;
use domain::Instrument;
use hyper::Method;

use super::outcome::Failure;
use super::params::{Params, Value};
use super::parse::{account, instruments, market};
use super::rest::{Access, Call, Rest};
use super::{Config, ConnectError};
use crate::{Cost, Fees, Lane};

/// How often the clock is asked in a row, to find a quick round trip.
const CLOCK_QUESTIONS: usize = 4;
/// What was learned.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) notices: Vec<String>,
}

/// Asks everything that must be known before trading. What is asked before the venue has said how
/// much may be asked is not paid for; its own count includes it.
pub(crate) async fn meet(rest: &Rest, config: &Config) -> Result<Met, ConnectError> {
    compare_clocks(rest, false).await?;
    let mut notices = Vec::new();
    check_key(rest, &mut notices).await?;
    let what = "asking for the account";
    let answer = ask(rest, "/api/v3/account", Params::new(), Access::Signed, 20).await;
    let answer = answer.map_err(|failure| ConnectError::of(what, failure))?;
    let found = account::account(&answer)?;
    if !found.can_trade {
        return Err(ConnectError::MayNotTrade);
    }
    let fees = match found.fees {
        Some(fees) => fees,
        None => commission(rest, config).await?,
    };
    let mut met = listings(rest, config, fees).await?;
    notices.append(&mut met.notices);
    Ok(Met { notices, ..met })
}

/// Refuses a key that can take money out.
async fn check_key(rest: &Rest, notices: &mut Vec<String>) -> Result<(), ConnectError> {
    let path = "/sapi/v1/account/apiRestrictions";
    let powers = match ask(rest, path, Params::new(), Access::Signed, 1).await {
        Ok(answer) => account::key_powers(&answer)?,
        // Where the venue has no such question it cannot be asked; a test network has none.
        Err(Failure::NotSent { why }) if why.starts_with("status 404") => {
            notices.push("the venue does not tell whether the API key may withdraw".to_owned());
            return Ok(());
        }
        Err(failure) => return Err(ConnectError::of("asking what the key may do", failure)),
    };
    if powers.withdraws {
        return Err(ConnectError::MayWithdraw);
    }
    if powers.transfers {
        notices.push("the API key may move money between accounts of its owner".to_owned());
    }
    Ok(())
}

/// The fees of the first configured symbol, where the account does not tell them.
async fn commission(rest: &Rest, config: &Config) -> Result<Fees, ConnectError> {
    let what = "asking for the commission";
    let Some(symbol) = config.symbols.first() else {
        let why = "the account does not tell its fees and no symbol is configured".to_owned();
        return Err(ConnectError::Unreachable { what, why });
    };
    let params = vec![("symbol", Value::Text(symbol.as_str()))];
    let answer = ask(rest, "/api/v3/account/commission", params, Access::Signed, 20).await;
    let answer = answer.map_err(|failure| ConnectError::of(what, failure))?;
    Ok(account::commission(&answer)?)
}

/// Reads what can be traded, and the limits.
pub(crate) async fn listings(
    rest: &Rest,
    config: &Config,
    fees: Fees,
) -> Result<Met, ConnectError> {
    let params = if config.symbols.is_empty() {
        Params::new()
    } else {
        let names: Vec<String> =
            config.symbols.iter().map(|symbol| format!("\"{symbol}\"")).collect();
        vec![("symbols", Value::Owned(format!("[{}]", names.join(","))))]
    };
    let answer = ask(rest, "/api/v3/exchangeInfo", params, Access::Public, 20).await;
    let what = "asking what can be traded";
    let answer = answer.map_err(|failure| ConnectError::of(what, failure))?;
    let found = instruments::exchange(&answer, fees)?;
    rest.context().budget.limits(&found.limits);
    for symbol in &config.symbols {
        if !found.instruments.iter().any(|one| one.symbol == *symbol) {
            return Err(ConnectError::NotListed { symbol: symbol.clone() });
        }
    }
    let told = |why| format!("an instrument is left out: {why}");
    let notices = found.left_out.into_iter().map(told).collect();
    Ok(Met { instruments: found.instruments, notices })
}

/// Measures how far the venue's clock is ahead of ours; `anew` when the venue has refused a time,
/// so that nothing measured before counts any more.
pub(crate) async fn compare_clocks(rest: &Rest, anew: bool) -> Result<(), ConnectError> {
    for question in 0..CLOCK_QUESTIONS {
        let asked = rest.context().clock.now();
        let answer = ask(rest, "/api/v3/time", Params::new(), Access::Public, 1).await;
        let answered = rest.context().clock.now();
        let what = "asking for the time";
        let answer = answer.map_err(|failure| ConnectError::of(what, failure))?;
        let server = market::time(&answer)?;
        if anew && question == 0 {
            rest.context().skew.forget();
        }
        rest.context().skew.measured(asked, server, answered);
    }
    Ok(())
}

async fn ask(
    rest: &Rest,
    path: &'static str,
    params: Params<'_>,
    access: Access,
    weight: u32,
) -> Result<Bytes, Failure> {
    rest.call(Call {
        method: Method::GET,
        path,
        session_method: "",
        params,
        access,
        cost: Cost { weight, orders: 0 },
        lane: Lane::Read,
        patient: true,
        last: None,
    })
    .await
}
