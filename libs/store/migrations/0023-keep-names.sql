-- What DNS was last seen to hold: null = surely nothing, {"kind": "unknown"} = a call was begun and its end is not known,
-- else what was accepted.

-- The cell's own name: {"kind": "present", "values": ["203.0.113.7"]}.
alter table cells add column name_observed jsonb;
-- The namespace's, which points at the cell's: {"kind": "present", "target": "cell-….cells.example.com"}.
alter table namespaces add column name_observed jsonb;
