-- Who is told of events, how far each has heard of each job, and what became of each message.

CREATE TABLE hooks (
    id         TEXT    NOT NULL PRIMARY KEY,
    owner      TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    spec       TEXT    NOT NULL,
    pipeline   TEXT,                              -- of which jobs: as in `spec`, for the statement that makes lanes
    label      TEXT,
    lease      INTEGER NOT NULL,                  -- how long a lane is held
    paused     TEXT,                              -- why; NULL: it is on
    created_at INTEGER NOT NULL,
    UNIQUE (owner, name)
) STRICT;

-- One for each hook and each job it is told of, made with the later of the two.
CREATE TABLE hook_lanes (
    hook        TEXT    NOT NULL REFERENCES hooks (id) ON DELETE CASCADE,
    job         TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    cursor      INTEGER NOT NULL,                 -- the last event that is dealt with
    settled     INTEGER NOT NULL DEFAULT 0,       -- 1: the job has ended, and the hook has heard all
    token       INTEGER NOT NULL DEFAULT 0,
    attempts    INTEGER NOT NULL DEFAULT 0,       -- of the next message
    due_at      INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (hook, job)
) STRICT, WITHOUT ROWID;

CREATE INDEX hook_lanes_open ON hook_lanes (hook, job) WHERE settled = 0;
CREATE INDEX hook_lanes_job ON hook_lanes (job);

CREATE TABLE deliveries (
    no       INTEGER PRIMARY KEY,                 -- the order of first tries
    id       TEXT    NOT NULL UNIQUE,
    hook     TEXT    NOT NULL REFERENCES hooks (id) ON DELETE CASCADE,
    job      TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq      INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts INTEGER NOT NULL,
    status   INTEGER,
    error    TEXT,
    next_at  INTEGER,
    tried_at INTEGER NOT NULL
) STRICT;

CREATE INDEX deliveries_hook ON deliveries (hook, state, no);
CREATE INDEX deliveries_job ON deliveries (job);
