-- Who used the answer of a call, and which sending of it the ledger waits for.

-- The item has used the answer up: it serves no later try of it.
ALTER TABLE call_items ADD COLUMN used boolean NOT NULL DEFAULT false;
-- Random for each intent of the call: a failure of an earlier sending says nothing of a later one.
ALTER TABLE calls ADD COLUMN sending uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
