-- The limits in force are those of the configuration with what was changed since. One row counts the
-- changes; each change that ever was is kept, which also keeps versions from repeating.
CREATE TABLE limits (
    id      BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL
);

-- What is changed now. No value: the limit is taken away.
CREATE TABLE limit_overrides (
    name      TEXT NOT NULL PRIMARY KEY,
    value     TEXT,
    by_person BIGINT NOT NULL
);

CREATE TABLE limit_changes (
    version    BIGINT NOT NULL PRIMARY KEY,
    -- No name: the journal began. No value: the limit was taken away, or was given back to the
    -- configuration.
    name       TEXT,
    value      TEXT,
    given_back BIGINT NOT NULL,
    by_person  BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    reason     TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
