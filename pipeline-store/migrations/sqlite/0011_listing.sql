-- What pages of jobs and of items are found by, in the order they are listed in.

CREATE INDEX jobs_created ON jobs (created_at, id);
CREATE INDEX jobs_ended_order ON jobs (ifnull(ended_at, 9223372036854775807), id);
CREATE INDEX jobs_priority ON jobs (priority, id);
CREATE INDEX jobs_status ON jobs (status, created_at, id);
CREATE INDEX jobs_of_owner ON jobs (owner, created_at, id);
CREATE INDEX jobs_of_pipeline ON jobs (pipeline, created_at, id);
CREATE INDEX jobs_of_parent ON jobs (parent, created_at, id) WHERE parent IS NOT NULL;
CREATE INDEX reviews_retried ON reviews (job) WHERE json_extract(decision, '$.decision') = 'retry';

-- Of the stage that ended the walk, its place in the plan, and the code of the failure, if it was one. Both are what
-- `machine` says, as is the round.
ALTER TABLE items ADD COLUMN stage INTEGER;
ALTER TABLE items ADD COLUMN code TEXT;
ALTER TABLE items ADD COLUMN round INTEGER NOT NULL DEFAULT 1;

UPDATE items SET round = json_extract(machine, '$.round'),
    stage = (SELECT min(key) FROM json_each(machine, '$.stages') WHERE value ->> '$.is' = 'stopped');
UPDATE items SET code = (SELECT CASE WHEN json_type(failure, '$.code') = 'text' THEN failure ->> '$.code'
        ELSE failure ->> '$.code.port' END
    FROM (SELECT json_extract(machine, '$.stages[' || items.stage || '].stop.failure') AS failure))
    WHERE stage IS NOT NULL;

CREATE INDEX items_listed ON items (job, status, ordinal, slot) WHERE replaced = 0;
CREATE INDEX items_stage ON items (job, stage, ordinal, slot) WHERE stage IS NOT NULL AND replaced = 0;
CREATE INDEX items_code ON items (job, code, ordinal, slot) WHERE code IS NOT NULL AND replaced = 0;
CREATE INDEX items_round ON items (job, round, ordinal, slot) WHERE round > 1 AND replaced = 0;
