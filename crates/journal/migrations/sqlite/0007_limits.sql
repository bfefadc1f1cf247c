-- The limits in force are those of the configuration with what was changed since. One row counts the
-- changes; each change that ever was is kept, which also keeps versions from repeating.
CREATE TABLE limits (
    id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL
) STRICT;

-- What is changed now. No value: the limit is taken away.
CREATE TABLE limit_overrides (
    name      TEXT NOT NULL PRIMARY KEY,
    value     TEXT,
    by_person INTEGER NOT NULL
) STRICT;

CREATE TABLE limit_changes (
    version    INTEGER NOT NULL PRIMARY KEY,
    -- No name: the journal began. No value: the limit was taken away, or was given back to the
    -- configuration.
    name       TEXT,
    value      TEXT,
    given_back INTEGER NOT NULL,
    by_person  INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    reason     TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
