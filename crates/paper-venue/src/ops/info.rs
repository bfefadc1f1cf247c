//! What the venue is: time, symbols, filters, limits.

use matching::{Filters, NotionalFilter, OrderKind, PercentPrice, StpMode, SymbolStatus};

use crate::core::listed::{ATOMS_PER_E8, Listed};
use crate::core::{Call, Core, report};
use crate::protocol::{ApiError, Array, Object, number};

pub(super) fn ping(_core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    call.params.finish()?;
    Ok("{}".to_owned())
}

pub(super) fn time(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    call.params.finish()?;
    let at = core.clock_now();
    Ok(Object::new().int("serverTime", call.unit.of(at)).end())
}

pub(super) fn system_status(core: &mut Core, _call: &mut Call) -> Result<String, ApiError> {
    let (status, words) =
        if core.is_in_maintenance { (1, "system maintenance") } else { (0, "normal") };
    Ok(Object::new().int("status", status).str("msg", words).end())
}

pub(super) fn exchange_info(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let one = call.params.maybe_symbol()?;
    let many = call.params.maybe_symbols()?;
    let permissions = call.params.maybe("permissions")?.map(str::to_owned);
    let shows_sets = call.params.maybe_bool("showPermissionSets")?.unwrap_or(true);
    let status = call.params.maybe("symbolStatus")?.map(str::to_owned);
    call.params.finish()?;
    if one.is_some() && many.is_some() || (status.is_some() && (one.is_some() || many.is_some())) {
        return Err(ApiError::bad_combination());
    }
    if let Some(status) = &status
        && !["TRADING", "HALT", "BREAK", "CANCEL_ONLY"].contains(&status.as_str())
    {
        return Err(ApiError::new(-1122, "Invalid symbolStatus."));
    }
    let is_spot = permissions.is_none_or(|text| text.contains("SPOT"));
    let names = many.or(one.map(|name| vec![name]));
    let listed: Vec<&Listed> = match &names {
        Some(names) => names
            .iter()
            .map(|name| core.symbol(name).ok_or_else(ApiError::invalid_symbol))
            .collect::<Result<_, _>>()?,
        None => core.listed.iter().collect(),
    };
    let rows = listed.into_iter().filter(|listed| {
        is_spot && status.as_ref().is_none_or(|status| status == status_word(listed.listing.status))
    });
    let symbols = Array::of(rows.map(|listed| symbol_json(listed, shows_sets)));
    Ok(Object::new()
        .str("timezone", "UTC")
        .int("serverTime", call.unit.of(core.now()))
        .raw("rateLimits", &core.limits.json())
        .raw("exchangeFilters", "[]")
        .raw("symbols", &symbols)
        .end())
}

pub(super) fn execution_rules(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let one = call.params.maybe_symbol()?;
    let many = call.params.maybe_symbols()?;
    call.params.finish()?;
    let names = many.or(one.map(|name| vec![name]));
    let names = names.unwrap_or_else(|| core.listed.iter().map(|l| l.name.clone()).collect());
    let mut rows = Array::new();
    for name in names {
        let listed = core.symbol(&name).ok_or_else(ApiError::invalid_symbol)?;
        rows.raw(&Object::new().str("symbol", &listed.name).raw("rules", "[]").end());
    }
    Ok(Object::new().raw("symbolRules", &rows.end()).end())
}

pub(super) fn my_filters(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let name = call.params.symbol()?;
    call.params.finish()?;
    let listed = core.symbol(&name).ok_or_else(ApiError::invalid_symbol)?;
    Ok(Object::new()
        .raw("exchangeFilters", "[]")
        .raw("symbolFilters", &filters_json(listed))
        .raw("assetFilters", "[]")
        .end())
}

pub(crate) const fn status_word(status: SymbolStatus) -> &'static str {
    match status {
        SymbolStatus::Trading => "TRADING",
        SymbolStatus::Halt => "HALT",
        SymbolStatus::Break => "BREAK",
        SymbolStatus::CancelOnly => "CANCEL_ONLY",
    }
}

fn symbol_json(listed: &Listed, shows_sets: bool) -> String {
    let listing = &listed.listing;
    let allowed = listing.permissions;
    let mut kinds = Array::new();
    for kind in OrderKind::ALL.into_iter().filter(|kind| allowed.has_kind(*kind)) {
        kinds.str(report::kind(kind));
    }
    let mut modes = Array::new();
    for mode in StpMode::ALL.into_iter().filter(|mode| allowed.has_stp(*mode)) {
        modes.str(report::stp(mode));
    }
    Object::new()
        .str("symbol", &listed.name)
        .str("status", status_word(listing.status))
        .str("baseAsset", listing.base.name.as_str())
        .int("baseAssetPrecision", 8)
        .str("quoteAsset", listing.quote.name.as_str())
        .int("quotePrecision", 8)
        .int("quoteAssetPrecision", 8)
        .int("baseCommissionPrecision", listing.base.precision)
        .int("quoteCommissionPrecision", listing.quote.precision)
        .raw("orderTypes", &kinds.end())
        .bool("icebergAllowed", allowed.icebergs)
        .bool("ocoAllowed", allowed.oco)
        .bool("otoAllowed", allowed.oto)
        .bool("opoAllowed", allowed.opo)
        .bool("quoteOrderQtyMarketAllowed", allowed.quote_market)
        .bool("allowTrailingStop", allowed.trailing)
        .bool("cancelReplaceAllowed", allowed.cancel_replace)
        .bool("amendAllowed", allowed.amend)
        .bool("pegInstructionsAllowed", allowed.pegs)
        .bool("isSpotTradingAllowed", true)
        .bool("isMarginTradingAllowed", false)
        .raw("filters", &filters_json(listed))
        .raw("permissions", "[]")
        .raw("permissionSets", if shows_sets { "[[\"SPOT\"]]" } else { "[]" })
        .str("defaultSelfTradePreventionMode", report::stp(allowed.stp_default))
        .raw("allowedSelfTradePreventionModes", &modes.end())
        .end()
}

