-- What a gate's params stand for, defaults included, as a JSON object: a reload of
-- the rules must not change the queries of a gate that is open.
ALTER TABLE gates ADD COLUMN params TEXT NOT NULL DEFAULT '{}';
