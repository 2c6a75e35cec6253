-- Version 1 of a store in PostgreSQL. A later version is a file of its own, run after this one on new and old stores
-- alike. Old and new nodes run on one store for a while: a step only adds, and what nobody uses any more goes in the
-- step after that.
--
-- Text is compared by its bytes (COLLATE "C"), as in every other store. There are no foreign keys, triggers and
-- sequences: no row is locked that a statement does not name.

create table meta (
  name  text collate "C" not null primary key,
  value text not null
);

-- One row for each open store that commits. Every commit locks its own row, and demands its own generation: a commit
-- that nobody knows the outcome of can be outrun by raising the generation. Rows are few, and never updated otherwise.
create table committers (
  name       text collate "C"  not null primary key,
  generation bigint            not null,
  since_s    double precision  not null
);

-- One actor's current state.
create table actors (
  kind                text collate "C" not null,
  key                 text collate "C" not null,
  shard               integer          not null,
  revision            bigint           not null,
  last_id             bytea            not null,
  conversation        bytea            not null,
  state_type          text collate "C" not null,
  state               bytea            not null,
  timers              bytea            not null,
  due_at_s            double precision,
  updated_at_s        double precision not null,
  timer_conversations text collate "C" not null, -- a JSON array, or empty
  status              text collate "C", -- this and what follows: what a process tells of itself; else null
  step                text collate "C",
  version             text collate "C",
  started_at_s        double precision,
  progressed_at_s     double precision,
  error               text collate "C",
  owed_at_s           double precision,
  unknown_at_s        double precision,
  primary key (kind, key)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

-- What sweepers and listings of timers read, in their order. The key is in it: a listing by the beginning of keys reads
-- the rows that it shows, and no others.
create index actors_due on actors (kind, shard, due_at_s, key) where due_at_s is not null;

-- What listings read, in their order.
create index actors_summary on actors (kind, status, progressed_at_s, key) where status is not null;

-- What is counted for whoever watches the store. Nearly all processes owe nothing, and pay for neither.
create index actors_owed on actors (kind, owed_at_s) where owed_at_s is not null;
create index actors_unknown on actors (kind, unknown_at_s) where unknown_at_s is not null;

-- Messages that wait. Nearly empty while all goes well, and every row is soon dead: vacuumed early and often.
create table mail (
  kind         text collate "C" not null,
  key          text collate "C" not null,
  shard        integer          not null,
  id           bytea            not null,
  conversation bytea            not null,
  sent_at_s    double precision not null,
  sequence     bigint           not null,
  due_at_s     double precision not null,
  attempts     integer          not null,
  parked       text collate "C" not null,
  parked_at_s  double precision not null,
  envelope     bytea            not null,
  primary key (kind, shard, key, id)
) with (
  autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_cost_delay = 0
);

-- An id that a client gave waits for one actor only. What actors send has a sequence, and pays for nothing here.
create unique index mail_posted on mail (conversation, id) where sequence = 0;

-- Dead letters, for whoever counts them.
create index mail_parked on mail (kind, parked_at_s) where parked <> '';

-- Messages that were handled. The key is the deduplication and the conversation's log at once.
create table history (
  conversation bytea            not null,
  id           bytea            not null,
  kind         text collate "C" not null,
  key          text collate "C" not null,
  shard        integer          not null,
  revision     bigint           not null,
  handled_at_s double precision not null,
  outcome      text collate "C" not null,
  attempts     integer          not null,
  node         text collate "C" not null,
  error        text collate "C" not null,
  type         text collate "C" not null,
  sender       text collate "C" not null,
  cause        bytea            not null,
  sent_at_s    double precision not null,
  caused       bytea            not null,
  primary key (conversation, id)
) with (autovacuum_vacuum_insert_scale_factor = 0.05);

-- Whether a message is in the history now: a volatile function looks at each call, and sees what others have committed
-- since the statement that calls it began.
create function is_handled(wanted_conversation bytea, wanted_id bytea) returns boolean language sql volatile
begin atomic
  select exists (select 1 from history where conversation = wanted_conversation and id = wanted_id);
end;

create table subscriptions (
  kind        text collate "C" not null,
  place       integer          not null, -- among the subscriptions of the kind, as it gave them
  event_type  text collate "C" not null,
  key_field   text collate "C" not null,
  process     text collate "C" not null,
  starts      boolean          not null,
  where_field text collate "C" not null,
  where_value text collate "C" not null,
  primary key (kind, place)
);

-- What each version of a kind is that actors were ever begun with.
create table definitions (
  kind      text collate "C" not null,
  version   text collate "C" not null,
  kept_at_s double precision not null,
  body      bytea            not null,
  primary key (kind, version)
);

-- What runs of tests have proven of a version, or broken.
create table proofs (
  kind      text collate "C" not null,
  version   text collate "C" not null,
  made_at_s double precision not null,
  id        bytea            not null,
  result    text collate "C" not null,
  body      bytea            not null,
  primary key (kind, version, made_at_s, id)
);

-- What the screen of one saga asks for.
create index proofs_version on proofs (version);

-- What each name of a kind stands for: the name that the kind had first, by which all other tables know it.
create table kind_names (
  name text collate "C" not null primary key,
  kind text collate "C" not null
);

-- These two are tiny and updated all the time: with room on each page, and no index on what changes, an update stays
-- on its page and needs no vacuum.
create table nodes (
  name          text collate "C"   not null primary key,
  incarnation   text collate "C"   not null,
  address       text collate "C"   not null,
  kinds         text[] collate "C" not null,
  version       text collate "C"   not null,
  lease_until_s double precision   not null, -- by the clock of the server
  lease_s       double precision   not null,
  clock_off_s   double precision   not null,
  carries       text[] collate "C" not null
) with (fillfactor = 50, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0.0);

create table shards (
  kind  text collate "C" not null,
  shard integer          not null,
  owner text collate "C" not null,
  epoch bigint           not null,
  died  text collate "C" not null, -- NAME@INCARNATION of the last evicted owner
  primary key (kind, shard)
) with (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.0);

-- What nodes are busy with, as text; nothing is decided by it.
create table busy (
  node        text collate "C"  not null,
  incarnation text collate "C"  not null,
  until_s     double precision  not null,
  told        text              not null,
  primary key (node, incarnation)
);
