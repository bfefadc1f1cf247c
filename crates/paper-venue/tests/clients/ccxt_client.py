"""Trades on the paper venue with ccxt and ccxt.pro; fails loudly when anything is not as expected.

Arguments: host:port, API key, secret.
"""

import asyncio
import json
import sys

import ccxt
import ccxt.pro

HOST, KEY, SECRET = sys.argv[1:4]
REAL = ["api.binance.com", "stream.binance.com:9443", "stream.binance.com:443", "ws-api.binance.com:443"]
checked = []


def check(name, condition, detail=""):
    assert condition, f"{name}: {detail}"
    checked.append(name)


def point(exchange):
    """Sends every address of the spot venue to the paper venue."""
    api = exchange.urls["api"]
    for key in ("public", "private", "v1", "sapi", "sapiV2", "sapiV3", "sapiV4"):
        if key in api:
            for real in REAL:
                api[key] = api[key].replace(f"https://{real}", f"http://{HOST}")
    if "ws" in api:
        api["ws"]["spot"] = f"ws://{HOST}/ws"
        api["ws"]["ws-api"]["spot"] = f"ws://{HOST}/ws-api/v3"
    return exchange


def make(module, key=KEY, secret=SECRET):
    return point(
        module.binance(
            {
                "apiKey": key,
                "secret": secret,
                "enableRateLimit": False,
                "options": {
                    "defaultType": "spot",
                    "fetchMarkets": {"types": ["spot"]},
                    "fetchCurrencies": False,
                    "fetchMargins": False,
                },
            }
        )
    )


def refused(name, kind, call):
    try:
        call()
    except kind as error:
        check(name, True)
        return str(error)
    except Exception as error:  # noqa: BLE001
        raise AssertionError(f"{name}: {type(error).__name__} {error}, expected {kind.__name__}")
    raise AssertionError(f"{name}: was not refused")


