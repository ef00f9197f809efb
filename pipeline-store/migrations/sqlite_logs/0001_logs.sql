-- The logs of jobs. A file of their own, so that they never take the lock of the records.
CREATE TABLE logs (
    seq      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    level    INTEGER NOT NULL,
    job      BLOB NOT NULL,
    item     BLOB,
    stage    TEXT,
    step     TEXT NOT NULL,
    attempt  INTEGER,
    code     TEXT,
    duration INTEGER,
    message  TEXT NOT NULL
) STRICT;

CREATE INDEX logs_by_job ON logs (job, seq);
