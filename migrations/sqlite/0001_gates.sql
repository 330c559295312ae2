-- Instants are milliseconds since 1970-01-01T00:00:00Z, states and verdicts are
-- words of the glossary, and what has a shape of its own is JSON.

CREATE TABLE rule_files (
    digest TEXT PRIMARY KEY,
    text   TEXT NOT NULL
) STRICT;

CREATE TABLE waves (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    rollout TEXT
) STRICT;

CREATE TABLE gates (
    id          INTEGER PRIMARY KEY,
    wave_id     INTEGER NOT NULL REFERENCES waves (id),
    rules       TEXT    NOT NULL,
    attempt     INTEGER NOT NULL CHECK (attempt BETWEEN 1 AND 4294967295),
    digest      TEXT    NOT NULL REFERENCES rule_files (digest),
    run         TEXT,
    baseline    TEXT,
    opened_at   INTEGER NOT NULL,
    start_at    INTEGER NOT NULL,
    deadline_at INTEGER,
    timing      TEXT,
    judged      INTEGER NOT NULL CHECK (judged BETWEEN 0 AND 4294967295),
    state       TEXT    NOT NULL
                CHECK (state IN ('scheduled', 'warming_up', 'analyzing', 'held', 'decided', 'cancelled')),
    verdict     TEXT    NOT NULL CHECK (verdict IN ('pass', 'fail', 'pause')),
    revision    INTEGER NOT NULL CHECK (revision BETWEEN 1 AND 4294967295),
    outage      TEXT,
    decision    TEXT,
    revised_at  INTEGER NOT NULL,
    UNIQUE (wave_id, rules, attempt)
) STRICT;

-- What a start looks for: gates that are not final, and those revised lately.
CREATE INDEX gates_open ON gates (wave_id) WHERE state NOT IN ('decided', 'cancelled');
CREATE INDEX gates_revised ON gates (revised_at);
CREATE INDEX gates_digest ON gates (digest);

CREATE TABLE evidence (
    gate_id        INTEGER NOT NULL REFERENCES gates (id) ON DELETE CASCADE,
    interval_index INTEGER NOT NULL CHECK (interval_index BETWEEN 1 AND 4294967295),
    body           TEXT    NOT NULL,
    PRIMARY KEY (gate_id, interval_index)
) STRICT;

CREATE TABLE revisions (
    gate_id  INTEGER NOT NULL REFERENCES gates (id) ON DELETE CASCADE,
    revision INTEGER NOT NULL CHECK (revision BETWEEN 1 AND 4294967295),
    document TEXT    NOT NULL,
    PRIMARY KEY (gate_id, revision)
) STRICT;

-- A message is `waiting` until a delivery worker has sent it (`delivered`) or has
-- run out of tries (`dead`).
CREATE TABLE outbox (
    sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id  TEXT    NOT NULL UNIQUE,
    kind        TEXT    NOT NULL CHECK (kind IN ('wave.opened', 'wave.passed', 'wave.failed',
                                                 'wave.paused', 'wave.resumed', 'wave.cancelled')),
    at          INTEGER NOT NULL,
    body        TEXT    NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
    tries       INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
    next_try_at INTEGER NOT NULL
) STRICT;

CREATE INDEX outbox_due ON outbox (next_try_at) WHERE state = 'waiting';
CREATE INDEX outbox_at ON outbox (at);

-- The audit log names its gate in words, so that a line can be read alone.
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    wave     TEXT    NOT NULL,
    rules    TEXT    NOT NULL,
    attempt  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    by       TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    detail   TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_gate ON audit (wave, rules, attempt, at);
CREATE INDEX audit_at ON audit (at);

-- One row, rewritten to find out whether a write would succeed.
CREATE TABLE write_probe (
    id      INTEGER PRIMARY KEY,
    padding BLOB NOT NULL
) STRICT;
