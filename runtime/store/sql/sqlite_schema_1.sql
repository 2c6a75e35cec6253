-- Version 1 of a store in SQLite. A later version is a file of its own, run after this one on new and old stores alike.

create table meta (
  name  text not null primary key,
  value text not null
) strict, without rowid;

-- One actor's current state. A rowid table on purpose: rows of one time share pages, whatever their keys, so a commit
-- over many actors writes about half the pages (and ran twice as fast) as with the rows inside the index on the key.
create table actors (
  kind         text    not null,
  key          text    not null,
  shard        integer not null,
  revision     integer not null,
  last_id      blob    not null,
  conversation blob    not null,
  state_type   text    not null,
  due_at_s     real,
  updated_at_s real    not null,
  timer_conversations text not null, -- a JSON array, or empty
  status          text, -- this and what follows: what a process tells of itself; null in every other row
  step            text,
  version         text,
  started_at_s    real,
  progressed_at_s real,
  error           text,
  owed_at_s       real,
  unknown_at_s    real,
  state        blob    not null, -- the long ones last: what stands behind them is read through all of them
  timers       blob    not null,
  primary key (kind, key)
) strict;

-- What sweepers and listings of timers read, in their order. The key is in it: a listing by the beginning of keys reads
-- the rows that it shows, and no others.
create index actors_due on actors (kind, shard, due_at_s, key) where due_at_s is not null;

-- What listings read, in their order. Processes that stand alike and moved last lie together: a turn changes one page.
create index actors_summary on actors (kind, status, progressed_at_s, key) where status is not null;

-- What is counted for whoever watches the store. Nearly all processes owe nothing, and pay for neither.
create index actors_owed on actors (kind, owed_at_s) where owed_at_s is not null;
create index actors_unknown on actors (kind, unknown_at_s) where unknown_at_s is not null;

-- Messages that wait. Nearly empty while all goes well, so no second index has to be paid for on each insert and delete.
create table mail (
  kind         text    not null,
  key          text    not null,
  shard        integer not null,
  id           blob    not null,
  conversation blob    not null,
  sent_at_s    real    not null,
  sequence     integer not null,
  due_at_s     real    not null,
  attempts     integer not null,
  parked       text    not null,
  parked_at_s  real    not null,
  envelope     blob    not null,
  primary key (kind, shard, key, id)
) strict, without rowid;

-- An id that a client gave waits for one actor only. What actors send has a sequence, and pays for nothing here.
create unique index mail_posted on mail (conversation, id) where sequence = 0;

-- Dead letters, for whoever counts them.
create index mail_parked on mail (kind, parked_at_s) where parked <> '';

-- Texts that stand in very many rows of history, which has their numbers.
create table names (
  number integer primary key,
  name   text not null unique
) strict;

-- Messages that were handled. Ids begin with the time, so rows arrive nearly in order; the one tree is the
-- deduplication and the conversation's log at once.
create table history (
  conversation blob    not null,
  id           blob    not null,
  kind         integer not null, -- a number of `names`, like outcome, node and type
  key          text    not null,
  shard        integer not null,
  revision     integer not null,
  handled_at_s real    not null,
  outcome      integer not null,
  attempts     integer not null,
  node         integer not null,
  error        text    not null,
  type         integer not null,
  sender       any     not null, -- KIND/KEY or nothing; the number of KIND where the key is the row's own
  cause        blob    not null,
  sent_at_s    real    not null,
  caused       blob    not null,
  primary key (conversation, id)
) strict, without rowid;

create table subscriptions (
  event_type  text    not null,
  kind        text    not null,
  key_field   text    not null,
  process     text    not null,
  starts      integer not null,
  where_field text    not null,
  where_value text    not null
) strict;

-- What each version of a kind is that actors were ever begun with.
create table definitions (
  kind      text not null,
  version   text not null,
  kept_at_s real not null,
  body      blob not null,
  primary key (kind, version)
) strict;

-- What runs of tests have proven of a version, or broken. A rowid table: bodies stay out of the way of the keys.
create table proofs (
  kind      text not null,
  version   text not null,
  made_at_s real not null,
  id        blob not null,
  result    text not null,
  body      blob not null,
  primary key (kind, version, made_at_s, id)
) strict;

-- What the screen of one saga asks for.
create index proofs_version on proofs (version);

-- What each name of a kind stands for: the name that the kind had first, by which all other tables know it.
create table kind_names (
  name text not null primary key,
  kind text not null
) strict, without rowid;

create table nodes (
  name          text not null primary key,
  incarnation   text not null,
  address       text not null,
  kinds         text not null, -- a JSON array
  version       text not null,
  lease_until_s real not null
) strict, without rowid;

create table shards (
  kind  text    not null,
  shard integer not null,
  owner text    not null,
  epoch integer not null,
  primary key (kind, shard)
) strict, without rowid;
