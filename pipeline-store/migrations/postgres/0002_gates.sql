-- Gates, turns of jobs, scheduled starts, repeated submits, and the pause of everything.

ALTER TABLE jobs
    ADD COLUMN idempotency text,
    ADD COLUMN body        text;                  -- the hash of what was asked for under that key
CREATE UNIQUE INDEX jobs_idempotency ON jobs (owner, idempotency) WHERE idempotency IS NOT NULL;

-- What claims ask of a job is with its turn.
ALTER TABLE turns
    ADD COLUMN key         text COLLATE "C",
    ADD COLUMN key_limit   bigint,
    ADD COLUMN start_at    bigint,
    ADD COLUMN concurrency bigint,
    ADD COLUMN open        boolean NOT NULL DEFAULT true; -- the job has not ended

-- A job ages from its submit on.
UPDATE turns SET open = jobs.status IS NULL,
    served_at = CASE turns.served_at WHEN 0 THEN jobs.created_at ELSE turns.served_at END
    FROM jobs WHERE jobs.id = turns.job;

-- With ageing the order depends on the time: claims sort the turns. No index covers what a claim writes of one.
DROP INDEX turns_order;
CREATE INDEX turns_eligible ON turns (job) WHERE eligible;
CREATE INDEX turns_open ON turns (job) WHERE open;
CREATE INDEX turns_key ON turns (key) WHERE open AND key IS NOT NULL AND started_at IS NOT NULL;

-- The gate it stands at or comes to next; '' for none (a range by IS NULL would not count as sorted).
ALTER TABLE items ADD COLUMN gate text COLLATE "C" NOT NULL DEFAULT '';

-- What is due of one gate is a range in claim order; what waits for a time is found by that.
DROP INDEX items_free;
CREATE INDEX items_due ON items (job, gate, claimable_at, ordinal, slot) WHERE session IS NULL AND open;
CREATE INDEX items_timed ON items (job, claimable_at) WHERE session IS NULL AND open AND claimable_at > 0;

ALTER TABLE calls
    ADD COLUMN gate     text COLLATE "C",
    ADD COLUMN deadline bigint NOT NULL DEFAULT 0;
CREATE INDEX calls_open ON calls (gate, deadline) WHERE state = 'open' AND gate IS NOT NULL;
CREATE INDEX calls_recent ON calls (gate, opened_at) WHERE gate IS NOT NULL;

CREATE TABLE gates (
    key          text   NOT NULL COLLATE "C" PRIMARY KEY,
    closed_until bigint,
    reason       text,
    concurrency  bigint,                          -- the limits the last call declared
    per_minute   bigint,
    outages      bigint NOT NULL DEFAULT 0        -- in a row
);

CREATE TABLE switches (
    name text    NOT NULL PRIMARY KEY,
    on_  boolean NOT NULL
);
