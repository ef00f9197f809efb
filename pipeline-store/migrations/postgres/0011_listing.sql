-- What pages of jobs and of items are found by, in the order they are listed in. What ends a job is written once, so an index
-- of it costs no commit anything.

CREATE INDEX jobs_created ON jobs (created_at, id);
CREATE INDEX jobs_ended_order ON jobs (coalesce(ended_at, 9223372036854775807), id);
CREATE INDEX jobs_priority ON jobs (priority, id);
CREATE INDEX jobs_label_order ON jobs (label COLLATE "C", id);
CREATE INDEX jobs_status ON jobs (status, created_at, id);
CREATE INDEX jobs_of_owner ON jobs (owner, created_at, id);
CREATE INDEX jobs_of_pipeline ON jobs (pipeline, created_at, id);
CREATE INDEX jobs_of_parent ON jobs (parent, created_at, id) WHERE parent IS NOT NULL;
CREATE INDEX reviews_retried ON reviews (job) WHERE decision LIKE '{"decision":"retry"%';

-- Of the stage that ended the walk, its place in the plan, and the code of the failure, if it was one. Both are what
-- `machine` says, as is the round.
ALTER TABLE items
    ADD COLUMN stage bigint,
    ADD COLUMN code  text COLLATE "C",
    ADD COLUMN round bigint NOT NULL DEFAULT 1;

-- A text in `machine` may hold what JSON in PostgreSQL cannot.
UPDATE items SET round = (replace(machine, '\u0000', '\ufffd')::json ->> 'round')::bigint, stage = stopped.place,
    code = stopped.code
    FROM (SELECT DISTINCT ON (of.id) of.id, state.place - 1 AS place,
        CASE json_typeof(state.value #> '{stop,failure,code}') WHEN 'string' THEN state.value #>> '{stop,failure,code}'
        ELSE state.value #>> '{stop,failure,code,port}' END AS code
        FROM items AS of, json_array_elements(replace(of.machine, '\u0000', '\ufffd')::json -> 'stages') WITH ORDINALITY AS state (value, place)
        WHERE state.value ->> 'is' = 'stopped' ORDER BY of.id, state.place) AS stopped
    WHERE items.id = stopped.id;
UPDATE items SET round = (replace(machine, '\u0000', '\ufffd')::json ->> 'round')::bigint
    WHERE stage IS NULL AND replace(machine, '\u0000', '\ufffd')::json ->> 'round' <> '1';

CREATE INDEX items_ended ON items (job, status, ordinal, slot) WHERE session IS NULL AND NOT open AND NOT replaced;
CREATE INDEX items_stage ON items (job, stage, ordinal, slot) WHERE stage IS NOT NULL AND NOT replaced;
CREATE INDEX items_code ON items (job, code, ordinal, slot) WHERE code IS NOT NULL AND NOT replaced;
CREATE INDEX items_round ON items (job, round, ordinal, slot) WHERE round > 1 AND NOT replaced;
