-- Requests and settings kept under names, and recurring jobs.

CREATE TABLE saved (
    owner    TEXT    NOT NULL,
    kind     TEXT    NOT NULL CHECK (kind IN ('template', 'settings')),
    name     TEXT    NOT NULL,
    saved_at INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (kind, owner, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE schedules (
    id         TEXT    NOT NULL PRIMARY KEY,
    owner      TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    every      TEXT    NOT NULL,
    timezone   TEXT    NOT NULL,
    overlap    INTEGER NOT NULL,
    request    TEXT    NOT NULL,
    paused     INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER NOT NULL,
    last_at    INTEGER,                       -- the newest occasion that was taken
    outcome    TEXT,                          -- what became of it, JSON
    begun      INTEGER NOT NULL DEFAULT 0,    -- it is taken, and its job may not be submitted yet
    last_job   TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (owner, name)
) STRICT;

CREATE INDEX schedules_due ON schedules (next_at) WHERE paused = 0;
CREATE INDEX schedules_begun ON schedules (id) WHERE begun = 1;
