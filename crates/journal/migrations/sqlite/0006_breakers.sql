-- The two breakers: one row each, and every state that ever was, which also keeps versions from
-- repeating should a row be lost.
CREATE TABLE breakers (
    name       TEXT NOT NULL PRIMARY KEY,
    version    INTEGER NOT NULL,
    state      TEXT NOT NULL,
    -- Why and since when, and for an open one until when.
    code       TEXT,
    since      INTEGER,
    until      INTEGER,
    changed_by TEXT NOT NULL,
    reason     TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE breaker_changes (
    name       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    state      TEXT NOT NULL,
    code       TEXT,
    since      INTEGER,
    until      INTEGER,
    changed_by TEXT NOT NULL,
    reason     TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;

-- The highest equity of an account, moved by what was paid in or taken out since.
CREATE TABLE peaks (
    account TEXT NOT NULL PRIMARY KEY,
    equity  TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
