-- The logs of jobs. Numbers are given under a lock, so that they become visible in their order.
CREATE TABLE logs (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       bigint NOT NULL,
    level    bigint NOT NULL,
    job      uuid NOT NULL,
    item     uuid,
    stage    text,
    step     text NOT NULL,
    attempt  bigint,
    code     text,
    duration bigint,
    message  text NOT NULL
);

CREATE INDEX logs_by_job ON logs (job, seq);
