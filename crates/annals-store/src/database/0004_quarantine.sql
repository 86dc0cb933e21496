-- Stretches of segments that are not as they were written. Nothing is read from them until they are again.

create table quarantine (
  segment_id integer not null,
  slot integer not null,
  -- Positions and rows of the file, each from the first to one past the last.
  first integer not null,
  "end" integer not null,
  first_row integer not null,
  end_row integer not null,
  -- Microseconds since the epoch.
  since integer not null,
  reason text not null,
  primary key (segment_id, slot, first)
) strict, without rowid;

-- How far the scrubber is, so that a restart does not begin its round again. At most one row.
create table scrub (
  id integer primary key check (id = 0),
  -- When the last full round ended, if there was one, and when the present one began, if one is going on.
  finished_at integer,
  began_at integer,
  -- The present round: the last commit group that it reads, the last one that it has read, and where it is
  -- in the segment behind that.
  until_group integer not null,
  through_group integer not null,
  segment_id integer not null,
  page integer not null
) strict;
