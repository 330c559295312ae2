-- What a gate requires before it may pass with who attested it, a list; NULL where
-- nothing is required. And what a gate that only observes would say; NULL of a gate
-- that is obeyed, as every gate was before this version.

ALTER TABLE gates ADD COLUMN requires TEXT;
ALTER TABLE gates ADD COLUMN would TEXT;
