-- Decimals are TEXT, times are nanoseconds since 1970-01-01T00:00:00Z.

CREATE TABLE commands (
    command_id  TEXT NOT NULL PRIMARY KEY,
    agent       TEXT NOT NULL,
    tool        TEXT NOT NULL,
    args_hash   TEXT NOT NULL,
    owner       TEXT NOT NULL,
    started_at  BIGINT NOT NULL,
    -- Both are set when the command is done.
    answer      TEXT,
    finished_at BIGINT
);

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
    post_only       BIGINT,
    created_at      BIGINT NOT NULL,
    -- What follows is the sum of the order's events.
    state           TEXT NOT NULL,
    settled         BIGINT NOT NULL,
    order_id        BIGINT,
    filled          TEXT NOT NULL,
    updated_at      BIGINT NOT NULL,
    event_count     BIGINT NOT NULL
);

CREATE INDEX orders_unsettled ON orders (created_at) WHERE settled = 0;
CREATE INDEX orders_by_time ON orders (created_at);
CREATE INDEX orders_by_symbol ON orders (symbol, created_at);

CREATE TABLE order_events (
    sequence        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_order_id TEXT NOT NULL REFERENCES orders (client_order_id),
    number          BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    kind            TEXT NOT NULL,
    order_id        BIGINT,
    executed        TEXT,
    code            TEXT,
    message         TEXT,
    trade_id        BIGINT,
    UNIQUE (client_order_id, number)
);

CREATE TABLE fills (
    sequence        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol          TEXT NOT NULL,
    trade_id        BIGINT NOT NULL,
    client_order_id TEXT NOT NULL REFERENCES orders (client_order_id),
    side            TEXT NOT NULL,
    price           TEXT NOT NULL,
    quantity        TEXT NOT NULL,
    fee             TEXT NOT NULL,
    fee_asset       TEXT NOT NULL,
    liquidity       TEXT NOT NULL,
    at              BIGINT NOT NULL,
    UNIQUE (symbol, trade_id)
);

CREATE INDEX fills_by_order ON fills (client_order_id);

CREATE TABLE deposits (
    sequence   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deposit_id TEXT NOT NULL UNIQUE,
    account    TEXT NOT NULL,
    asset      TEXT NOT NULL,
    amount     TEXT NOT NULL,
    at         BIGINT NOT NULL
);

CREATE TABLE halt (
    id         BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    version    BIGINT NOT NULL,
    halted     BIGINT NOT NULL,
    reason     TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Every state that ever was; it also keeps versions from repeating should the row above be lost.
CREATE TABLE halt_changes (
    version    BIGINT NOT NULL PRIMARY KEY,
    halted     BIGINT NOT NULL,
    reason     TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
