"""An agent in one file: it joins the bus, offers two tools, answers, and leaves cleanly.

docs/PROTOCOL.md says why each line is as it is. Both tools only read; one that acts would also
have to keep its answers by `command_id` (section 7 there).
"""

import hashlib, itertools, json, math, os, signal, statistics, sys, threading, time, uuid
from concurrent.futures import ThreadPoolExecutor

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

AGENT, INSTANCE, IN_FLIGHT_MAX = "averager", uuid.uuid4().hex, 16
INBOX, KEY = f"bot4:rpc:{AGENT}:{INSTANCE}", f"bot4:presence:{AGENT}:{INSTANCE}"
TOPIC = f"bot4:topic:{AGENT}:presence"
ECHO = f"bot4:reply:{AGENT}:{INSTANCE}"  # what we publish here we must hear ourselves
CODES = {"parse_error": -32700, "invalid_request": -32600, "method_not_found": -32601,
         "invalid_params": -32602, "internal": -32603, "unavailable": -32003}


class Failure(Exception):
    """What the caller is told instead of a result."""

    def __init__(self, word, message, **data):
        self.error = {"code": CODES[word], "message": message, "data": {"outcome": word, **data}}


def require(ok, field, value, rule, example):
    if not ok:
        value = json.dumps(value)[:96]
        message = f"`{field}` is {value} but {rule}, for example {json.dumps(example)}"
        violation = {"field": field, "value": value, "rule": rule, "example": example}
        raise Failure("invalid_params", message, violations=[violation])


def exactly(word, what, value, members, optional={}):
    """Refuses an object with a member too many, too few or of another type."""
    for name in sorted(set(value) | set(members)) if isinstance(value, dict) else [what]:
        types = members.get(name) or optional.get(name)
        if not isinstance(value, dict) or types is None or type(value.get(name)) not in types:
            raise Failure(word, f"{what} must have {', '.join(members)} and nothing else; see `{name}`")


# --- The tools: each checks its arguments, works, and gives an object ------------------------------


def average(args, call):
    numbers = args.get("numbers")
    ok = isinstance(numbers, list) and 1 <= len(numbers) <= 1000
    require(ok, "numbers", numbers, "must be a list of 1 to 1000 numbers", [1, 2.5])
    for at, number in enumerate(numbers):
        ok = type(number) in (int, float) and math.isfinite(number) and abs(number) <= 1e12
        require(ok, f"numbers[{at}]", number, "must be a number from -1e12 to 1e12", 2.5)
    return {"mean": statistics.fmean(numbers), "count": len(numbers)}


def wait(args, call):
    seconds = args.get("seconds")
    ok = type(seconds) in (int, float) and 0 <= seconds <= 3600
    require(ok, "seconds", seconds, "must be a number from 0 to 3600", 1)
    if call.wait(min(seconds, call.deadline - time.time())) or time.time() >= call.deadline:
        raise Failure("unavailable", "the call was stopped; nothing happened")
    return {"waited_seconds": seconds}


def tool(function, title, description, takes, gives):
    shape = lambda of: {"type": "object", "properties": of, "required": list(of), "additionalProperties": False}
    return {"name": function.__name__, "title": title, "description": description, "effect": "reads",
            "open_world": False, "input_schema": shape(takes), "output_schema": shape(gives)}


NUMBER = {"type": "number", "minimum": -1e12, "maximum": 1e12}
FUNCTIONS = {"average": average, "wait": wait}
TOOLS = {"tools": [
    tool(average, "Average", "The arithmetic mean of some numbers.",
         {"numbers": {"type": "array", "items": NUMBER, "minItems": 1, "maxItems": 1000}},
         {"mean": {"type": "number"}, "count": {"type": "integer"}}),
    tool(wait, "Wait", "Waits for some seconds, to see how a call is cancelled.",
         {"seconds": {"type": "number", "minimum": 0, "maximum": 3600}},
         {"waited_seconds": {"type": "number"}})]}
TOOLS_HASH = hashlib.sha256(json.dumps(TOOLS).encode()).hexdigest()[:16]

# --- The agent -------------------------------------------------------------------------------------

TEXT, META = (str,), {"reply_to": (str,), "deadline_unix_ms": (int,), "caller": (str,)}
METHODS = {"ping": {}, "tools.list": {}, "cancel": {"request_id": (str, int)},
           "tool.execute": {"agent": TEXT, "tool": TEXT, "args": (dict,)}}


