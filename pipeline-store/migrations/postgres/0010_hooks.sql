-- Who is told of events, how far each has heard of each job, and what became of each message.

CREATE TABLE hooks (
    id         uuid   NOT NULL PRIMARY KEY,
    owner      text   NOT NULL COLLATE "C",
    name       text   NOT NULL COLLATE "C",
    spec       text   NOT NULL,
    pipeline   text,                              -- of which jobs: as in `spec`, for the statement that makes lanes
    label      text,
    lease      bigint NOT NULL,                   -- how long a lane is held
    paused     text,                              -- why; NULL: it is on
    created_at bigint NOT NULL,
    UNIQUE (owner, name)
);

-- One for each hook and each job it is told of, made with the later of the two.
CREATE TABLE hook_lanes (
    hook        uuid    NOT NULL REFERENCES hooks (id) ON DELETE CASCADE,
    job         uuid    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    cursor      bigint  NOT NULL,                 -- the last event that is dealt with
    settled     boolean NOT NULL DEFAULT false,   -- the job has ended, and the hook has heard all
    token       bigint  NOT NULL DEFAULT 0,
    attempts    bigint  NOT NULL DEFAULT 0,       -- of the next message
    due_at      bigint  NOT NULL DEFAULT 0,
    lease_until bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (hook, job)
) WITH (fillfactor = 70);

CREATE INDEX hook_lanes_open ON hook_lanes (hook, job) WHERE NOT settled;
CREATE INDEX hook_lanes_job ON hook_lanes (job);

CREATE TABLE deliveries (
    no       bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the order of first tries
    id       uuid   NOT NULL UNIQUE,
    hook     uuid   NOT NULL REFERENCES hooks (id) ON DELETE CASCADE,
    job      uuid   NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq      bigint NOT NULL,
    kind     text   NOT NULL,
    state    text   NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts bigint NOT NULL,
    status   bigint,
    error    text,
    next_at  bigint,
    tried_at bigint NOT NULL
);

CREATE INDEX deliveries_hook ON deliveries (hook, state, no);
CREATE INDEX deliveries_job ON deliveries (job);
