-- The log. See src/journal.rs for what is inside of a group.

create table meta (
  name text primary key,
  value blob not null
) strict, without rowid;

-- One row per commit. The header comes first, so that reading it does not touch the body's pages.
create table journal (
  group_id integer primary key,
  header blob not null,
  body blob not null
) strict;

-- How far each log is, as of the group in meta 'applied_through'. Only so that a start is quick:
-- everything here follows from the journal.
create table log_state (
  slot integer primary key,
  size integer not null,
  recorded_at integer not null,
  frontier blob not null
) strict;

-- The seed of each run of 256 positions, and the hash over the run once it is complete.
create table tile (
  slot integer not null,
  tile integer not null,
  seed blob not null,
  hash blob,
  primary key (slot, tile)
) strict, without rowid;
