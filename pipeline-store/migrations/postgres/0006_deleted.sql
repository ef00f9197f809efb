-- Deleted jobs: nobody sees them. Their rows are removed in steps; one stays where calls of it have cost something.

ALTER TABLE jobs ADD COLUMN deleted bigint;       -- 1: rows of it are left to be removed; 2: only its calls are left

CREATE INDEX jobs_deleted ON jobs (id) WHERE deleted = 1;
CREATE INDEX names_job ON names (job);
