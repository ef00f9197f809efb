-- Requests and settings kept under names, and recurring jobs.

CREATE TABLE saved (
    owner    text   NOT NULL COLLATE "C",
    kind     text   NOT NULL CHECK (kind IN ('template', 'settings')),
    name     text   NOT NULL COLLATE "C",
    saved_at bigint NOT NULL,
    body     text   NOT NULL,
    PRIMARY KEY (kind, owner, name)
);

CREATE TABLE schedules (
    id         uuid    NOT NULL PRIMARY KEY,
    owner      text    NOT NULL COLLATE "C",
    name       text    NOT NULL COLLATE "C",
    every      text    NOT NULL,
    timezone   text    NOT NULL,
    overlap    boolean NOT NULL,
    request    text    NOT NULL,
    paused     boolean NOT NULL DEFAULT false,
    next_at    bigint  NOT NULL,
    last_at    bigint,                        -- the newest occasion that was taken
    outcome    text,                          -- what became of it, JSON
    begun      boolean NOT NULL DEFAULT false, -- it is taken, and its job may not be submitted yet
    last_job   uuid,
    created_at bigint  NOT NULL,
    UNIQUE (owner, name)
);

CREATE INDEX schedules_due ON schedules (next_at) WHERE NOT paused;
CREATE INDEX schedules_begun ON schedules (id) WHERE begun;
