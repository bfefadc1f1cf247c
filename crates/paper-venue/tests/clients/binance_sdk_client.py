"""Trades on the paper venue with the official binance-sdk-spot; fails loudly when anything is off.

Arguments: host:port, API key, secret.
"""

import asyncio
import json
import sys

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError, Error, UnauthorizedError
from binance_sdk_spot.rest_api.models import NewOrderSideEnum, NewOrderTimeInForceEnum, NewOrderTypeEnum
from binance_sdk_spot.spot import Spot
from binance_sdk_spot.websocket_api.models import OrderPlaceSideEnum, OrderPlaceTypeEnum

HOST, KEY, SECRET = sys.argv[1:4]
checked = []


def check(name, condition, detail=""):
    assert condition, f"{name}: {detail}"
    checked.append(name)


def spot(key=KEY, secret=SECRET):
    return Spot(
        config_rest_api=ConfigurationRestAPI(api_key=key, api_secret=secret, base_path=f"http://{HOST}", retries=0),
        config_ws_api=ConfigurationWebSocketAPI(api_key=key, api_secret=secret, stream_url=f"ws://{HOST}/ws-api/v3"),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=f"ws://{HOST}"),
    )


def refused(name, kind, words, call):
    try:
        call()
    except kind as error:
        check(name, words in str(error), str(error))
        return
    raise AssertionError(f"{name}: was not refused")


