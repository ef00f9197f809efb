-- Jobs, items, results, the ledger of calls, events, sessions and the registry.
-- Times are microseconds since 1970, money is millionths of a dollar, ids are lower-case UUIDs, JSON is text.

CREATE TABLE jobs (
    id         TEXT    NOT NULL PRIMARY KEY,
    label      TEXT    NOT NULL,
    owner      TEXT    NOT NULL,
    priority   INTEGER NOT NULL,
    pipeline   TEXT    NOT NULL,
    control    TEXT    NOT NULL CHECK (control IN ('run', 'pause', 'cancel')),
    status     TEXT,                          -- only once ended; derived until then
    stages     INTEGER NOT NULL,
    cost       INTEGER NOT NULL DEFAULT 0,
    served_at  INTEGER NOT NULL DEFAULT 0,    -- when a claim last took items of it
    last_event INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at   INTEGER,
    out        TEXT,
    parent     TEXT,
    CHECK ((status IS NULL) = (ended_at IS NULL))
) STRICT;

-- The order in which claims visit jobs.
CREATE INDEX jobs_open ON jobs (priority DESC, served_at, id) WHERE ended_at IS NULL AND control = 'run';
CREATE INDEX jobs_label ON jobs (label, id);

-- Apart from `jobs`, because a plan is long and that row is written by every commit.
CREATE TABLE plans (
    job  TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE items (
    id           TEXT    NOT NULL PRIMARY KEY,
    job          TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    parent       TEXT,
    ordinal      INTEGER NOT NULL,
    slot         INTEGER NOT NULL,
    status       TEXT    NOT NULL,
    leaves       INTEGER NOT NULL,
    steps        INTEGER NOT NULL,
    replaced     INTEGER NOT NULL,            -- 1 once children took its place
    claimable_at INTEGER,                     -- 0: now; NULL: only something else can wake it
    unit         TEXT,
    token        INTEGER NOT NULL DEFAULT 0,
    session      TEXT,
    cost         INTEGER NOT NULL DEFAULT 0,
    updated_at   INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    input        TEXT    NOT NULL,
    machine      TEXT    NOT NULL
) STRICT;

-- Claim order: what is due has 0 there, so it is a range already sorted; what waits follows by time.
CREATE INDEX items_due ON items (job, claimable_at, ordinal, slot, unit, id, session)
    WHERE session IS NULL AND claimable_at IS NOT NULL;
CREATE INDEX items_unit ON items (unit, claimable_at)
    WHERE session IS NULL AND claimable_at IS NOT NULL AND unit IS NOT NULL;
CREATE INDEX items_held ON items (session, job) WHERE session IS NOT NULL;
CREATE INDEX items_count ON items (job, status, leaves, steps);
CREATE INDEX items_place ON items (job, ordinal, slot) WHERE replaced = 0;

CREATE TABLE results (
    no         INTEGER PRIMARY KEY,           -- the order of commits
    id         TEXT    NOT NULL UNIQUE,
    item       TEXT    NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    stage      TEXT    NOT NULL,
    round      INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    provider   TEXT,
    cost       INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    verdict    TEXT,
    files      TEXT    NOT NULL,
    fields     TEXT    NOT NULL
) STRICT;

CREATE INDEX results_item ON results (item);

-- Sums over `results`, kept in the commit that appends them.
CREATE TABLE tallies (
    job         TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    stage       TEXT    NOT NULL,
    count       INTEGER NOT NULL,
    micros      INTEGER NOT NULL,
    sum_squares REAL    NOT NULL,
    cost        INTEGER NOT NULL,
    PRIMARY KEY (job, stage)
) STRICT, WITHOUT ROWID;

CREATE TABLE calls (
    no          INTEGER PRIMARY KEY,          -- the order of intents
    id          TEXT    NOT NULL UNIQUE,
    job         TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    stage       TEXT    NOT NULL,
    round       INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    provider    TEXT    NOT NULL,
    capability  TEXT    NOT NULL,
    request     TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'succeeded', 'failed', 'unknown')),
    reserved    INTEGER NOT NULL,
    cost        INTEGER,
    external_id TEXT,
    opened_at   INTEGER NOT NULL,
    settled_at  INTEGER,
    items       TEXT    NOT NULL,
    failure     TEXT,
    response    TEXT
) STRICT;

CREATE INDEX calls_job ON calls (job, state, stage);

CREATE TABLE call_items (
    item TEXT NOT NULL,
    call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    PRIMARY KEY (item, call)
) STRICT, WITHOUT ROWID;

CREATE INDEX call_items_call ON call_items (call);

CREATE TABLE events (
    job  TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq  INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    body TEXT    NOT NULL,
    PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id          TEXT    NOT NULL PRIMARY KEY,
    host        TEXT    NOT NULL,
    pid         INTEGER NOT NULL,
    focus       TEXT,
    started_at  INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    locked      INTEGER NOT NULL              -- 1: its process holds the lock file
) STRICT;

CREATE TABLE names (
    scope TEXT NOT NULL,
    key   TEXT NOT NULL,                      -- the name in lower case
    name  TEXT NOT NULL,
    job   TEXT NOT NULL,
    item  TEXT NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE fingerprints (
    no          INTEGER PRIMARY KEY AUTOINCREMENT,
    job         TEXT    NOT NULL,
    scope       TEXT    NOT NULL,
    item        TEXT    NOT NULL,
    fingerprint INTEGER NOT NULL,             -- the 64 bits, as a signed number
    UNIQUE (job, scope, item)
) STRICT;

CREATE INDEX fingerprints_scope ON fingerprints (job, scope, no);
