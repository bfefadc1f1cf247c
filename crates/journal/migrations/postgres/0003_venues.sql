-- Orders and fills belong to an account, which is one at one venue. What the house has recorded so
-- far was all of the account `paper`.
ALTER TABLE orders ADD COLUMN account TEXT NOT NULL DEFAULT 'paper';
-- The list that the order was sent with.
ALTER TABLE orders ADD COLUMN list_name TEXT;
-- What the venue calls an order that was found there and not sent by the house.
ALTER TABLE orders ADD COLUMN found_as TEXT;
-- What wakes a stop order.
ALTER TABLE orders ADD COLUMN stop_role TEXT;
ALTER TABLE orders ADD COLUMN trigger_price TEXT;
ALTER TABLE orders ADD COLUMN trailing_bips BIGINT;

DROP INDEX orders_unsettled;
CREATE INDEX orders_unsettled ON orders (account, created_at) WHERE settled = 0;
DROP INDEX orders_by_number;
CREATE INDEX orders_by_number ON orders (account, symbol, order_id);

-- A trade's number is unique in one symbol of one venue only.
ALTER TABLE fills RENAME TO fills_of_one_account;
CREATE TABLE fills (
    sequence        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account         TEXT NOT NULL,
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
    UNIQUE (account, symbol, trade_id)
);
INSERT INTO fills (account, symbol, trade_id, client_order_id, side, price, quantity, fee,
    fee_asset, liquidity, at)
    SELECT 'paper', symbol, trade_id, client_order_id, side, price, quantity, fee, fee_asset,
        liquidity, at FROM fills_of_one_account ORDER BY sequence;
DROP TABLE fills_of_one_account;
CREATE INDEX fills_by_order ON fills (client_order_id);

-- Who may send for an account: each owner has a higher fence than the one before.
CREATE TABLE owners (
    account    TEXT NOT NULL PRIMARY KEY,
    fence      BIGINT NOT NULL,
    owner      TEXT NOT NULL,
    claimed_at BIGINT NOT NULL
);

-- Up to which trade a symbol of an account has been compared with the venue. What is before the
-- first comparison is none of the house's business.
CREATE TABLE cursors (
    account  TEXT NOT NULL,
    symbol   TEXT NOT NULL,
    trade_id BIGINT NOT NULL,
    PRIMARY KEY (account, symbol)
);
