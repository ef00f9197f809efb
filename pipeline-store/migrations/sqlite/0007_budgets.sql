-- What jobs, and the jobs of owners together, may spend. There is a row only where a budget was set.

CREATE TABLE budgets (
    key      TEXT    NOT NULL PRIMARY KEY,        -- job:ID or owner:NAME
    amount   INTEGER NOT NULL,
    spent    INTEGER NOT NULL,                    -- what settled calls have cost
    reserved INTEGER NOT NULL,                    -- what open and unknown calls may cost at most
    wanted   INTEGER                              -- NULL: open; what was refused, -1 where nobody knows that
) STRICT, WITHOUT ROWID;

CREATE INDEX jobs_owner ON jobs (owner, id);
