"""Trades on the paper venue with python-binance; fails loudly when anything is not as expected.

Arguments: host:port, API key, secret.
"""

import asyncio
import json
import sys

import binance
from binance import AsyncClient, BinanceSocketManager, Client
from binance.exceptions import BinanceAPIException

HOST, KEY, SECRET = sys.argv[1:4]
checked = []


def check(name, condition, detail=""):
    assert condition, f"{name}: {detail}"
    checked.append(name)


class Here(Client):
    API_URL = f"http://{HOST}/api"
    MARGIN_API_URL = f"http://{HOST}/sapi"
    WS_API_URL = f"ws://{HOST}/ws-api/v3"


class AsyncHere(AsyncClient):
    API_URL = f"http://{HOST}/api"
    MARGIN_API_URL = f"http://{HOST}/sapi"
    WS_API_URL = f"ws://{HOST}/ws-api/v3"


BinanceSocketManager.STREAM_URL = f"ws://{HOST}/"


def refused(name, code, call):
    try:
        call()
    except BinanceAPIException as error:
        check(name, error.code == code, f"{error.code} {error.message}")
        return error.message
    raise AssertionError(f"{name}: was not refused")


def rest():
    client = Here(KEY, SECRET)
    check("exchange info", client.get_symbol_info("BTCUSDT")["status"] == "TRADING")
    check("time", client.get_server_time()["serverTime"] > 0)
    check("order book", len(client.get_order_book(symbol="BTCUSDT")["bids"]) > 20)
    check("recent trades", len(client.get_recent_trades(symbol="BTCUSDT")) > 10)
    check("historical trades", len(client.get_historical_trades(symbol="BTCUSDT", limit=3)) == 3)
    check("aggregate trades", client.get_aggregate_trades(symbol="BTCUSDT", limit=2)[0]["a"] > 0)
    check("klines", len(client.get_klines(symbol="BTCUSDT", interval="1m", limit=3)) == 3)
    history = client.get_historical_klines("BTCUSDT", "1m", "30 minutes ago UTC")
    check("historical klines", 25 <= len(history) <= 31, len(history))
    check("average price", float(client.get_avg_price(symbol="BTCUSDT")["price"]) > 0)
    check("24 hours", float(client.get_ticker(symbol="BTCUSDT")["lastPrice"]) > 0)
    check("all tickers", len(client.get_all_tickers()) == 4)
    check("book tickers", len(client.get_orderbook_tickers()) == 4)
    check("account", client.get_account()["canTrade"] is True)
    check("balance", client.get_asset_balance("USDT")["free"] == "100000.00000000")
    check("trade fee", client.get_trade_fee(symbol="BTCUSDT")[0]["makerCommission"] == "0.00100000")
    check("api permissions", client.get_account_api_permissions()["enableWithdrawals"] is False)
    check("commission", client.get_symbol_info("ETHUSDT")["baseAsset"] == "ETH")

    last = float(client.get_symbol_ticker(symbol="BTCUSDT")["price"])
    low, high = f"{last * 0.9:.2f}", f"{last * 1.1:.2f}"
    order = client.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price=low)
    check("limit", order["status"] == "NEW" and order["fills"] == [])
    check("get order", client.get_order(symbol="BTCUSDT", orderId=order["orderId"])["isWorking"])
    check("open orders", len(client.get_open_orders(symbol="BTCUSDT")) == 1)
    gone = client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
    check("cancel", gone["status"] == "CANCELED" and gone["origClientOrderId"] == order["clientOrderId"])
    check("cancel id", gone["clientOrderId"] != order["clientOrderId"])
    check("unknown", refused("cancel again", -2011, lambda: client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])) == "Unknown order sent.")
    refused("no such order", -2013, lambda: client.get_order(symbol="BTCUSDT", orderId=987654321))
    bought = client.order_market_buy(symbol="BTCUSDT", quantity="0.02")
    check("market", bought["status"] == "FILLED" and len(bought["fills"]) > 0)
    paid = sum(float(f["commission"]) for f in bought["fills"])
    check("commission asset", bought["fills"][0]["commissionAsset"] == "BTC" and abs(paid - 0.00002) < 1e-9, paid)
    check("my trades", len(client.get_my_trades(symbol="BTCUSDT")) == len(bought["fills"]))
    oco = client.create_oco_order(
        symbol="BTCUSDT", side="SELL", quantity="0.01",
        aboveType="LIMIT_MAKER", abovePrice=high,
        belowType="STOP_LOSS_LIMIT", belowPrice=f"{last * 0.88:.2f}", belowStopPrice=low, belowTimeInForce="GTC",
    )
    check("oco", oco["contingencyType"] == "OCO" and len(oco["orderReports"]) == 2)
    check("oco legs", len(client.get_open_orders(symbol="BTCUSDT")) == 2)
    check("open lists", client.get_open_oco_orders()[0]["orderListId"] == oco["orderListId"])
    one = oco["orders"][0]["orderId"]
    check("oco cancel", client.cancel_order(symbol="BTCUSDT", orderId=one)["listOrderStatus"] == "ALL_DONE")
    check("nothing open", client.get_open_orders(symbol="BTCUSDT") == [])
    replaced = client.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price=low)
    new = client.cancel_replace_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01",
        price=f"{last * 0.89:.2f}", cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=replaced["orderId"],
    )
    check("replace", new["cancelResult"] == "SUCCESS" and new["newOrderResult"] == "SUCCESS")
    check("all orders", len(client.get_all_orders(symbol="BTCUSDT")) == 6, len(client.get_all_orders(symbol="BTCUSDT")))
    client.cancel_order(symbol="BTCUSDT", origClientOrderId=new["newOrderResponse"]["clientOrderId"])
    check("test order", client.create_test_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01") == {})

    refused("too poor", -2010, lambda: client.order_limit_buy(symbol="BTCUSDT", quantity="10", price=low))
    check("lot size", refused("lot size", -1013, lambda: client.order_market_buy(symbol="BTCUSDT", quantity="0.000001")) == "Filter failure: LOT_SIZE")
    check("price filter", refused("price filter", -1013, lambda: client.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price="0.001")) == "Filter failure: PRICE_FILTER")
    check("notional", refused("notional", -1013, lambda: client.order_limit_buy(symbol="BTCUSDT", quantity="0.00001", price=low)) == "Filter failure: NOTIONAL")
    refused("bad symbol", -1121, lambda: client.get_order_book(symbol="NOSUCH"))
    refused("bad signature", -1022, lambda: Here(KEY, "wrong").get_account())
    refused("bad key", -2015, lambda: Here("x" * 64, SECRET).get_account())
    refused("no listen key", -1022, lambda: Here(KEY, "wrong").get_open_orders())


