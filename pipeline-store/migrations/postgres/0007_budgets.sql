-- What jobs, and the jobs of owners together, may spend. There is a row only where a budget was set.

CREATE TABLE budgets (
    key      text   NOT NULL COLLATE "C" PRIMARY KEY, -- job:ID or owner:NAME
    amount   bigint NOT NULL,
    spent    bigint NOT NULL,                     -- what settled calls have cost
    reserved bigint NOT NULL,                     -- what open and unknown calls may cost at most
    wanted   bigint                               -- NULL: open; what was refused, -1 where nobody knows that
);

CREATE INDEX jobs_owner ON jobs (owner, id);
CREATE INDEX budgets_closed ON budgets (key) WHERE wanted IS NOT NULL;
