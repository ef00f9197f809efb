-- Leaves of each job by what `items.status` says, and settled stages times leaves: sums over `items`, so that nobody adds up
-- the items of a job. Triggers keep them: no statement can forget to.

CREATE TABLE counts (
    job    TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    status TEXT    NOT NULL,
    leaves INTEGER NOT NULL,
    steps  INTEGER NOT NULL,
    PRIMARY KEY (job, status)
) STRICT, WITHOUT ROWID;

INSERT INTO counts (job, status, leaves, steps)
    SELECT job, status, sum(leaves), sum(steps * leaves) FROM items GROUP BY job, status;

CREATE TRIGGER items_added AFTER INSERT ON items BEGIN
    INSERT INTO counts (job, status, leaves, steps) VALUES (new.job, new.status, new.leaves, new.steps * new.leaves)
        ON CONFLICT (job, status) DO UPDATE SET leaves = leaves + excluded.leaves, steps = steps + excluded.steps;
END;

CREATE TRIGGER items_changed AFTER UPDATE OF status, leaves, steps ON items
WHEN old.status <> new.status OR old.leaves <> new.leaves OR old.steps <> new.steps BEGIN
    UPDATE counts SET leaves = leaves - old.leaves, steps = steps - old.steps * old.leaves
        WHERE job = old.job AND status = old.status;
    INSERT INTO counts (job, status, leaves, steps) VALUES (new.job, new.status, new.leaves, new.steps * new.leaves)
        ON CONFLICT (job, status) DO UPDATE SET leaves = leaves + excluded.leaves, steps = steps + excluded.steps;
END;

CREATE TRIGGER items_removed AFTER DELETE ON items BEGIN
    UPDATE counts SET leaves = leaves - old.leaves, steps = steps - old.steps * old.leaves
        WHERE job = old.job AND status = old.status;
END;

-- Nothing is added up by it any more. One index has all items of a job, and it is of what never changes.
DROP INDEX items_count;
DROP INDEX items_place;
CREATE INDEX items_place ON items (job, ordinal, slot);
