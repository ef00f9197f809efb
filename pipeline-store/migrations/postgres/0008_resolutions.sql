-- What people have decided about calls of which nobody knows what became; JSON.

ALTER TABLE calls ADD COLUMN resolution text;
