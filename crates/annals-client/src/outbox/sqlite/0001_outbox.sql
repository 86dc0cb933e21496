-- What waits to be delivered to Annals. Rows are numbered in the order of their transactions' commits, because SQLite has one
-- writer; a number is never given twice.
create table if not exists annals_outbox (
  seq integer primary key autoincrement,
  workspace text not null,
  kind integer not null,          -- 0 an organization, 1 an event
  event_id text not null,         -- empty for an organization
  recorded_at integer not null,   -- microseconds since 1970
  body text not null              -- JSON
) strict;
-- Organizations go first, however many events wait before them.
create index if not exists annals_outbox_organization on annals_outbox (seq) where kind = 0;

-- What Annals refused, until somebody retries or discards it.
create table if not exists annals_outbox_parked (
  seq integer primary key,
  workspace text not null,
  kind integer not null,
  event_id text not null,
  recorded_at integer not null,
  body text not null,
  parked_at integer not null,
  reason text not null
) strict;

-- How many events a full outbox dropped and has not told of yet.
create table if not exists annals_outbox_gap (
  workspace text primary key,
  dropped integer not null,
  first_at integer not null,
  last_at integer not null
) strict, without rowid;

-- Which relay leads, and until when.
create table if not exists annals_outbox_lead (
  one integer primary key check (one = 1),
  holder text not null,
  until integer not null
) strict;
insert or ignore into annals_outbox_lead (one, holder, until) values (1, '', 0);

-- The newest checkpoint of each workspace's log, where receipts are kept.
create table if not exists annals_outbox_checkpoint (
  workspace text primary key,
  kept text not null
) strict, without rowid;
