-- What kind of change a gate's wave brings; every one was as any other before this version.

ALTER TABLE gates ADD COLUMN class TEXT NOT NULL DEFAULT 'standard' CHECK (class IN ('standard', 'exploratory'));

-- What a gate's wave spent of an error budget, by its last look. The words say whose it is
-- where the gate is not kept any more: the period of an SLO may be longer than that.
CREATE TABLE charges (
    id             INTEGER PRIMARY KEY,
    gate_id        INTEGER UNIQUE REFERENCES gates (id) ON DELETE SET NULL,
    slo            TEXT    NOT NULL,
    digest         TEXT    NOT NULL,
    wave           TEXT    NOT NULL,
    rules          TEXT    NOT NULL,
    attempt        INTEGER NOT NULL CHECK (attempt BETWEEN 1 AND 4294967295),
    from_at        INTEGER NOT NULL,
    to_at          INTEGER NOT NULL CHECK (from_at <= to_at),
    canary_bad     REAL    NOT NULL,
    canary_total   REAL    NOT NULL,
    baseline_bad   REAL    NOT NULL,
    baseline_total REAL    NOT NULL,
    planned_bad    REAL    NOT NULL,
    planned_total  REAL    NOT NULL,
    excess         REAL    NOT NULL
) STRICT;

CREATE INDEX charges_to ON charges (to_at);

-- What slices are counted by (source, indicator, length), so that a slice need not repeat it.
CREATE TABLE countings (
    id         INTEGER PRIMARY KEY,
    counted_by TEXT NOT NULL UNIQUE
) STRICT;

-- Events of one slice; NULL where nobody saw anything, which is not 0.
CREATE TABLE slices (
    counting_id INTEGER NOT NULL REFERENCES countings (id),
    start_at    INTEGER NOT NULL,
    bad         REAL,
    total       REAL,
    PRIMARY KEY (counting_id, start_at)
) STRICT, WITHOUT ROWID;
