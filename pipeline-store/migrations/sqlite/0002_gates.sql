-- Gates, turns of jobs, scheduled starts, repeated submits, and the pause of everything.

ALTER TABLE jobs ADD COLUMN key TEXT;
ALTER TABLE jobs ADD COLUMN key_limit INTEGER;
ALTER TABLE jobs ADD COLUMN start_at INTEGER;
ALTER TABLE jobs ADD COLUMN concurrency INTEGER;
ALTER TABLE jobs ADD COLUMN idempotency TEXT;
ALTER TABLE jobs ADD COLUMN body TEXT;            -- the hash of what was asked for under that key

-- A job ages from its submit on.
UPDATE jobs SET served_at = created_at WHERE served_at = 0;
CREATE INDEX jobs_key ON jobs (key) WHERE key IS NOT NULL AND ended_at IS NULL AND started_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_idempotency ON jobs (owner, idempotency) WHERE idempotency IS NOT NULL;

ALTER TABLE items ADD COLUMN gate TEXT;           -- the gate it stands at or comes to next

-- What is due of one gate is a range in claim order; what waits for a time is found by that.
DROP INDEX items_due;
CREATE INDEX items_due ON items (job, gate, claimable_at, ordinal, slot, unit, id, session)
    WHERE session IS NULL AND claimable_at IS NOT NULL;
CREATE INDEX items_timed ON items (job, claimable_at, session) WHERE session IS NULL AND claimable_at > 0;

ALTER TABLE calls ADD COLUMN gate TEXT;
ALTER TABLE calls ADD COLUMN deadline INTEGER NOT NULL DEFAULT 0;
CREATE INDEX calls_open ON calls (gate, deadline) WHERE state = 'open' AND gate IS NOT NULL;
CREATE INDEX calls_recent ON calls (gate, opened_at) WHERE gate IS NOT NULL;

CREATE TABLE gates (
    key          TEXT NOT NULL PRIMARY KEY,
    closed_until INTEGER,
    reason       TEXT,
    concurrency  INTEGER,                         -- the limits the last call declared
    per_minute   INTEGER,
    outages      INTEGER NOT NULL DEFAULT 0       -- in a row
) STRICT, WITHOUT ROWID;

CREATE TABLE switches (
    name TEXT NOT NULL PRIMARY KEY,
    on_  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
