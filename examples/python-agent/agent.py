"""An agent in one file: it joins the bus, offers two tools, answers, and leaves cleanly.

docs/PROTOCOL.md says why each line is as it is. Both tools only read; one that acts would also
have to keep its answers by `command_id` (section 7 there).
"""
import hashlib, itertools, json, os, signal, statistics, sys, threading, time, uuid, redis

AGENT, INSTANCE, IN_FLIGHT_MAX, STARTED = "averager", uuid.uuid4().hex, 16, int(time.time() * 1000)
ECHO = f"bot4:reply:{AGENT}:{INSTANCE}"  # what is published here must be heard here
CODES = {"invalid_request": -32600, "method_not_found": -32601, "invalid_params": -32602,
         "internal": -32603, "unavailable": -32003}

class Failure(Exception):
    """What the caller is told instead of a result."""
    def __init__(self, word, message, **data):
        self.error = {"code": CODES[word], "message": message, "data": {"outcome": word, **data}}

def require(ok, field, value, rule, example):
    if not ok:
        broken = {"field": field, "value": json.dumps(value)[:96], "rule": rule, "example": example}
        message = f"`{field}` is {broken['value']} but {rule}, for example {json.dumps(example)}"
        raise Failure("invalid_params", message, violations=[broken])

# --- The tools: each checks its arguments, works, and gives an object ------------------------------

def average(call, numbers=None):
    ok = isinstance(numbers, list) and 1 <= len(numbers) <= 1000
    require(ok, "numbers", numbers, "must be a list of 1 to 1000 numbers", [1, 2.5])
    for at, number in enumerate(numbers):
        ok = type(number) in (int, float) and -1e12 <= number <= 1e12
        require(ok, f"numbers[{at}]", number, "must be a number from -1e12 to 1e12", 2.5)
    return {"mean": statistics.fmean(numbers), "count": len(numbers)}

def wait(call, seconds=None):
    ok = type(seconds) in (int, float) and 0 <= seconds <= 3600
    require(ok, "seconds", seconds, "must be a number from 0 to 3600", 1)
    if call.wait(min(seconds, call.deadline - time.time())) or time.time() >= call.deadline:
        raise Failure("unavailable", "the call was stopped; nothing happened")
    return {"waited_seconds": seconds}

def tool(name, description, takes, gives):
    shape = lambda of: {"type": "object", "properties": of, "required": [*of], "additionalProperties": False}
    return {"name": name, "title": name.title(), "description": description, "effect": "reads",
            "open_world": False, "input_schema": shape(takes), "output_schema": shape(gives)}

NUMBER = {"type": "number", "minimum": -1e12, "maximum": 1e12}
TOOLS = {average: tool("average", "The arithmetic mean of some numbers.",
                       {"numbers": {"type": "array", "items": NUMBER, "minItems": 1, "maxItems": 1000}},
                       {"mean": NUMBER, "count": {"type": "integer"}}),
         wait: tool("wait", "Waits for some seconds, to see how a call is cancelled.",
                    {"seconds": {"type": "number", "minimum": 0, "maximum": 3600}},
                    {"waited_seconds": {"type": "number"}})}
FUNCTIONS = {tool["name"]: function for function, tool in TOOLS.items()}
TOOLS_HASH = hashlib.sha256(json.dumps([*TOOLS.values()]).encode()).hexdigest()[:16]

# --- The agent -------------------------------------------------------------------------------------

bus = redis.Redis.from_url(os.environ.get("BOT4_REDIS_URL", "redis://127.0.0.1:6379"), socket_timeout=2)
running, seq, beat, leave_by = {}, itertools.count(1), 0, None

def announce(state):
    now, key = int(time.time() * 1000), f"bot4:presence:{AGENT}:{INSTANCE}"
    presence = {"agent": AGENT, "instance": INSTANCE, "version": "1.0.0", "protocol": 1, "state": state,
                "in_flight": len(running), "in_flight_max": IN_FLIGHT_MAX, "tools_hash": TOOLS_HASH,
                "started_unix_ms": STARTED, "at_unix_ms": now}
    event = {"agent": AGENT, "instance": INSTANCE, "seq": next(seq), "at_unix_ms": now, "data": presence}
    bus.publish(f"bot4:topic:{AGENT}:presence", json.dumps(event))
    bus.delete(key) if state == "left" else bus.set(key, json.dumps(presence), px=3000)