class Agent:
    def __init__(self, url):
        # No retries inside the client: a connection that failed is made anew as a whole, below.
        self.redis = redis.Redis.from_url(url, socket_timeout=2, retry=Retry(NoBackoff(), 0))
        self.running, self.seq = {}, itertools.count(1)
        self.pool = ThreadPoolExecutor(IN_FLIGHT_MAX)
        self.state, self.started, self.beat = "ready", int(time.time() * 1000), 0

    def announce(self):
        now = int(time.time() * 1000)
        presence = {"agent": AGENT, "instance": INSTANCE, "version": "1.0.0", "protocol": 1,
                    "state": self.state, "in_flight": len(self.running), "in_flight_max": IN_FLIGHT_MAX,
                    "tools_hash": TOOLS_HASH, "started_unix_ms": self.started, "at_unix_ms": now}
        event = {"agent": AGENT, "instance": INSTANCE, "seq": next(self.seq), "at_unix_ms": now, "data": presence}
        self.redis.publish(TOPIC, json.dumps(event))
        self.redis.delete(KEY) if self.state == "left" else self.redis.set(KEY, json.dumps(presence), px=3000)

    def reply(self, reply_to, id, outcome):
        body = json.dumps({"jsonrpc": "2.0", "id": id, **outcome}, allow_nan=False)
        if str(reply_to).startswith("bot4:reply:"):  # a caller must not make us publish elsewhere
            self.redis.publish(reply_to, body)

    def hear(self, payload):
        id, reply_to = None, None
        try:
            try:
                request = json.loads(payload)
            except (ValueError, RecursionError) as error:
                raise Failure("parse_error", str(error))
            if isinstance(request, dict):  # so that even a wrong request is answered where possible
                id = request.get("id") if type(request.get("id")) in (str, int) else None
                params = request.get("params")
                meta = params.get("meta") if isinstance(params, dict) else None
                reply_to = meta.get("reply_to") if isinstance(meta, dict) else None
            members = {"jsonrpc": TEXT, "id": (str, int), "method": TEXT, "params": (dict,)}
            exactly("invalid_request", "the request", request, members)
            outcome = {"result": self.answer(id, request["method"], params)}
        except Failure as failure:
            outcome = {"error": failure.error}
        if outcome.get("result", {}) is not None:  # else a thread will answer
            self.reply(reply_to, id, outcome)

    def answer(self, id, method, params):
        if method not in METHODS:
            raise Failure("method_not_found", f"there are the methods {', '.join(METHODS)}")
        exactly("invalid_params", "`params`", params, {**METHODS[method], "meta": (dict,)})
        meta = params["meta"]
        exactly("invalid_params", "`meta`", meta, META, {"command_id": TEXT, "traceparent": TEXT})
        if method == "tool.execute":
            return self.execute((meta["reply_to"], id), params, meta["deadline_unix_ms"] / 1000)
        if method == "cancel":
            call = self.running.get((meta["reply_to"], params["request_id"]))
            if call:
                call.set()
            return {"cancelled": call is not None}
        return TOOLS if method == "tools.list" else {}

    def execute(self, key, params, deadline):
        name, args = params["tool"], params["args"]
        require(params["agent"] == AGENT, "agent", params["agent"], "must be the agent asked", AGENT)
        require(name in FUNCTIONS, "tool", name, f"must be one of {', '.join(FUNCTIONS)}", "average")
        known = [*next(tool for tool in TOOLS["tools"] if tool["name"] == name)["input_schema"]["properties"]]
        for field in args:
            require(field in known, field, args[field], "is not a parameter", known)
        if deadline <= time.time():
            raise Failure("unavailable", "the call came after its deadline")
        if self.state != "ready" or len(self.running) >= IN_FLIGHT_MAX:
            raise Failure("unavailable", "the instance is stopping or full")
        if key in self.running:
            raise Failure("invalid_request", "a call with this id is running already")
        call = self.running[key] = threading.Event()
        call.deadline = deadline
        self.pool.submit(self.run, key, FUNCTIONS[name], args, call)

    def run(self, key, function, args, call):
        try:
            outcome = {"result": function(args, call)}
        except Failure as failure:
            outcome = {"error": failure.error}
        except Exception as error:  # what broke stays in the log, the caller gets its number
            incident = uuid.uuid4().hex
            print(f"incident {incident}: {error!r}", file=sys.stderr)
            outcome = {"error": Failure("internal", f"internal error {incident}", incident=incident).error}
        del self.running[key]
        try:
            self.reply(*key, outcome)
        except redis.RedisError as error:
            print(f"an answer was lost: {error}", file=sys.stderr)

    def serve(self):
        """Serves one connection until it may leave; raises when the connection is lost."""
        with self.redis.pubsub(ignore_subscribe_messages=True) as inbox:
            inbox.subscribe(INBOX, ECHO)
            heard = time.monotonic()
            while not self.may_leave():
                if time.monotonic() >= self.beat:
                    self.beat = time.monotonic() + 1
                    self.announce()
                    self.redis.publish(ECHO, "echo")
                message = inbox.get_message(timeout=0.05)
                if message and message["channel"] == ECHO.encode():
                    heard = time.monotonic()
                elif message:
                    self.hear(message["data"])
                if time.monotonic() - heard > 3:
                    raise redis.ConnectionError("the own heartbeat was not heard for 3 s")
            for call in [*self.running.values()]:
                call.set()
            self.pool.shutdown()
            self.state = "left"
            self.announce()  # the inbox closes after this: whoever asked meanwhile was answered

    def stop(self, *_signal):
        """Says that it takes nothing new and gives what runs five seconds to finish."""
        self.state, self.beat, self.leave_by = "draining", 0, time.monotonic() + 5

    def may_leave(self):
        return self.state != "ready" and (not self.running or time.monotonic() > self.leave_by)


def main():
    agent = Agent(os.environ.get("BOT4_REDIS_URL", "redis://127.0.0.1:6379"))
    signal.signal(signal.SIGTERM, agent.stop)
    while not agent.may_leave():
        try:
            agent.serve()
        except redis.RedisError as error:
            print(f"the bus is down, connecting again: {error}", file=sys.stderr)
            time.sleep(0.2)


if __name__ == "__main__":
    main()