def rest():
    ex = make(ccxt)
    markets = ex.load_markets()
    check("load_markets", "BTC/USDT" in markets and markets["BTC/USDT"]["precision"]["price"] == 0.01)
    check("fetch_time", ex.fetch_time() > 0)
    check("fetch_status", ex.fetch_status()["status"] == "ok")
    book = ex.fetch_order_book("BTC/USDT", 20)
    check("fetch_order_book", len(book["bids"]) == 20 and book["bids"][0][0] < book["asks"][0][0])
    check("fetch_ticker", ex.fetch_ticker("BTC/USDT")["last"] > 0)
    check("fetch_tickers", len(ex.fetch_tickers(["BTC/USDT", "ETH/USDT"])) == 2)
    check("fetch_bids_asks", ex.fetch_bids_asks(["BTC/USDT"])["BTC/USDT"]["bid"] > 0)
    check("fetch_trades", len(ex.fetch_trades("BTC/USDT", limit=5)) == 5)
    candles = ex.fetch_ohlcv("BTC/USDT", "1m", limit=5)
    check("fetch_ohlcv", len(candles) == 5 and candles[0][0] % 60000 == 0)
    check("fetch_last_prices", ex.fetch_last_prices(["BTC/USDT"])["BTC/USDT"]["price"] > 0)
    check("fetch_balance", ex.fetch_balance()["USDT"]["free"] == 100000)
    check("fetch_trading_fee", ex.fetch_trading_fee("BTC/USDT")["maker"] == 0.001)

    bid = book["bids"][0][0]
    low = ex.price_to_precision("BTC/USDT", bid * 0.9)
    order = ex.create_order("BTC/USDT", "limit", "buy", 0.01, float(low), {"clientOrderId": "ccxt-1"})
    check("limit order", order["status"] == "open" and order["clientOrderId"] == "ccxt-1")
    check("locked", ex.fetch_balance()["USDT"]["used"] > 0)
    check("fetch_order", ex.fetch_order(order["id"], "BTC/USDT")["remaining"] == 0.01)
    check("fetch_open_orders", [o["id"] for o in ex.fetch_open_orders("BTC/USDT")] == [order["id"]])
    error = refused(
        "duplicate client id",
        ccxt.InvalidOrder,
        lambda: ex.create_order("BTC/USDT", "limit", "buy", 0.01, float(low), {"clientOrderId": "ccxt-1"}),
    )
    check("duplicate words", "Duplicate order sent." in error, error)
    lower = float(ex.price_to_precision("BTC/USDT", bid * 0.89))
    edited = ex.edit_order(order["id"], "BTC/USDT", "limit", "buy", 0.02, lower)
    check("edit_order", edited["id"] != order["id"] and edited["price"] == lower)
    check("cancel_order", ex.cancel_order(edited["id"], "BTC/USDT")["status"] == "canceled")
    refused("cancel twice", ccxt.OrderNotFound, lambda: ex.cancel_order(edited["id"], "BTC/USDT"))
    refused("unknown order", ccxt.OrderNotFound, lambda: ex.fetch_order("999999999", "BTC/USDT"))

    market = ex.create_order("BTC/USDT", "market", "buy", 0.01)
    check("market order", market["status"] == "closed" and market["filled"] == 0.01, market)
    check("fees", market["fees"][0]["currency"] == "BTC", market["fees"])
    check("got base", abs(ex.fetch_balance()["BTC"]["total"] - 0.00999) < 1e-9, ex.fetch_balance()["BTC"])
    spend = ex.create_order("BTC/USDT", "market", "buy", None, None, {"quoteOrderQty": 500})
    check("market by quote", spend["cost"] <= 500 and spend["filled"] > 0, spend)
    trades = ex.fetch_my_trades("BTC/USDT")
    check("fetch_my_trades", sum(t["amount"] for t in trades) > 0.01)
    ticker = ex.fetch_ticker("BTC/USDT")["last"]
    stop = ex.create_order(
        "BTC/USDT", "limit", "sell", 0.005, float(ex.price_to_precision("BTC/USDT", ticker * 0.89)),
        {"stopLossPrice": float(ex.price_to_precision("BTC/USDT", ticker * 0.9))},
    )
    check("stop order", ex.fetch_order(stop["id"], "BTC/USDT")["triggerPrice"] > 0)
    refused(
        "stop on the wrong side",
        ccxt.ExchangeError,
        lambda: ex.create_order(
            "BTC/USDT", "limit", "sell", 0.001, float(low),
            {"stopLossPrice": float(ex.price_to_precision("BTC/USDT", ticker * 1.2))},
        ),
    )
    post = ex.create_order("BTC/USDT", "limit", "buy", 0.01, float(low), {"postOnly": True})
    check("post only", ex.fetch_order(post["id"], "BTC/USDT")["postOnly"] is True)
    refused(
        "post only that takes",
        ccxt.OrderImmediatelyFillable,
        lambda: ex.create_order("BTC/USDT", "limit", "buy", 0.01, float(ex.price_to_precision("BTC/USDT", ticker * 1.05)), {"postOnly": True}),
    )
    ioc = ex.create_order("BTC/USDT", "limit", "buy", 0.01, float(low), {"timeInForce": "IOC"})
    check("ioc expires", ioc["status"] in ("expired", "canceled"), ioc["status"])
    check("cancel_all_orders", len(ex.cancel_all_orders("BTC/USDT")) == 2)
    closed = ex.fetch_closed_orders("BTC/USDT")
    check("fetch_closed_orders", len(closed) >= 2)
    check("fetch_orders", len(ex.fetch_orders("BTC/USDT")) > len(closed))
    refused("too poor", ccxt.InsufficientFunds, lambda: ex.create_order("BTC/USDT", "limit", "buy", 100, float(low)))
    refused("filter", ccxt.BadRequest, lambda: ex.privatePostOrder({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.00001", "price": low}))
    refused("bad symbol", ccxt.BadSymbol, lambda: ex.publicGetDepth({"symbol": "NOSUCH"}))
    refused("bad key", ccxt.AuthenticationError, lambda: make(ccxt, key="x" * 64).fetch_balance())
    refused("bad signature", ccxt.AuthenticationError, lambda: make(ccxt, secret="wrong").fetch_balance())
    return ex


async def sockets():
    ex = make(ccxt.pro)
    await ex.load_markets()
    try:
        async def once(name, call, condition):
            value = await asyncio.wait_for(call, 20)
            check(name, condition(value), str(value)[:300])
            return value

        book = await once("watch_order_book", ex.watch_order_book("BTC/USDT"), lambda b: len(b["bids"]) > 10)
        for _ in range(5):
            book = await asyncio.wait_for(ex.watch_order_book("BTC/USDT"), 20)
        check("book stays whole", book["bids"][0][0] < book["asks"][0][0])
        await once("watch_trades", ex.watch_trades("BTC/USDT"), lambda t: t[0]["price"] > 0)
        await once("watch_ticker", ex.watch_ticker("BTC/USDT"), lambda t: t["last"] > 0)
        await once("watch_bids_asks", ex.watch_bids_asks(["BTC/USDT"]), lambda t: t["BTC/USDT"]["bid"] > 0)
        await once("watch_ohlcv", ex.watch_ohlcv("BTC/USDT", "1m"), lambda c: c[0][4] > 0)

        orders = asyncio.ensure_future(ex.watch_orders("BTC/USDT"))
        mine = asyncio.ensure_future(ex.watch_my_trades("BTC/USDT"))
        balance = asyncio.ensure_future(ex.watch_balance())
        # The subscription must stand before the order is placed.
        for _ in range(100):
            await asyncio.sleep(0.05)
            if any("subscribe" in str(c.subscriptions) for c in ex.clients.values()):
                break
        await asyncio.sleep(0.5)
        placed = await ex.create_order_ws("BTC/USDT", "market", "buy", 0.01)
        check("create_order_ws", placed["status"] == "closed", str(placed)[:200])
        await once("watch_orders", orders, lambda o: o[0]["symbol"] == "BTC/USDT")
        await once("watch_my_trades", mine, lambda t: t[0]["amount"] > 0)
        await once("watch_balance", balance, lambda b: b["BTC"]["total"] > 0)

        low = float(ex.price_to_precision("BTC/USDT", placed["average"] * 0.9))
        resting = await ex.create_order_ws("BTC/USDT", "limit", "buy", 0.01, low)
        check("limit order ws", resting["status"] == "open")
        check("fetch_order_ws", (await ex.fetch_order_ws(resting["id"], "BTC/USDT"))["id"] == resting["id"])
        check("fetch_open_orders_ws", len(await ex.fetch_open_orders_ws("BTC/USDT")) == 1)
        edited = await ex.edit_order_ws(resting["id"], "BTC/USDT", "limit", "buy", 0.02, low - 10)
        check("edit_order_ws", edited["id"] != resting["id"], str(edited)[:200])
        check("cancel_order_ws", (await ex.cancel_order_ws(edited["id"], "BTC/USDT"))["status"] == "canceled")
        # This version of ccxt does not read the balances out of this answer; they are in it.
        status = (await ex.fetch_balance_ws())["info"]
        check("fetch_balance_ws", any(b["asset"] == "USDT" for b in status["balances"]), str(status)[:200])
        check("fetch_my_trades_ws", len(await ex.fetch_my_trades_ws("BTC/USDT")) > 0)
        try:
            await ex.create_order_ws("BTC/USDT", "limit", "buy", 100, low)
            raise AssertionError("too poor over the socket: was not refused")
        except ccxt.InsufficientFunds:
            check("too poor ws", True)
    finally:
        await ex.close()


rest()
asyncio.run(sockets())
print(json.dumps({"checked": checked}))
