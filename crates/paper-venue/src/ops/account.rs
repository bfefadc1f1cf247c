//! Balances, fees and rights of an account.

use matching::{AccountId, Fees, SymbolId};

use super::market::symbol;
use crate::core::listed::ATOMS_PER_E8;
use crate::core::{Call, Core};
use crate::protocol::{ApiError, Array, Object};

/// What an account pays in a symbol.
pub(super) fn fees(core: &Core, account: AccountId, symbol: SymbolId) -> Fees {
    core.exchange.fees(account, symbol).unwrap_or_default()
}

/// The three kinds of commission; only the standard one is charged here.
pub(super) fn commission_parts(object: Object, suffix: &str, fees: Fees) -> Object {
    let rates = |maker: i64, taker: i64| {
        Object::new()
            .e8("maker", i128::from(maker))
            .e8("taker", i128::from(taker))
            .e8("buyer", 0)
            .e8("seller", 0)
            .end()
    };
    let discount = Object::new()
        .bool("enabledForAccount", false)
        .bool("enabledForSymbol", false)
        .str("discountAsset", "BNB")
        .e8("discount", 75_000_000)
        .end();
    object
        .raw(&format!("standardCommission{suffix}"), &rates(fees.maker_parts, fees.taker_parts))
        .raw(&format!("specialCommission{suffix}"), &rates(0, 0))
        .raw(&format!("taxCommission{suffix}"), &rates(0, 0))
        .raw("discount", &discount)
}

pub(super) fn status(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let omits_zero = call.params.maybe_bool("omitZeroBalances")?.unwrap_or(false);
    call.params.finish()?;
    let account = call.account()?;
    let key = call.key.clone().ok_or_else(ApiError::bad_key)?;
    let client = core.clients.get(&account).ok_or_else(ApiError::bad_key)?;
    let first = core.listed.first().map(|listed| fees(core, account, listed.id));
    let first = first.unwrap_or_default();
    let rates = Object::new()
        .e8("maker", i128::from(first.maker_parts))
        .e8("taker", i128::from(first.taker_parts))
        .e8("buyer", 0)
        .e8("seller", 0)
        .end();
    let mut balances = Array::new();
    for (place, name) in core.assets.iter().enumerate() {
        let asset = matching::AssetId(u32::try_from(place).unwrap_or(u32::MAX));
        let (free, locked) = client.balance(asset);
        if !omits_zero || free != 0 || locked != 0 {
            balances.raw(
                &Object::new()
                    .str("asset", name)
                    .e8("free", free / ATOMS_PER_E8)
                    .e8("locked", locked / ATOMS_PER_E8)
                    .end(),
            );
        }
    }
    // Commissions of the old form are in hundredths of a percent.
    Ok(Object::new()
        .int("makerCommission", first.maker_parts / 10_000)
        .int("takerCommission", first.taker_parts / 10_000)
        .int("buyerCommission", 0)
        .int("sellerCommission", 0)
        .raw("commissionRates", &rates)
        .bool("canTrade", key.can_trade)
        .bool("canWithdraw", key.can_withdraw)
        .bool("canDeposit", true)
        .bool("brokered", false)
        .bool("requireSelfTradePrevention", false)
        .bool("preventSor", false)
        .int("updateTime", call.unit.of(client.updated_at))
        .str("accountType", "SPOT")
        .raw("balances", &balances.end())
        .raw("permissions", "[\"SPOT\"]")
        .int("uid", client.uid)
        .end())
}

pub(super) fn commission(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    call.params.finish()?;
    let fees = fees(core, call.account()?, symbol);
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    Ok(commission_parts(Object::new().str("symbol", &listed.name), "", fees).end())
}

pub(super) fn order_limits(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    call.params.finish()?;
    let account = call.account()?;
    let (ten_seconds, day) = core.usage.order_counts(core.now(), account.0);
    let row = |interval: &str, number: u32, limit: u32, count: u32| {
        Object::new()
            .str("rateLimitType", "ORDERS")
            .str("interval", interval)
            .int("intervalNum", number)
            .int("limit", limit)
            .int("count", count)
            .end()
    };
    Ok(Array::of([
        row("SECOND", 10, core.limits.orders_10s, ten_seconds),
        row("DAY", 1, core.limits.orders_1d, day),
    ]))
}

pub(super) fn trade_fee(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let name = call.params.maybe_symbol()?;
    call.params.finish()?;
    let account = call.account()?;
    if let Some(name) = &name
        && core.symbol(name).is_none()
    {
        return Err(ApiError::invalid_symbol());
    }
    let rows = core.listed.iter().filter(|l| name.as_ref().is_none_or(|name| *name == l.name));
    Ok(Array::of(rows.map(|listed| {
        let fees = fees(core, account, listed.id);
        Object::new()
            .str("symbol", &listed.name)
            .e8("makerCommission", i128::from(fees.maker_parts))
            .e8("takerCommission", i128::from(fees.taker_parts))
            .end()
    })))
}

pub(super) fn coins(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    call.params.finish()?;
    let account = call.account()?;
    let client = core.clients.get(&account).ok_or_else(ApiError::bad_key)?;
    Ok(Array::of(core.assets.iter().enumerate().map(|(place, name)| {
        let asset = matching::AssetId(u32::try_from(place).unwrap_or(u32::MAX));
        let (free, locked) = client.balance(asset);
        Object::new()
            .str("coin", name)
            .str("name", name)
            .bool("depositAllEnable", false)
            .bool("withdrawAllEnable", false)
            .bool("trading", true)
            .bool("isLegalMoney", false)
            .e8("free", free / ATOMS_PER_E8)
            .e8("locked", locked / ATOMS_PER_E8)
            .e8("freeze", 0)
            .e8("ipoable", 0)
            .e8("ipoing", 0)
            .e8("storage", 0)
            .e8("withdrawing", 0)
            .raw("networkList", "[]")
            .end()
    })))
}

pub(super) fn restrictions(_core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    call.params.finish()?;
    let key = call.key.clone().ok_or_else(ApiError::bad_key)?;
    Ok(Object::new()
        .bool("ipRestrict", false)
        .int("createTime", key.created_at / 1_000_000)
        .bool("enableReading", true)
        .bool("enableWithdrawals", key.can_withdraw)
        .bool("enableInternalTransfer", false)
        .bool("enableMargin", false)
        .bool("enableFutures", false)
        .bool("permitsUniversalTransfer", false)
        .bool("enableVanillaOptions", false)
        .bool("enableFixApiTrade", false)
        .bool("enableFixReadOnly", false)
        .bool("enableSpotAndMarginTrading", key.can_trade)
        .bool("enablePortfolioMarginTrading", false)
        .end())
}
