//! The account: what it holds, what it may do, what it pays.

use std::borrow::Cow;

use domain::{Amount, Decimal, Rate};
use serde::Deserialize;

use super::{ParseError, field, json};
use crate::{AssetBalance, Fees};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account<'a> {
    can_trade: bool,
    #[serde(borrow)]
    balances: Vec<Balance<'a>>,
    #[serde(borrow, default)]
    commission_rates: Option<Rates<'a>>,
}

#[derive(Debug, Deserialize)]
struct Balance<'a> {
    #[serde(borrow)]
    asset: Cow<'a, str>,
    #[serde(borrow)]
    free: Cow<'a, str>,
    #[serde(borrow)]
    locked: Cow<'a, str>,
}

/// What an order pays: one of the first two and one of the last two.
#[derive(Debug, Deserialize)]
struct Rates<'a> {
    #[serde(borrow)]
    maker: Cow<'a, str>,
    #[serde(borrow)]
    taker: Cow<'a, str>,
    #[serde(borrow, default)]
    buyer: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    seller: Option<Cow<'a, str>>,
}

/// The parts that a commission is the sum of.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Commission<'a> {
    #[serde(borrow)]
    standard_commission: Rates<'a>,
    #[serde(borrow, default)]
    special_commission: Option<Rates<'a>>,
    #[serde(borrow, default)]
    tax_commission: Option<Rates<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Restrictions {
    enable_withdrawals: bool,
    #[serde(default)]
    enable_internal_transfer: bool,
    #[serde(default)]
    permits_universal_transfer: bool,
}

/// `outboundAccountPosition` of the account's stream.
#[derive(Debug, Deserialize)]
struct Position<'a> {
    #[serde(rename = "u")]
    at_ms: i64,
    #[serde(rename = "B", borrow)]
    balances: Vec<PositionBalance<'a>>,
}

#[derive(Debug, Deserialize)]
struct PositionBalance<'a> {
    #[serde(rename = "a", borrow)]
    asset: Cow<'a, str>,
    #[serde(rename = "f", borrow)]
    free: Cow<'a, str>,
    #[serde(rename = "l", borrow)]
    locked: Cow<'a, str>,
}

/// The account.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AccountReport {
    pub(crate) can_trade: bool,
    pub(crate) balances: Vec<AssetBalance>,
    pub(crate) fees: Option<Fees>,
}

/// Reads the account; an asset whose name cannot be represented is left out.
pub(crate) fn account(text: &[u8]) -> Result<AccountReport, ParseError> {
    let account: Account<'_> = json("the account", text)?;
    let mut balances = Vec::with_capacity(account.balances.len());
    for one in &account.balances {
        balances.extend(balance(&one.asset, &one.free, &one.locked)?);
    }
    balances.sort_by(|a, b| a.asset.cmp(&b.asset));
    let fees = account.commission_rates.as_ref().map(|rates| fees(&[rates])).transpose()?;
    Ok(AccountReport { can_trade: account.can_trade, balances, fees })
}

fn balance(asset: &str, free: &str, locked: &str) -> Result<Option<AssetBalance>, ParseError> {
    let Ok(asset) = asset.parse() else { return Ok(None) };
    let free: Amount = field("free", "decimal", free)?;
    let locked: Amount = field("locked", "decimal", locked)?;
    Ok(Some(AssetBalance { asset, free, locked }))
}

