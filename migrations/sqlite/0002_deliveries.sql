-- What was one row a message becomes one row a message and endpoint: an endpoint
-- that is down must not make another one wait, nor be taken for it.
--
-- `fanned_out` says whether a message has got its deliveries. It gets them once,
-- for the endpoints that were configured then, so a new endpoint is not told the
-- past. Messages from before this version had nobody to go to.

DROP INDEX outbox_due;
ALTER TABLE outbox DROP COLUMN state;
ALTER TABLE outbox DROP COLUMN tries;
ALTER TABLE outbox DROP COLUMN next_try_at;
ALTER TABLE outbox ADD COLUMN fanned_out INTEGER NOT NULL DEFAULT 0 CHECK (fanned_out IN (0, 1));
UPDATE outbox SET fanned_out = 1;

CREATE INDEX outbox_new ON outbox (sequence) WHERE fanned_out = 0;

-- A delivery is `waiting` until it was taken (`delivered`) or its tries have run
-- out (`dead`). While somebody sends it, `next_try_at` lies where his lease ends;
-- `lease` counts the leases and resends, so that who comes late can be told.
CREATE TABLE deliveries (
    endpoint    TEXT    NOT NULL,
    message     INTEGER NOT NULL REFERENCES outbox (sequence) ON DELETE CASCADE,
    state       TEXT    NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    tries       INTEGER NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 4294967295),
    next_try_at INTEGER NOT NULL,
    lease       INTEGER NOT NULL DEFAULT 0,
    outcome     TEXT,
    PRIMARY KEY (endpoint, message)
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_due ON deliveries (endpoint, next_try_at) WHERE state = 'waiting';
CREATE INDEX deliveries_dead ON deliveries (endpoint, message) WHERE state = 'dead';
CREATE INDEX deliveries_message ON deliveries (message, state);

-- Endpoints that answered 410 and were not enabled since.
CREATE TABLE disabled_endpoints (
    name   TEXT PRIMARY KEY,
    at     INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;
