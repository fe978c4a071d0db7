-- Since when a node's machine has been seen, and who may know: a node is one machine for ever, so that one which was seen and is
-- gone is dead, and another node takes its place.

alter table nodes
  -- When the driver first listed the machine: until then it may only be hidden still.
  add column seen_at timestamptz;
update nodes set seen_at = created_at where state <> 'deleted' and observed is not null;
