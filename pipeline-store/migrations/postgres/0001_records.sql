-- Jobs, items, results, the ledger of calls, events, sessions and the registry.
-- Times are microseconds since 1970, money is millionths of a dollar, JSON is text (it is to come back byte for byte).
--
-- What every commit appends has no foreign keys: each would cost a look-up and a lock a row, and only the store writes.

-- Every commit writes the rows of its jobs, so they are narrow, and no index covers what changes: updates stay on the
-- page (HOT). What claims write of a job is in `turns`, so that a claim never waits for a commit.
CREATE TABLE jobs (
    id         uuid   NOT NULL PRIMARY KEY,
    label      text   NOT NULL,
    owner      text   NOT NULL,
    priority   integer NOT NULL,
    pipeline   text   NOT NULL,
    control    text   NOT NULL CHECK (control IN ('run', 'pause', 'cancel')),
    status     text,                          -- only once ended; derived until then
    stages     bigint  NOT NULL,
    cost       bigint NOT NULL DEFAULT 0,
    last_event bigint NOT NULL DEFAULT 0,
    -- Leaves by what `items.status` says, and settled stages times leaves: sums over `items`, kept in each transaction
    -- that changes those. What a session holds is counted apart, as running.
    pending    bigint NOT NULL DEFAULT 0,
    running    bigint NOT NULL DEFAULT 0,
    waiting    bigint NOT NULL DEFAULT 0,
    succeeded  bigint NOT NULL DEFAULT 0,
    filtered   bigint NOT NULL DEFAULT 0,
    rejected   bigint NOT NULL DEFAULT 0,
    undecided  bigint NOT NULL DEFAULT 0,
    failed     bigint NOT NULL DEFAULT 0,
    cancelled  bigint NOT NULL DEFAULT 0,
    steps      bigint NOT NULL DEFAULT 0,
    created_at bigint NOT NULL,
    ended_at   bigint,
    out        text,
    parent     uuid,
    CHECK ((status IS NULL) = (ended_at IS NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE INDEX jobs_label ON jobs (label, id);
-- What a heartbeat looks for.
CREATE INDEX jobs_steered ON jobs (id) WHERE control <> 'run' AND status IS NULL;

-- Apart from `jobs`, because a plan is long and that row is written by every commit.
CREATE TABLE plans (
    job  uuid NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    body text NOT NULL
);

-- Whose turn it is: what claims read and write of a job.
CREATE TABLE turns (
    job        uuid    NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    priority   integer NOT NULL,
    eligible   boolean NOT NULL DEFAULT true, -- control is `run`, and the job has not ended
    served_at  bigint  NOT NULL DEFAULT 0,    -- when a claim last took items of it
    started_at bigint                         -- when one first did
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- The order in which claims visit jobs.
CREATE INDEX turns_order ON turns (priority DESC, served_at, job) WHERE eligible;

-- What changes of an item. Each claim and each commit writes a new version of the row and of its place in most indexes,
-- so what never changes is in `item_inputs`, and an item that has ended is in one index only.
CREATE TABLE items (
    id           uuid    NOT NULL PRIMARY KEY,
    job          uuid    NOT NULL,
    unit         uuid,
    session      uuid,
    token        bigint  NOT NULL DEFAULT 0,
    claimable_at bigint,                      -- 0: now; NULL: only something else can wake it
    cost         bigint  NOT NULL DEFAULT 0,
    updated_at   bigint  NOT NULL,
    ordinal      bigint  NOT NULL,
    slot         bigint  NOT NULL,
    leaves       bigint  NOT NULL,
    steps        bigint  NOT NULL,
    open         boolean NOT NULL,            -- has not ended, and children have not taken its place
    replaced     boolean NOT NULL,            -- children took its place
    status       text    NOT NULL,
    machine      text    NOT NULL
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 2000
);

-- Claim order: what is due has 0 there, so it is a range already sorted; what waits follows by time, the parked last.
CREATE INDEX items_free ON items (job, claimable_at, ordinal, slot) WHERE session IS NULL AND open;
CREATE INDEX items_unit ON items (unit) WHERE session IS NULL AND open AND unit IS NOT NULL;
CREATE INDEX items_held ON items (session, job) WHERE session IS NOT NULL;

-- What never changes of an item.
CREATE TABLE item_inputs (
    item    uuid    NOT NULL PRIMARY KEY,
    job     uuid    NOT NULL,
    ordinal bigint  NOT NULL,
    slot    bigint  NOT NULL,
    parent  uuid,
    name    text    NOT NULL,
    input   text    NOT NULL
);

CREATE INDEX item_inputs_place ON item_inputs (job, ordinal, slot);

CREATE TABLE results (
    no         bigint  NOT NULL GENERATED ALWAYS AS IDENTITY, -- the order of commits on an item
    id         uuid    NOT NULL PRIMARY KEY,
    item       uuid    NOT NULL,
    stage      text    NOT NULL,
    round      bigint  NOT NULL,
    attempt    bigint  NOT NULL,
    provider   text,
    cost       bigint  NOT NULL,
    started_at bigint  NOT NULL,
    ended_at   bigint  NOT NULL,
    verdict    text,
    files      text    NOT NULL,
    fields     text    NOT NULL
);

CREATE INDEX results_item ON results (item, no);

-- Sums over `results`, kept in the commit that appends them.
CREATE TABLE tallies (
    job         uuid   NOT NULL,
    stage       text   NOT NULL COLLATE "C",
    count       bigint NOT NULL,
    micros      bigint NOT NULL,
    sum_squares double precision NOT NULL,
    cost        bigint NOT NULL,
    PRIMARY KEY (job, stage)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE TABLE calls (
    no          bigint  NOT NULL GENERATED ALWAYS AS IDENTITY, -- the order of intents
    id          uuid    NOT NULL PRIMARY KEY,
    job         uuid    NOT NULL,
    stage       text    NOT NULL,
    round       bigint  NOT NULL,
    attempt     bigint  NOT NULL,
    provider    text    NOT NULL,
    capability  text    NOT NULL,
    request     text    NOT NULL,
    state       text    NOT NULL CHECK (state IN ('open', 'succeeded', 'failed', 'unknown')),
    reserved    bigint  NOT NULL,
    cost        bigint,
    external_id text,
    opened_at   bigint  NOT NULL,
    settled_at  bigint,
    items       uuid[]  NOT NULL,
    failure     text,
    response    text
) WITH (fillfactor = 70);

CREATE INDEX calls_no ON calls (no);
CREATE INDEX calls_job ON calls (job, state, no);

CREATE TABLE call_items (
    item uuid NOT NULL,
    call uuid NOT NULL,
    PRIMARY KEY (item, call)
);

CREATE TABLE events (
    job  uuid   NOT NULL,
    seq  bigint NOT NULL,
    at   bigint NOT NULL,
    body text   NOT NULL,
    PRIMARY KEY (job, seq)
);

-- A claim locks the row of its session (FOR KEY SHARE), a burial the same row (FOR UPDATE): no claim is made for the dead.
CREATE TABLE sessions (
    id          uuid   NOT NULL PRIMARY KEY,
    host        text   NOT NULL,
    pid         bigint NOT NULL,
    focus       uuid,
    started_at  bigint NOT NULL,
    lease_until bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

CREATE TABLE names (
    scope text NOT NULL COLLATE "C",
    key   text NOT NULL COLLATE "C",          -- the name in lower case
    name  text NOT NULL,
    job   uuid NOT NULL,
    item  uuid NOT NULL,
    PRIMARY KEY (scope, key)
);

CREATE TABLE fingerprints (
    no          bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY, -- the order in which pictures came
    job         uuid   NOT NULL,
    scope       text   NOT NULL COLLATE "C",
    item        uuid   NOT NULL,
    fingerprint bigint NOT NULL,              -- the 64 bits, as a signed number
    PRIMARY KEY (job, scope, item)
);