fn rule(kind: &str) -> Object {
    Object::new().str("filterType", kind)
}

fn factor(parts: i64) -> i128 {
    i128::from(parts)
}

fn percent(object: Object, prefix: &str, band: &PercentPrice) -> Object {
    let (up, down) = match prefix {
        "bid" => ("bidMultiplierUp", "bidMultiplierDown"),
        "ask" => ("askMultiplierUp", "askMultiplierDown"),
        _ => ("multiplierUp", "multiplierDown"),
    };
    object
        .str(up, &number::e8(factor(band.up_parts)))
        .str(down, &number::e8(factor(band.down_parts)))
}

fn notional(object: Object, filter: &NotionalFilter) -> Object {
    object
        .e8("minNotional", filter.min / ATOMS_PER_E8)
        .bool("applyMinToMarket", filter.min_applies_to_market)
        .e8("maxNotional", filter.max / ATOMS_PER_E8)
        .bool("applyMaxToMarket", filter.max_applies_to_market)
        .int("avgPriceMins", filter.average_minutes)
}

/// The filters of a symbol.
pub(crate) fn filters_json(listed: &Listed) -> String {
    let filters = &listed.listing.filters;
    let mut rows = Array::new();
    let tick = filters.tick_multiple.max(1);
    rows.raw(
        &rule("PRICE_FILTER")
            .e8("minPrice", listed.price(filters.min_ticks))
            .e8("maxPrice", listed.price(filters.max_ticks))
            .e8("tickSize", listed.price(tick))
            .end(),
    );
    for (name, range) in
        [("LOT_SIZE", filters.lot_size), ("MARKET_LOT_SIZE", filters.market_lot_size)]
    {
        let is_market = name == "MARKET_LOT_SIZE";
        let step = if is_market { range.multiple } else { range.multiple.max(1) };
        rows.raw(
            &rule(name)
                .e8("minQty", listed.quantity(range.min_lots))
                .e8("maxQty", listed.quantity(range.max_lots))
                .e8("stepSize", listed.quantity(step))
                .end(),
        );
    }
    bands(filters, &mut rows);
    if let Some(min) = &filters.min_notional {
        rows.raw(
            &rule("MIN_NOTIONAL")
                .e8("minNotional", min.min / ATOMS_PER_E8)
                .bool("applyToMarket", min.min_applies_to_market)
                .int("avgPriceMins", min.average_minutes)
                .end(),
        );
    }
    if let Some(filter) = &filters.notional {
        rows.raw(&notional(rule("NOTIONAL"), filter).end());
    }
    counts(listed, &mut rows);
    rows.end()
}

fn bands(filters: &Filters, rows: &mut Array) {
    if let Some(band) = &filters.percent_price {
        rows.raw(
            &percent(rule("PERCENT_PRICE"), "", band)
                .int("avgPriceMins", band.average_minutes)
                .end(),
        );
    }
    if let Some(by) = &filters.percent_by_side {
        let object = percent(rule("PERCENT_PRICE_BY_SIDE"), "bid", &by.bid);
        rows.raw(
            &percent(object, "ask", &by.ask).int("avgPriceMins", by.bid.average_minutes).end(),
        );
    }
}

fn counts(listed: &Listed, rows: &mut Array) {
    let filters = &listed.listing.filters;
    let counts = [
        ("ICEBERG_PARTS", "limit", filters.iceberg_parts_max),
        ("MAX_NUM_ORDERS", "maxNumOrders", filters.orders_max),
        ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", filters.algo_orders_max),
        ("MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders", filters.iceberg_orders_max),
        ("MAX_NUM_ORDER_LISTS", "maxNumOrderLists", filters.lists_max),
        ("MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends", filters.amends_max),
    ];
    for (kind, field, count) in counts.into_iter().filter(|(_, _, count)| *count > 0) {
        rows.raw(&rule(kind).int(field, count).end());
    }
    if filters.position_max_lots > 0 {
        let max = listed.quantity(filters.position_max_lots);
        rows.raw(&rule("MAX_POSITION").e8("maxPosition", max).end());
    }
    let trailing = &filters.trailing;
    if trailing.above_max > 0 || trailing.below_max > 0 {
        rows.raw(
            &rule("TRAILING_DELTA")
                .int("minTrailingAboveDelta", trailing.above_min)
                .int("maxTrailingAboveDelta", trailing.above_max)
                .int("minTrailingBelowDelta", trailing.below_min)
                .int("maxTrailingBelowDelta", trailing.below_max)
                .end(),
        );
    }
}