async def sockets():
    client = await AsyncHere.create(KEY, SECRET)
    try:
        manager = BinanceSocketManager(client)
        async with manager.depth_socket("BTCUSDT", interval=100) as stream:
            first = await asyncio.wait_for(stream.recv(), 20)
            second = await asyncio.wait_for(stream.recv(), 20)
            check("depth ids", second["U"] == first["u"] + 1, f"{first['u']} {second['U']}")
        async with manager.multiplex_socket(["btcusdt@trade", "ethusdt@bookTicker"]) as stream:
            check("multiplex", "data" in await asyncio.wait_for(stream.recv(), 20))
        async with manager.user_socket() as user:
            order = await client.ws_create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01)
            check("ws order", order["status"] == "FILLED", str(order))
            kinds = []
            while "outboundAccountPosition" not in kinds:
                event = await asyncio.wait_for(user.recv(), 20)
                kinds.append(event.get("event", event).get("e"))
            check("user events", kinds[0] == "executionReport" and kinds[-1] == "outboundAccountPosition", kinds)
        last = float((await client.get_symbol_ticker(symbol="BTCUSDT"))["price"])
        order = await client.ws_create_order(
            symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price=f"{last * 0.9:.2f}"
        )
        gone = await client.ws_cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
        check("ws cancel", gone["status"] == "CANCELED")
        check("ws account", (await client.ws_get_account())["canTrade"] is True)
        from binance.ws.depthcache import DepthCacheManager
        async with DepthCacheManager(client, "BTCUSDT") as cache:
            book = await asyncio.wait_for(cache.recv(), 20)
            check("depth cache", book.get_bids()[0][0] < book.get_asks()[0][0])
    finally:
        await client.close_connection()


assert binance.__version__ == "1.0.37", binance.__version__
rest()
asyncio.run(sockets())
print(json.dumps({"checked": checked}))
