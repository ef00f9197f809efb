-- What people decided about items that had ended; append-only, and kept when the job is deleted.
CREATE TABLE reviews (
    no       INTEGER PRIMARY KEY,           -- the order of decisions
    job      TEXT    NOT NULL,
    item     TEXT    NOT NULL,
    round    INTEGER NOT NULL,
    decision TEXT    NOT NULL,
    actor    TEXT    NOT NULL,
    reason   TEXT,
    at       INTEGER NOT NULL
) STRICT;

CREATE INDEX reviews_item ON reviews (item, no);
CREATE INDEX reviews_job ON reviews (job, no);

-- Settings of later rounds; number 0 is the row in `plans`.
CREATE TABLE revisions (
    job    TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    hash   TEXT    NOT NULL,                -- of the plan
    body   TEXT    NOT NULL,
    PRIMARY KEY (job, number),
    UNIQUE (job, hash)
) STRICT, WITHOUT ROWID;
