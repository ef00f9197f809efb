-- Answers are used again, and calls are added up by model and by what was asked.

ALTER TABLE calls ADD COLUMN model text;
ALTER TABLE calls ADD COLUMN prompt text;              -- shortened
ALTER TABLE results ADD COLUMN reused uuid;            -- the call of another job whose answer it is made of

CREATE INDEX calls_request ON calls (request) WHERE state = 'succeeded';
CREATE INDEX results_reused ON results (item) WHERE reused IS NOT NULL;
