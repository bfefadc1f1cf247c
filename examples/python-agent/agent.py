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
        value = json.dumps(value)[:96]
        broken = {"field": field, "value": value, "rule": rule, "example": example}
        message = f"`{field}` is {value} but {rule}, for example {json.dumps(example)}"
        raise Failure("invalid_params", message, violations=[broken])

def check(schema, value, field):
    """Holds a value to its schema; the description of each node is the rule that it must meet."""
    kind = {"array": list, "number": (int, float)}[schema["type"]]
    size = len(value) if kind is list and isinstance(value, list) else value
    low, high = (schema.get(a, schema.get(b)) for a, b in (("minimum", "minItems"), ("maximum", "maxItems")))
    ok = isinstance(value, kind) and type(value) is not bool and low <= size <= high
    require(ok, field, value, "must be " + schema["description"], schema["examples"][0])
    for at, item in enumerate(value if kind is list else []):
        check(schema["items"], item, f"{field}[{at}]")

# --- The tools: each gets checked arguments and gives an object ------------------------------------

def average(call, numbers):
    return {"mean": statistics.fmean(numbers), "count": len(numbers)}

def wait(call, seconds):
    if call.wait(min(seconds, call.deadline - time.time())) or time.time() >= call.deadline:
        raise Failure("unavailable", "the call was stopped; nothing happened")
    return {"waited_seconds": seconds}

def tool(function, description, takes, gives):
    shape = lambda of: {"type": "object", "properties": of, "required": [*of], "additionalProperties": False}
    return {"name": function.__name__, "title": function.__name__.title(), "description": description,
            "effect": "reads", "open_world": False, "input_schema": shape(takes), "output_schema": shape(gives)}

NUMBER = {"type": "number", "description": "a number from -1e12 to 1e12", "minimum": -1e12, "maximum": 1e12,
          "examples": [2.5]}
NUMBERS = {"type": "array", "description": "a list of 1 to 1000 numbers", "items": NUMBER, "minItems": 1,
           "maxItems": 1000, "examples": [[1, 2.5]]}
SECONDS = {"type": "number", "description": "a number from 0 to 3600", "minimum": 0, "maximum": 3600, "examples": [1]}
FUNCTIONS = {"average": average, "wait": wait}
TOOLS = [tool(average, "The arithmetic mean of some numbers.", {"numbers": NUMBERS},
              {"mean": {"type": "number"}, "count": {"type": "integer"}}),
         tool(wait, "Waits for some seconds, to see how a call is cancelled.", {"seconds": SECONDS},
              {"waited_seconds": {"type": "number"}})]
INPUTS = {tool["name"]: tool["input_schema"]["properties"] for tool in TOOLS}
TOOLS_HASH = hashlib.sha256(json.dumps(TOOLS).encode()).hexdigest()[:16]

# --- The agent -------------------------------------------------------------------------------------

bus = redis.Redis.from_url(os.environ.get("BOT4_REDIS_URL", "redis://127.0.0.1:6379"), socket_timeout=2)
running, seq, leave_by = {}, itertools.count(1), None

def announce(state):
    now, key = int(time.time() * 1000), f"bot4:presence:{AGENT}:{INSTANCE}"
    presence = {"agent": AGENT, "instance": INSTANCE, "version": "1.0.0", "protocol": 1, "state": state,
                "in_flight": len(running), "in_flight_max": IN_FLIGHT_MAX, "tools_hash": TOOLS_HASH,
                "started_unix_ms": STARTED, "at_unix_ms": now}
    event = {"agent": AGENT, "instance": INSTANCE, "seq": next(seq), "at_unix_ms": now, "data": presence}
    bus.publish(f"bot4:topic:{AGENT}:presence", json.dumps(event))
    bus.delete(key) if state == "left" else bus.set(key, json.dumps(presence), px=3000)

