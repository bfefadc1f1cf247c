-- Orders as they are handed over. Before an order leaves one page of this table changes, which has no
-- index; before anything else reads or writes orders or commands, what is here moves to where it
-- belongs.
-- PostgreSQL has no such table: there it is the round trips that cost.
CREATE TABLE intents (
    sequence        INTEGER NOT NULL PRIMARY KEY,
    account         TEXT NOT NULL,
    list_name       TEXT,
    client_order_id TEXT NOT NULL,
    command_id      TEXT NOT NULL,
    symbol          TEXT NOT NULL,
    side            TEXT NOT NULL,
    quantity        TEXT NOT NULL,
    kind            TEXT NOT NULL,
    price           TEXT,
    time_in_force   TEXT,
    post_only       INTEGER,
    stop_role       TEXT,
    trigger_price   TEXT,
    trailing_bips   INTEGER,
    created_at      INTEGER NOT NULL,
    state           TEXT NOT NULL,
    -- When it was sent, for one that was.
    sent_at         INTEGER,
    -- The command that begins with it, where it was not on record before.
    agent           TEXT,
    tool            TEXT,
    args_hash       TEXT,
    owner           TEXT
) STRICT;

-- A table that is its own index: one page less changes when a command is begun.
ALTER TABLE commands RENAME TO commands_with_rows;
DROP INDEX commands_running;
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
) STRICT, WITHOUT ROWID;
INSERT INTO commands SELECT * FROM commands_with_rows;
DROP TABLE commands_with_rows;
CREATE INDEX commands_running ON commands (agent, started_at) WHERE finished_at IS NULL;