def respond(key, work, *of):
    """Publishes what `work` gives or why it failed; nothing when a thread will answer."""
    try:
        outcome = {"result": work(*of)}
    except Failure as failure:
        outcome = {"error": failure.error}
    except Exception as error:  # what broke stays in the log, the caller gets its number
        incident = uuid.uuid4().hex
        print(f"incident {incident}: {error!r}", file=sys.stderr)
        outcome = {"error": Failure("internal", f"internal error {incident}", incident=incident).error}
    reply_to, id = key
    if outcome.get("result", {}) is not None and str(reply_to).startswith("bot4:reply:"):
        bus.publish(reply_to, json.dumps({"jsonrpc": "2.0", "id": id, **outcome}, allow_nan=False))

def hear(payload):
    try:
        request = json.loads(payload)
        key = request["params"]["meta"]["reply_to"], request.get("id")
        respond(key if type(key[1]) in (str, int) else (key[0], None), answer, request, key)
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        print(f"nobody can be answered: {error!r}", file=sys.stderr)

def answer(request, key):
    if {*request} != {"jsonrpc", "id", "method", "params"} or type(key[1]) not in (str, int):
        raise Failure("invalid_request", "a request has jsonrpc, id, method and params, and nothing else")
    method, params = request["method"], request["params"]
    if method == "cancel":
        call = running.get((key[0], params.get("request_id")))
        return {"cancelled": bool(call and not call.set())}
    if method in ("ping", "tools.list"):
        return {"tools": [*TOOLS.values()]} if method == "tools.list" else {}
    if method != "tool.execute":
        raise Failure("method_not_found", "there are ping, tools.list, tool.execute and cancel")
    name, args, deadline = params.get("tool"), params.get("args"), params["meta"].get("deadline_unix_ms")
    require(params.get("agent") == AGENT, "agent", params.get("agent"), "must be the agent asked", AGENT)
    require(name in [*FUNCTIONS], "tool", name, f"must be one of {', '.join(FUNCTIONS)}", "average")
    require(isinstance(args, dict), "args", args, "must be an object", {})
    require(type(deadline) is int, "meta.deadline_unix_ms", deadline, "must be milliseconds since 1970", STARTED)
    known = [*TOOLS[FUNCTIONS[name]]["input_schema"]["properties"]]
    for field in args:
        require(field in known, field, args[field], "is not a parameter", known)
    if leave_by or len(running) >= IN_FLIGHT_MAX or deadline / 1000 <= time.time():
        raise Failure("unavailable", "the instance is stopping or full, or the deadline has passed")
    if key in running:
        raise Failure("invalid_request", "a call with this id is running already")
    running[key] = call = threading.Event()
    call.deadline = deadline / 1000
    threading.Thread(target=run, args=(key, FUNCTIONS[name], call, args), daemon=True).start()

def run(key, function, call, args):
    try:
        respond(key, lambda: function(call, **args))
    finally:
        del running[key]

def serve():
    """Serves one connection until it may leave; raises when the connection is lost."""
    global beat
    with bus.pubsub(ignore_subscribe_messages=True) as inbox:
        inbox.subscribe(f"bot4:rpc:{AGENT}:{INSTANCE}", ECHO)
        heard, beat = time.monotonic(), 0
        while running or not leave_by:
            if time.monotonic() >= beat:
                beat = time.monotonic() + 1
                announce("draining" if leave_by else "ready")
                bus.publish(ECHO, "echo")
            message = inbox.get_message(timeout=0.05)
            if message and message["channel"] == ECHO.encode():
                heard = time.monotonic()
            elif message:
                hear(message["data"])
            if time.monotonic() - heard > 3:
                raise redis.ConnectionError("the own heartbeat was not heard for 3 s")
            if leave_by and time.monotonic() > leave_by:
                for call in [*running.values()]:
                    call.set()
        announce("left")  # the inbox closes after this: whoever asked meanwhile was answered

def stop(*_signal):
    """Takes nothing new from now on and gives what runs five seconds to finish."""
    global leave_by, beat
    leave_by, beat = time.monotonic() + 5, 0

signal.signal(signal.SIGTERM, stop)
while running or not leave_by:
    try:
        serve()
    except redis.RedisError as error:
        print(f"the bus is down, connecting again: {error}", file=sys.stderr)
        time.sleep(0.2)