def respond(reply_to, id, work):
    """Publishes what `work` gives or why it failed; nothing when a thread will answer."""
    try:
        outcome = {"result": work()}
    except Failure as failure:
        outcome = {"error": failure.error}
    except Exception as error:  # what broke stays in the log, the caller gets its number
        incident = uuid.uuid4().hex
        print(f"incident {incident}: {error!r}", file=sys.stderr)
        outcome = {"error": Failure("internal", f"internal error {incident}", incident=incident).error}
    if outcome.get("result", {}) is not None and str(reply_to).startswith("bot4:reply:"):
        bus.publish(reply_to, json.dumps({"jsonrpc": "2.0", "id": id, **outcome}, allow_nan=False))

def hear(payload):
    try:
        request = json.loads(payload)
        id, method, params = request["id"], request["method"], request["params"]
        reply_to, deadline = params["meta"]["reply_to"], params["meta"]["deadline_unix_ms"] / 1000
        known = type(id) in (str, int) and {*request} == {"jsonrpc", "id", "method", "params"}
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        return print(f"no request: {error!r}", file=sys.stderr)  # nor can it be answered
    respond(reply_to, id, lambda: answer(known, method, params, (reply_to, id), deadline))

def answer(known, method, params, key, deadline):
    if not known:
        raise Failure("invalid_request", "a request has `jsonrpc`, `id`, `method`, `params` and nothing else")
    if method == "ping":
        return {}
    if method == "tools.list":
        return {"tools": TOOLS}
    if method == "cancel":
        call = running.get((key[0], params.get("request_id")))
        return {"cancelled": bool(call and (call.set() or True))}
    if method != "tool.execute":
        raise Failure("method_not_found", "there are ping, tools.list, tool.execute and cancel")
    name, args = params.get("tool"), params.get("args")
    require(params.get("agent") == AGENT, "agent", params.get("agent"), "must be the agent asked", AGENT)
    require(name in INPUTS, "tool", name, f"must be one of {', '.join(INPUTS)}", "average")
    require(isinstance(args, dict), "args", args, "must be an object", {})
    for field in {**INPUTS[name], **args}:
        require(field in INPUTS[name], field, args.get(field), "is not a parameter", [*INPUTS[name]])
        check(INPUTS[name][field], args.get(field), field)
    if leave_by or len(running) >= IN_FLIGHT_MAX or deadline <= time.time():
        raise Failure("unavailable", "the instance is stopping or full, or the deadline has passed")
    call = running[key] = threading.Event()
    call.deadline = deadline
    threading.Thread(target=run, args=(key, FUNCTIONS[name], call, args), daemon=True).start()

def run(key, function, call, args):
    try:
        respond(*key, lambda: function(call, **args))
    except redis.RedisError as error:
        print(f"an answer was lost: {error}", file=sys.stderr)
    del running[key]

def serve():
    """Serves one connection until it may leave; raises when the connection is lost."""
    with bus.pubsub(ignore_subscribe_messages=True) as inbox:
        inbox.subscribe(f"bot4:rpc:{AGENT}:{INSTANCE}", ECHO)
        heard, beat, state = time.monotonic(), 0, None
        while running or not leave_by:
            now, was, state = time.monotonic(), state, "draining" if leave_by else "ready"
            if now >= beat or state != was:
                beat = now + 1
                announce(state)
                bus.publish(ECHO, "echo")
            message = inbox.get_message(timeout=0.05)
            if message and message["channel"] == ECHO.encode():
                heard = now
            elif message:
                hear(message["data"])
            if now - heard > 3:
                raise redis.ConnectionError("the own heartbeat was not heard for 3 s")
            for call in [*running.values()] if leave_by and now > leave_by else []:
                call.set()
        announce("left")  # the inbox closes after this: whoever asked meanwhile was answered

def stop(*_signal):
    """Takes nothing new from now on and gives what runs five seconds to finish."""
    global leave_by
    leave_by = time.monotonic() + 5

signal.signal(signal.SIGTERM, stop)
while running or not leave_by:
    try:
        serve()
    except redis.RedisError as error:
        print(f"the bus is down, connecting again: {error}", file=sys.stderr)
        time.sleep(0.2)
