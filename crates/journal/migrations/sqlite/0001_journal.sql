-- Decimals are TEXT, times are nanoseconds since 1970-01-01T00:00:00Z.

CREATE TABLE commands (
    command_id  TEXT NOT NULL PRIMARY KEY,
    agent       TEXT NOT NULL,
    tool        TEXT NOT NULL,
    args_hash   TEXT NOT NULL,
    owner       TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    -- Both are set when the command is done.
    answer      TEXT,
    finished_at INTEGER
) STRICT;

CREATE INDEX commands_running ON commands (agent, started_at) WHERE finished_at IS NULL;

CREATE TABLE orders (
    client_order_id TEXT NOT NULL PRIMARY KEY,
    command_id      TEXT NOT NULL,
    symbol          TEXT NOT NULL,
    side            TEXT NOT NULL,
    quantity        TEXT NOT NULL,
    kind            TEXT NOT NULL,
    price           TEXT,
    time_in_force   TEXT,
    post_only       INTEGER,
    created_at      INTEGER NOT NULL,
    -- What follows is the sum of the order's events.
    state           TEXT NOT NULL,
    settled         INTEGER NOT NULL,
    order_id        INTEGER,
    filled          TEXT NOT NULL,
    updated_at      INTEGER NOT NULL,
    event_count     INTEGER NOT NULL
) STRICT;

CREATE INDEX orders_unsettled ON orders (created_at) WHERE settled = 0;
CREATE INDEX orders_by_time ON orders (created_at);
CREATE INDEX orders_by_symbol ON orders (symbol, created_at);

CREATE TABLE order_events (
    sequence        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    client_order_id TEXT NOT NULL REFERENCES orders (client_order_id),
    number          INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    kind            TEXT NOT NULL,
    order_id        INTEGER,
    executed        TEXT,
    code            TEXT,
    message         TEXT,
    trade_id        INTEGER,
    UNIQUE (client_order_id, number)
) STRICT;

CREATE TABLE fills (
    sequence        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    symbol          TEXT NOT NULL,
    trade_id        INTEGER NOT NULL,
    client_order_id TEXT NOT NULL REFERENCES orders (client_order_id),
    side            TEXT NOT NULL,
    price           TEXT NOT NULL,
    quantity        TEXT NOT NULL,
    fee             TEXT NOT NULL,
    fee_asset       TEXT NOT NULL,
    liquidity       TEXT NOT NULL,
    at              INTEGER NOT NULL,
    UNIQUE (symbol, trade_id)
) STRICT;

CREATE INDEX fills_by_order ON fills (client_order_id);

CREATE TABLE deposits (
    sequence   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    deposit_id TEXT NOT NULL UNIQUE,
    account    TEXT NOT NULL,
    asset      TEXT NOT NULL,
    amount     TEXT NOT NULL,
    at         INTEGER NOT NULL
) STRICT;

CREATE TABLE halt (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    version    INTEGER NOT NULL,
    halted     INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

-- Every state that ever was; it also keeps versions from repeating should the row above be lost.
CREATE TABLE halt_changes (
    version    INTEGER NOT NULL PRIMARY KEY,
    halted     INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
