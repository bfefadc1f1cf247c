-- What an account was worth when a day began, counted in days since 1970-01-01 in UTC.
CREATE TABLE days (
    account      TEXT NOT NULL,
    unix_day     INTEGER NOT NULL,
    equity_start TEXT NOT NULL,
    PRIMARY KEY (account, unix_day)
) STRICT;

CREATE INDEX orders_by_command ON orders (command_id);
CREATE INDEX orders_by_number ON orders (order_id);
