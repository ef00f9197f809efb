-- What people decided about items that had ended; append-only, and kept when the job is deleted.
CREATE TABLE reviews (
    no       bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the order of decisions on an item
    job      uuid   NOT NULL,
    item     uuid   NOT NULL,
    round    bigint NOT NULL,
    decision text   NOT NULL,
    actor    text   NOT NULL,
    reason   text,
    at       bigint NOT NULL
);

CREATE INDEX reviews_item ON reviews (item, no);
CREATE INDEX reviews_job ON reviews (job, no);

-- Settings of later rounds; number 0 is the row in `plans`.
CREATE TABLE revisions (
    job    uuid   NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number bigint NOT NULL,
    hash   text   NOT NULL,                 -- of the plan
    body   text   NOT NULL,
    PRIMARY KEY (job, number),
    UNIQUE (job, hash)
);