/// The sum of the parts, at the dearer of the two sides.
fn fees(parts: &[&Rates<'_>]) -> Result<Fees, ParseError> {
    let (mut maker, mut taker) = (Decimal::ZERO, Decimal::ZERO);
    let read = |text: &str| field::<Rate>("commission", "rate", text).map(Rate::decimal);
    for part in parts {
        let buyer = part.buyer.as_deref().map_or(Ok(Decimal::ZERO), read)?;
        let seller = part.seller.as_deref().map_or(Ok(Decimal::ZERO), read)?;
        let of_side = buyer.max(seller);
        maker += read(&part.maker)? + of_side;
        taker += read(&part.taker)? + of_side;
    }
    let rate = |value: Decimal| {
        Rate::try_new(value).or_else(|_| field("commission", "rate", &value.to_string()))
    };
    Ok(Fees { maker: rate(maker)?, taker: rate(taker)? })
}

/// What trading one symbol costs.
pub(crate) fn commission(text: &[u8]) -> Result<Fees, ParseError> {
    let found: Commission<'_> = json("the commission", text)?;
    let parts = [
        Some(&found.standard_commission),
        found.special_commission.as_ref(),
        found.tax_commission.as_ref(),
    ];
    fees(&parts.into_iter().flatten().collect::<Vec<_>>())
}

/// What a key may do besides trading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyPowers {
    /// Take money out of the venue.
    pub(crate) withdraws: bool,
    /// Move money between accounts of its owner.
    pub(crate) transfers: bool,
}

/// What the key may do besides trading.
pub(crate) fn key_powers(text: &[u8]) -> Result<KeyPowers, ParseError> {
    let found: Restrictions = json("the restrictions of the key", text)?;
    let transfers = found.enable_internal_transfer || found.permits_universal_transfer;
    Ok(KeyPowers { withdraws: found.enable_withdrawals, transfers })
}

/// What the account's stream tells of balances: when, and which have changed to what.
pub(crate) fn position(event: &[u8]) -> Result<(i64, Vec<AssetBalance>), ParseError> {
    let found: Position<'_> = json("a change of balances", event)?;
    let mut balances = Vec::with_capacity(found.balances.len());
    for one in &found.balances {
        balances.extend(balance(&one.asset, &one.free, &one.locked)?);
    }
    Ok((found.at_ms, balances))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_tells_balances_by_name_and_the_dearer_side() {
        let text = br#"{"makerCommission":15,"commissionRates":{"maker":"0.0008","taker":"0.0010","buyer":"0.0001","seller":"0.0002"},"canTrade":true,"canWithdraw":true,"balances":[{"asset":"USDT","free":"10.5","locked":"0.50000000"},{"asset":"BTC","free":"1","locked":"0"},{"asset":"\u5e01","free":"1","locked":"0"}],"permissions":["SPOT"],"uid":1}"#;
        let account = account(text).unwrap();
        assert!(account.can_trade);
        let names: Vec<_> = account.balances.iter().map(|one| one.asset.as_str()).collect();
        assert_eq!(names, ["BTC", "USDT"]);
        let fees = account.fees.unwrap();
        assert_eq!(
            (fees.maker.to_string(), fees.taker.to_string()),
            ("0.001".into(), "0.0012".into())
        );
    }

    #[test]
    fn a_commission_is_the_sum_of_its_parts() {
        let text = br#"{"symbol":"BTCUSDT","standardCommission":{"maker":"0.0010","taker":"0.0020","buyer":"0.0000","seller":"0.0000"},"specialCommission":{"maker":"0.0001","taker":"0.0002","buyer":"0","seller":"0"},"taxCommission":{"maker":"0.0001","taker":"0.0001","buyer":"0","seller":"0"},"discount":{"enabledForAccount":true,"discountAsset":"BNB","discount":"0.75"}}"#;
        let fees = commission(text).unwrap();
        assert_eq!(
            (fees.maker.to_string(), fees.taker.to_string()),
            ("0.0012".into(), "0.0023".into())
        );
    }

    #[test]
    fn what_a_key_may_do_is_told_and_not_assumed() {
        let powers = [
            (r#"{"enableWithdrawals":true}"#, (true, false)),
            (r#"{"enableWithdrawals":false,"permitsUniversalTransfer":true}"#, (false, true)),
            (r#"{"enableWithdrawals":false,"enableInternalTransfer":true}"#, (false, true)),
            (r#"{"ipRestrict":true,"enableWithdrawals":false}"#, (false, false)),
        ];
        for (text, (withdraws, transfers)) in powers {
            let found = key_powers(text.as_bytes()).unwrap();
            assert_eq!(found, KeyPowers { withdraws, transfers }, "{text}");
        }
        assert!(key_powers(b"{}").is_err());
    }
}
