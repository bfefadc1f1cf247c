-- Up to which of the venue's numbers the orders of a symbol of an account have been compared. What
-- is before the first comparison is none of the house's business.
CREATE TABLE order_cursors (
    account  TEXT NOT NULL,
    symbol   TEXT NOT NULL,
    order_id INTEGER NOT NULL,
    PRIMARY KEY (account, symbol)
) STRICT;