def rest():
    api = spot().rest_api
    symbols = api.exchange_info(symbol="BTCUSDT").data().symbols
    check("exchange info", symbols[0].symbol == "BTCUSDT" and symbols[0].status == "TRADING")
    check("time", api.time().data().server_time > 0)
    check("depth", len(api.depth(symbol="BTCUSDT", limit=5).data().bids) == 5)
    check("trades", len(api.get_trades(symbol="BTCUSDT", limit=5).data()) == 5)
    check("klines", len(api.klines(symbol="BTCUSDT", interval="1m", limit=3).data()) == 3)
    check("account", api.get_account(omit_zero_balances=True).data().balances[0].asset == "USDT")
    last = float(api.avg_price(symbol="BTCUSDT").data().price)
    low = round(last * 0.9, 2)
    order = api.new_order(
        symbol="BTCUSDT", side=NewOrderSideEnum["BUY"].value, type=NewOrderTypeEnum["LIMIT"].value,
        time_in_force=NewOrderTimeInForceEnum["GTC"].value, quantity=0.01, price=low,
    ).data()
    check("limit", order.status == "NEW")
    check("get order", api.get_order(symbol="BTCUSDT", order_id=order.order_id).data().is_working)
    smaller = api.order_amend_keep_priority(symbol="BTCUSDT", new_qty=0.005, order_id=order.order_id).data()
    check("amend", float(smaller.amended_order.qty) == 0.005, str(smaller))
    check("amendments", len(api.order_amendments(symbol="BTCUSDT", order_id=order.order_id).data()) == 1)
    check("open orders", len(api.get_open_orders(symbol="BTCUSDT").data()) == 1)
    check("cancel", api.delete_order(symbol="BTCUSDT", order_id=order.order_id).data().status == "CANCELED")
    bought = api.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01).data()
    check("market", bought.status == "FILLED" and len(bought.fills) > 0)
    check("my trades", len(api.my_trades(symbol="BTCUSDT").data()) == len(bought.fills))
    otoco = api.order_list_otoco(
        symbol="BTCUSDT", working_type="LIMIT", working_side="BUY", working_price=low, working_quantity=0.01,
        working_time_in_force="GTC", pending_side="SELL", pending_quantity=0.01, pending_above_type="LIMIT_MAKER",
        pending_above_price=round(last * 1.1, 2), pending_below_type="STOP_LOSS",
        pending_below_stop_price=round(last * 0.85, 2),
    ).data()
    check("otoco", len(otoco.orders) == 3, str(otoco))
    check("otoco cancel", api.delete_order_list(symbol="BTCUSDT", order_list_id=otoco.order_list_id).data().list_order_status == "ALL_DONE")
    paying = api.order_list_opoco(
        symbol="BTCUSDT", working_type="LIMIT", working_side="BUY", working_price=round(last * 1.05, 2),
        working_quantity=0.01, working_time_in_force="GTC", pending_side="SELL", pending_above_type="LIMIT_MAKER",
        pending_above_price=round(last * 1.1, 2), pending_below_type="STOP_LOSS_LIMIT",
        pending_below_stop_price=round(last * 0.85, 2), pending_below_time_in_force="GTC",
        pending_below_peg_price_type="MARKET_PEG",
    ).data()
    check("opoco", paying.contingency_type == "OTO" and len(paying.orders) == 3, str(paying))
    paid = [api.get_order(symbol="BTCUSDT", order_id=leg.order_id).data() for leg in paying.orders]
    check("opoco paid", [order.orig_qty for order in paid] == ["0.01000000"] * 3, str(paid))
    check("opoco peg", paid[2].peg_price_type == "MARKET_PEG" and paid[2].pegged_price is None, str(paid[2]))
    ended = api.delete_order_list(symbol="BTCUSDT", order_list_id=paying.order_list_id).data()
    check("opoco cancel", ended.list_order_status == "ALL_DONE", str(ended))
    unpaid = api.order_list_opo(
        symbol="BTCUSDT", working_type="LIMIT", working_side="BUY", working_price=low, working_quantity=0.01,
        working_time_in_force="GTC", pending_type="MARKET", pending_side="SELL",
    ).data()
    check("opo", [report.orig_qty for report in unpaid.order_reports] == ["0.01000000", None], str(unpaid))
    api.delete_order_list(symbol="BTCUSDT", order_list_id=unpaid.order_list_id)
    pegged = api.new_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, peg_price_type="PRIMARY_PEG",
        peg_offset_type="PRICE_LEVEL", peg_offset_value=3,
    ).data()
    pegged = api.get_order(symbol="BTCUSDT", order_id=pegged.order_id).data()
    check("peg", float(pegged.pegged_price) < last * 1.05 and pegged.peg_offset_value == 3, str(pegged))
    api.delete_order(symbol="BTCUSDT", order_id=pegged.order_id)
    refused("no group", BadRequestError, "This symbol has no SOR.", lambda: api.sor_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01))
    check("allocations", api.my_allocations(symbol="BTCUSDT").data() == [])
    check("commission", api.account_commission(symbol="BTCUSDT").data().standard_commission.maker == "0.00100000")
    check("order limits", len(api.rate_limit_order().data()) == 2)
    refused("unknown order", BadRequestError, "Unknown order sent.", lambda: api.delete_order(symbol="BTCUSDT", order_id=order.order_id))
    refused("too poor", BadRequestError, "insufficient balance", lambda: api.new_order(symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", quantity=10, price=low))
    refused("bad signature", Error, "Signature", lambda: spot(secret="wrong").rest_api.get_account())
    refused("bad key", UnauthorizedError, "Invalid API-key", lambda: spot(key="x" * 64).rest_api.get_account())


async def sockets():
    client = spot()
    streams = await client.websocket_streams.create_connection()
    try:
        seen = asyncio.get_running_loop().create_future()
        trade = await streams.agg_trade(symbol="btcusdt")
        trade.on("message", lambda data: seen.done() or seen.set_result(data))
        data = await asyncio.wait_for(seen, 20)
        check("agg_trade", data.s == "BTCUSDT" and float(data.p) > 0, str(data))
        await trade.unsubscribe()
    finally:
        await streams.close_connection(close_session=True)

    api = await client.websocket_api.create_connection()
    try:
        check("ws time", (await api.time()).data().result.server_time > 0)
        stream = await api.user_data_stream_subscribe_signature()
        kinds = []
        stream.stream.on("message", lambda data: kinds.append(str(data)))
        placed = (await api.order_place(
            symbol="BTCUSDT", side=OrderPlaceSideEnum["BUY"].value, type=OrderPlaceTypeEnum["MARKET"].value, quantity=0.01,
        )).data().result
        check("ws market", placed.status == "FILLED", str(placed))
        for _ in range(100):
            if kinds:
                break
            await asyncio.sleep(0.05)
        check("ws user events", len(kinds) > 0)
        check("ws account", (await api.account_status()).data().result.can_trade)
    finally:
        await api.close_connection(close_session=True)


rest()
asyncio.run(sockets())
print(json.dumps({"checked": checked}))
