-- Which segments count. A file that has no row here does not exist; its groups are in the journal.

create table segment (
  segment_id integer primary key,
  -- The commit groups whose events it holds. Those of all rows follow on each other, from the first group on.
  first_group integer not null,
  last_group integer not null,
  -- How often its events were merged.
  level integer not null,
  rows integer not null,
  bytes integer not null,
  sha256 blob not null,
  index_bytes integer not null,
  index_sha256 blob not null
) strict;

-- The idempotency keys of groups that are sealed, until their time is over. See src/sealed_keys.rs.
create table sealed_keys (
  last_group integer primary key,
  -- The uptime of the last group, in seconds.
  uptime integer not null,
  body blob not null
) strict;
