"""An MCP client that is not ours, for end-to-end tests: prints what it saw as one JSON object.

  client.py walk URL TOKEN MODE               size, check, buy, look, be refused
  client.py stdio BOT4 STATE URL MODE         the same through `bot4 mcp`
  client.py order URL TOKEN MODE QUANTITY     place one market order
  client.py load URL TOKEN MODE RATE SECONDS  so many reading calls a second
  client.py changes URL TOKEN MODE            say "listening", wait for a change of the tool list
"""

import asyncio
import json
import sys
import time

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

RETURNS = [0.012, -0.034, 0.008, 0.021, -0.015, 0.004, -0.009, 0.017, -0.027, 0.011] * 10


def over_http(url, token, mode, **more):
    http = httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
        limits=httpx2.Limits(max_connections=50),
    )
    return Client(streamable_http_client(url, http_client=http), mode=mode, **more)


async def call(client, tool, **args):
    result = await client.call_tool(tool, args)
    if result.is_error:
        return {"failed": json.loads(result.content[0].text)}
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


def order(quantity, **more):
    return {
        "exchange": "paper",
        "symbol": "BTCUSDT",
        "side": "buy",
        "order_type": "market",
        "quantity": quantity,
        **more,
    }


async def walk(client):
    seen = {"protocol": client.protocol_version}
    listed = await client.list_tools()
    seen["tools"] = [tool.name for tool in listed.tools]
    kelly = {"win_probability": 0.55, "win_return": 0.04, "loss_return": -0.02}
    seen["kelly"] = await call(client, "riskquant_calculate_kelly", **kelly)
    var = {"returns": RETURNS, "confidence": 0.95, "horizon": 1, "method": "historical"}
    seen["var"] = await call(client, "riskquant_calculate_var", **var)
    drawn = await client.call_tool("riskquant_calculate_var", {**var, "plot": True})
    embedded = drawn.content[1].resource
    again = await client.read_resource(str(embedded.uri))
    seen["plot"] = {
        "text_is_structured": json.loads(drawn.content[0].text) == drawn.structured_content,
        "said": drawn.structured_content["plot"],
        "uri": str(embedded.uri),
        "mime_type": embedded.mime_type,
        "audience": drawn.content[1].annotations.audience,
        "begins": embedded.text[:4],
        "bytes": len(embedded.text.encode()),
        "read_again": again.contents[0].text == embedded.text,
        "listed": [str(r.uri) for r in (await client.list_resources()).resources],
    }
    seen["book"] = await call(
        client, "exchangespec_get_orderbook", exchange="paper", symbol="BTCUSDT", depth=5
    )
    # Half of the house's limit for one position: 2 % of 100,000 USDT.
    price = float(seen["book"]["asks"][0]["price"])
    quantity = f"{1000 / price:.5f}"
    buy = order(quantity, command_id=f"walk-{seen['protocol']}-{time.time_ns()}")
    seen["order"] = await call(client, "exchangespec_place_order", **buy)
    seen["again"] = await call(client, "exchangespec_place_order", **buy)
    seen["status"] = await call(
        client,
        "exchangespec_get_order_status",
        exchange="paper",
        client_order_id=seen["order"].get("client_order_id", "none"),
    )
    seen["account"] = await call(client, "exchangespec_get_account", exchange="paper")
    seen["too_much"] = await call(
        client, "exchangespec_place_order", **order(f"{5000 / price:.5f}")
    )
    wrong = {**kelly, "win_probability": 1.5, "odds": 2}
    seen["wrong"] = await call(client, "riskquant_calculate_kelly", **wrong)
    return seen


async def load(client, rate, seconds):
    failures, tasks, started = [], [], time.perf_counter()

    async def one(number):
        try:
            args = {"win_probability": 0.5 + number * 1e-6, "win_return": 1, "loss_return": -1}
            answer = await call(client, "riskquant_calculate_kelly", **args)
            if "failed" in answer:
                failures.append(answer["failed"])
            elif abs(answer["edge"] - 2e-6 * number) > 1e-9:
                failures.append({"wrong": answer, "number": number})
        except Exception as error:  # whatever it was, the call failed
            failures.append({"exception": repr(error)})

    for number in range(rate * seconds):
        await asyncio.sleep(max(0, started + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number)))
    await asyncio.gather(*tasks)
    return {"calls": len(tasks), "failures": failures}


async def changes(url, token, mode):
    changed = asyncio.Event()

    async def hear(message):
        if "ToolListChanged" in type(message).__name__:
            changed.set()

    async with over_http(url, token, mode, message_handler=hear) as client:
        before = len((await client.list_tools()).tools)
        if mode == "legacy":
            print("listening", flush=True)
            await asyncio.wait_for(changed.wait(), 20)
        else:
            async with client.listen(tools_list_changed=True) as events:
                print("listening", flush=True)
                await asyncio.wait_for(anext(aiter(events)), 20)
        after = len((await client.list_tools(cache_mode="bypass")).tools)
        return {"before": before, "after": after}


async def main(what, *args):
    if what == "changes":
        return print(json.dumps(await changes(*args)))
    if what == "stdio":
        bot4, state, url, mode = args
        command = ["mcp", "--state", state, "--coordinator", url]
        client = Client(stdio_client(StdioServerParameters(command=bot4, args=command)), mode=mode)
        what, rest = "walk", []
    else:
        url, token, mode, *rest = args
        client = over_http(url, token, mode)
    async with client:
        if what == "walk":
            seen = await walk(client)
        elif what == "order":
            seen = await call(client, "exchangespec_place_order", **order(rest[0]))
        else:
            seen = await load(client, int(rest[0]), int(rest[1]))
    print(json.dumps(seen))


asyncio.run(main(*sys.argv[1:]))
