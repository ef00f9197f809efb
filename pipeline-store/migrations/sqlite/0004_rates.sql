-- Which jobs ended lately: their last events count in the rates of the queue. Written once a job.

CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;
