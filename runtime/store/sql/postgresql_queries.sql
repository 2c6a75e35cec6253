-- The statements of the PostgreSQL store, by name. {mail} stands for the columns of the table mail (see columns.py), and
-- {consumed} and the like for arrays of parameters as rows (see runtime/store/postgresql/statements.py).

-- name: commit
-- A whole plan, or nothing of it. All parts look at one snapshot, and none sees what another writes; so no two touch the
-- same rows, with one exception: what is removed may be posted anew, and for that `posted` waits for `consumed` and
-- `given_up`. Rows come in the order in which every node locks them. When a count is not the expected one, the cast at
-- the end fails and undoes everything; its error tells the counts.
with fenced as materialized (
  select 1 from committers where name = $1 and generation = $2 for share
), updated as (
  update actors set {set_actors} from {updated}
  where actors.kind = wanted.kind and actors.key = wanted.key
    and actors.revision = wanted.was_revision and actors.last_id = wanted.was_last_id
  returning 1
), inserted as (
  insert into actors ({actors}) select {actors} from {inserted} on conflict do nothing returning 1
), consumed as (
  delete from mail using {consumed}
  where mail.kind = wanted.kind and mail.shard = wanted.shard and mail.key = wanted.key and mail.id = wanted.id
    and mail.parked = ''
  returning 1
), given_up as (
  delete from mail using {given_up}
  where mail.kind = wanted.kind and mail.shard = wanted.shard and mail.key = wanted.key and mail.id = wanted.id
  returning 1
), rescheduled as (
  update mail set due_at_s = wanted.due_at_s, attempts = wanted.attempts, parked = wanted.parked,
    parked_at_s = wanted.parked_at_s
  from {rescheduled}
  where mail.kind = wanted.kind and mail.shard = wanted.shard and mail.key = wanted.key and mail.id = wanted.id
    and (mail.parked = '' or not wanted.is_turn)
  returning 1
), handled as (
  insert into history ({history}) select {history} from {handled} on conflict do nothing returning 1
), posted as (
  insert into mail ({mail}) select {mail} from {posted}
  where (select count(*) from consumed) + (select count(*) from given_up) >= 0
    and not exists (
      select 1 from history where history.conversation = wanted.conversation and history.id = wanted.id
    )
  on conflict do nothing returning conversation, id, sequence
), waiting as (
  -- A question for each command, and no join: a plan that is made while few commands wait would read all of them.
  select count((
    select 1 from mail where mail.sequence = 0 and mail.conversation = wanted.conversation and mail.id = wanted.id
  )) as commands from {commands}
), counts as (
  select (select count(*) from fenced) as fenced,
    (select count(*) from updated) + (select count(*) from inserted) as turned,
    (select count(*) from consumed) + (select count(*) from given_up) + (select count(*) from rescheduled)
      + (select count(*) from handled) as done,
    (select count(*) from posted) as posted,
    (select commands from waiting) as commands,
    -- The second look: a copy may have waited for the very turn that handled its original, which this snapshot lacks.
    (select count(*) from posted where sequence = 0 and is_handled(conversation, id)) as late
)
select case when (fenced, turned, done, late, commands) = (1, $3::bigint, $4::bigint, 0, 0)
    and posted >= $5::bigint then 0
  else cast('amends ' || fenced || ' ' || turned || ' ' || done || ' ' || late as integer) end
from counts;

-- name: enlist
-- Make or mend the row that every commit of an open store locks.
insert into committers (name, generation, since_s) values ($1, $2, {now})
on conflict (name) do update set generation = greatest(committers.generation, excluded.generation)
returning generation;

-- name: outrun
-- Raise the generation. This waits for a commit that has locked the row, and stops one that has not yet.
insert into committers (name, generation, since_s) values ($1, $2, {now})
on conflict (name) do update set generation = greatest(committers.generation + 1, excluded.generation)
returning generation;

-- name: dismiss
delete from committers where name = $1 or since_s < {now} - $2;

-- name: load
select {actors} from unnest($1::text[], $2::text[]) as wanted (kind, key)
join actors using (kind, key);

-- name: handled
select {history} from unnest($1::bytea[], $2::bytea[]) as wanted (conversation, id)
join history using (conversation, id);

-- name: find_mail
select kind, shard, key, id, due_at_s, attempts, parked
from unnest($1::text[], $2::integer[], $3::text[], $4::bytea[]) as wanted (kind, shard, key, id)
join mail using (kind, shard, key, id);

-- name: waiting
-- What sweepers look for. Ends of ties between senders are settled by id, so that every store gives one order.
select {mail} from mail
where kind = $1 and shard = any($2::integer[]) and parked = '' and due_at_s <= $3 and sent_at_s <= $4
order by sent_at_s, sequence, id, key, shard limit $5;

-- name: waiting_after
select {mail} from mail
where kind = $1 and shard = any($2::integer[]) and parked = '' and due_at_s <= $3 and sent_at_s <= $4
  and (sent_at_s, sequence, id, key, shard)
    > ($6::double precision, $7::bigint, $8::bytea, $9::text collate "C", $10::integer)
order by sent_at_s, sequence, id, key, shard limit $5;

-- name: waiting_for
select {mail} from mail where kind = $1 and shard = $2 and key = $3 order by sent_at_s, sequence, id limit $4;

-- name: due
-- The first of each shard, in the order of the index: else all that are due would be read and sorted to give a few.
select {actors} from unnest($2::integer[]) as wanted(number) cross join lateral (
  select * from actors where kind = $1 and shard = wanted.number and due_at_s <= $3 order by due_at_s, key limit $4
) as actors
order by due_at_s, key limit $4;

-- name: mail_of
select {mail} from mail where kind = $1 and shard = $2 and key = $3 and id = $4;

-- name: old_conversations
-- Those of the next $2 rows behind $1, in order: how many rows each has, when it was handled last, and whether one comes
-- behind it.
with looked_at as (
  select conversation from history where conversation > $1 order by conversation limit $2
), conversations as (
  select distinct conversation from looked_at
)
select conversations.conversation, max(handled_at_s),
  exists (select 1 from history as next where next.conversation > conversations.conversation)
from conversations join history on history.conversation = conversations.conversation
group by conversations.conversation order by conversations.conversation;

-- name: forget
-- Those of the given conversations that have no row handled since, no mail, and no timer.
with live as (
  select conversation from mail where conversation = any($1::bytea[])
  union select conversation from actors where due_at_s is not null and conversation = any($1::bytea[])
  union select decode(other, 'hex')
  from actors, jsonb_array_elements_text(timer_conversations::jsonb) as other
  where due_at_s is not null and timer_conversations <> '' and decode(other, 'hex') = any($1::bytea[])
), old as (
  select wanted.conversation from unnest($1::bytea[]) as wanted (conversation)
  where wanted.conversation not in (select conversation from live) and not exists (
    select 1 from history where history.conversation = wanted.conversation and handled_at_s >= $2
  )
), gone as (
  delete from history using old where history.conversation = old.conversation returning 1
)
select count(*) from gone;

-- name: conversation
select {history} from history where conversation = $1 order by handled_at_s, id;

-- name: mail_of_conversation
select {mail} from mail where conversation = $1 order by sent_at_s, sequence, id, kind, key, shard;

-- name: handled_in
-- One pass over the conversation. An index on its instants would cost every commit.
select {history} from history
where conversation = $1 and (handled_at_s, id) > ($8, $9)
  and ($2 = '' or ((kind = $2 or starts_with(sender, $2 || '/')) and $3 = '')
    or (kind = $2 and key = $3) or ($3 <> '' and sender = $4))
  and ($5 = '' or type = $5 or right(type, length($5) + 1) = '.' || $5)
  and ($6 = '' or strpos(lower(error), lower($6)) > 0) and (not $7 or error <> '')
order by handled_at_s, id limit $10;

-- name: handled_in_newest_first
select {history} from history
where conversation = $1 and (handled_at_s, id) < ($8, $9)
  and ($2 = '' or ((kind = $2 or starts_with(sender, $2 || '/')) and $3 = '')
    or (kind = $2 and key = $3) or ($3 <> '' and sender = $4))
  and ($5 = '' or type = $5 or right(type, length($5) + 1) = '.' || $5)
  and ($6 = '' or strpos(lower(error), lower($6)) > 0) and (not $7 or error <> '')
order by handled_at_s desc, id desc limit $10;

-- name: conversation_size
select (select count(*) from history where conversation = $1),
  count(*) filter (where parked = ''), count(*) filter (where parked <> '')
from mail where conversation = $1;

-- name: mail_in
select {mail} from mail where conversation = $1 order by sent_at_s, sequence, id, kind, key, shard limit $2;

-- name: mail_in_after
select {mail} from mail
where conversation = $1 and (sent_at_s, sequence, id, kind, key, shard) > ($3, $4, $5, $6, $7, $8)
order by sent_at_s, sequence, id, kind, key, shard limit $2;

-- name: forget_record
delete from actors where kind = $1 and key = $2 and revision = $3 and last_id = $4;

-- name: dead_letters
select {mail} from mail where parked <> '' and (id, kind, key, shard) > ($1, $2, $3, $4)
order by id, kind, key, shard limit $5;

-- name: handled_of
select {history} from history
where kind || '/' || type = any($1::text[]) and (conversation, id) > ($2, $3) order by conversation, id limit $4;

-- name: mail_with_key
select distinct kind, shard from mail where key = $1 order by kind, shard;

-- name: actors_with_key
-- Each kind by one seek in the index of the key, instead of a pass over all actors.
with recursive known (kind) as (
  (select kind from actors order by kind limit 1)
  union all
  select (select actors.kind from actors where actors.kind > known.kind order by actors.kind limit 1)
  from known where known.kind is not null
)
select {actors} from known join actors using (kind) where key = $1 order by kind;

-- name: actors
select {actors} from actors where kind = $1 and key > $2 order by key limit $3;

-- name: every_actor
select {actors} from actors where (kind, key) > ($1, $2) order by kind, key limit $3;

-- name: every_mail
select {mail} from mail where (kind, shard, key, id) > ($1, $2, $3, $4) order by kind, shard, key, id limit $5;

-- name: every_handled
select {history} from history where (conversation, id) > ($1, $2) order by conversation, id limit $3;

-- name: timed
-- Each pair of kind and shard by one seek in the index `actors_due`, which has the rows of a pair in the order in which
-- they are due. The rows themselves are read for the page alone.
with recursive slices (kind, shard) as (
  (select kind, shard from actors where due_at_s is not null order by kind, shard limit 1)
  union all
  select next.kind, next.shard from slices cross join lateral (
    select kind, shard from actors
    where due_at_s is not null and (actors.kind, actors.shard) > (slices.kind, slices.shard)
    order by kind, shard limit 1
  ) as next
), page as (
  select due.kind, due.key from slices cross join lateral (
    select due_at_s, actors.kind, key from actors
    where actors.kind = slices.kind and actors.shard = slices.shard and due_at_s between $4 and $3
      and starts_with(key, $2)
      and (due_at_s, actors.kind, key) > ($4::double precision, $5::text collate "C", $6::text collate "C")
    order by due_at_s, key limit $7
  ) as due
  where cardinality($1::text[]) = 0 or slices.kind = any($1::text[])
  order by due_at_s, due.kind, key limit $7
)
select {actors} from page join actors using (kind, key) order by due_at_s, kind, key;

-- name: join
-- Nothing is written, and nothing given, when a row of that name and another incarnation has a lease.
insert into nodes ({nodes}) values ($1, $2, $3, $4, $5, {now} + $6, $6, $7, $8)
on conflict (name) do update
set incarnation = excluded.incarnation, address = excluded.address, kinds = excluded.kinds,
  version = excluded.version, lease_until_s = excluded.lease_until_s, lease_s = excluded.lease_s,
  clock_off_s = excluded.clock_off_s, carries = excluded.carries
where nodes.incarnation in (excluded.incarnation, $9) or nodes.lease_until_s <= {now}
returning 1;

-- name: node
select to_jsonb(nodes)::text from nodes where name = $1;

-- name: renew
update nodes set lease_until_s = {now} + $3,
  lease_s = case when $4::double precision is null then lease_s else $3 end,
  clock_off_s = coalesce($4::double precision, clock_off_s)
where name = $1 and incarnation = $2 returning 1;

-- name: leave
with gone as (
  delete from nodes where name = $1 and incarnation = $2 returning name, incarnation
), forgotten as (
  delete from busy using gone where busy.node = gone.name and busy.incarnation = gone.incarnation
), owned as (
  select kind, shard from shards join gone on owner = gone.name order by kind, shard for update of shards
), given_up as (
  update shards set owner = '', epoch = epoch + 1, died = '' from owned
  where shards.kind = owned.kind and shards.shard = owned.shard
)
select 1 from gone;

-- name: evict
with gone as (
  delete from nodes where name = $1 and incarnation = $2 and lease_until_s <= {now} returning name, incarnation
), owned as (
  select kind, shard, gone.name || '@' || incarnation as died from shards join gone on owner = gone.name
  order by kind, shard for update of shards
), given_up as (
  update shards set owner = '', epoch = epoch + 1, died = owned.died from owned
  where shards.kind = owned.kind and shards.shard = owned.shard
)
select 1 from gone;

-- name: assign
-- Each shard once, in the order in which every node locks them. A shard without a row has epoch 0.
insert into shards (kind, shard, owner, epoch, died)
select wanted.kind, wanted.shard, wanted.owner, wanted.epoch + 1, ''
from unnest($1::text[], $2::integer[], $3::text[], $4::bigint[]) as wanted (kind, shard, owner, epoch)
where wanted.epoch = 0 or exists (
  select 1 from shards as known where known.kind = wanted.kind and known.shard = wanted.shard
)
on conflict (kind, shard) do update
set owner = excluded.owner, epoch = excluded.epoch,
  died = case when shards.owner in ('', excluded.owner) then shards.died else '' end
where shards.epoch = excluded.epoch - 1
returning kind, shard;

-- name: subscribe
with gone as (
  delete from subscriptions where kind = $1 and place >= cardinality($2::integer[])
)
insert into subscriptions (kind, place, event_type, key_field, process, starts, where_field, where_value)
select $1, wanted.* from unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::text[])
  as wanted (place, event_type, key_field, process, starts, where_field, where_value)
on conflict (kind, place) do update
set event_type = excluded.event_type, key_field = excluded.key_field, process = excluded.process,
  starts = excluded.starts, where_field = excluded.where_field, where_value = excluded.where_value;

-- name: keep_definitions
insert into definitions ({definitions})
select {definitions} from unnest($1::text[], $2::text[], $3::double precision[], $4::bytea[]) as wanted ({definitions})
on conflict do nothing;

-- name: keep_proofs
insert into proofs ({proofs})
select {proofs}
from unnest($1::text[], $2::text[], $3::double precision[], $4::bytea[], $5::text[], $6::bytea[])
  as wanted ({proofs})
on conflict do nothing;

-- name: drop_old_proofs
with aged as (
  select kind, version, made_at_s, id,
    row_number() over (partition by kind, version, result order by made_at_s desc, id desc) as place
  from proofs
)
delete from proofs using aged
where aged.place > $1 and (proofs.kind, proofs.version, proofs.made_at_s, proofs.id)
  = (aged.kind, aged.version, aged.made_at_s, aged.id);

-- name: proofs
select {proofs} from proofs
where ($1 = '' or version = $1) and (kind, version, made_at_s, id) > ($2, $3, $4, $5)
order by kind, version, made_at_s, id limit $6;

-- name: kind_names
select name, kind from kind_names;

-- name: keep_kind_names
-- Those that are new, unless one of all is kept with another value. Where another session keeps one of them at the same
-- time, the key is violated and nothing is written; whoever asks looks again.
with wanted as materialized (select name, kind from unnest($1::text[], $2::text[]) as given (name, kind))
insert into kind_names (name, kind)
select name, kind from wanted
where not exists (select from kind_names as old where old.name = wanted.name)
  and not exists (
    select from kind_names as old join wanted as its on its.name = old.name where its.kind <> old.kind
  )
order by name;

-- name: definitions
select {definitions} from definitions order by kind, kept_at_s, version;

-- name: cluster
-- All of membership as it was at one instant. The clock is read with it.
select jsonb_build_object(
  'now_s', {now},
  'nodes', (select jsonb_agg(to_jsonb(nodes) order by name) from nodes),
  'shards', (select jsonb_agg(to_jsonb(shards) order by kind, shard) from shards),
  'subscriptions',
    (select jsonb_agg(to_jsonb(subscriptions) order by event_type, kind, process, place) from subscriptions),
  'lived', (select value from meta where name = 'lived')
)::text;

-- name: now
select {now};

-- name: put_lived
insert into meta (name, value) values ('lived', $1) on conflict (name) do update set value = excluded.value;

-- name: lived
select value from meta where name = 'lived';

-- name: tell_busy
with gone as (
  delete from busy where until_s < $3 and (node, incarnation) <> ($1::text collate "C", $2::text collate "C")
)
insert into busy (node, incarnation, until_s, told) values ($1, $2, $4, $5)
on conflict (node, incarnation) do update set until_s = excluded.until_s, told = excluded.told;

-- name: forget_busy
delete from busy where (node = $1 and incarnation = $2) or until_s < $3;

-- name: busy
select told from busy order by node, incarnation;

-- name: summaries_by_progress
-- Each pair of kind and status by one seek in the index `actors_summary`, which has the rows of a pair in the order of
-- their progress: so a page costs what it shows, however many rows there are.
with recursive groups (kind, status) as (
  (select kind, status from actors where status is not null order by kind, status limit 1)
  union all
  select next.kind, next.status from groups cross join lateral (
    select kind, status from actors
    where status is not null and (actors.kind, actors.status) > (groups.kind, groups.status)
    order by kind, status limit 1
  ) as next
)
select page.kind, page.key, page.shard, (
    select count(*) from mail
    where mail.kind = page.kind and mail.shard = page.shard and mail.key = page.key and mail.parked <> ''
  ), page.status, step, version, started_at_s, progressed_at_s, error, owed_at_s, unknown_at_s
from groups cross join lateral (
  select * from actors
  where actors.kind = groups.kind and actors.status = groups.status
    and (progressed_at_s, actors.kind, key) > ($14::double precision, $15::text collate "C", $16::text collate "C")
    and progressed_at_s <= $6 and started_at_s <= $7 and starts_with(key, $3)
    and ($4 = '' or position(', ' || $4 || ', ' in ', ' || step || ', ') > 0)
    and ($5 = '' or position(lower($5 collate "C") in lower(error)) > 0)
    and ($8::text[] is null or actors.kind || '/' || version <> all($8::text[]))
    and (not $11::boolean or owed_at_s is not null) and (not $12::boolean or unknown_at_s is not null)
    and (not $9::boolean or exists (
      select 1 from mail
      where mail.kind = actors.kind and mail.shard = actors.shard and mail.key = actors.key and mail.parked <> ''
    ))
  order by progressed_at_s, key limit $13
) as page
where ($1 = '' or groups.kind = $1) and (cardinality($2::text[]) = 0 or groups.status = any($2::text[]))
  and groups.status <> all($10::text[])
order by progressed_at_s, page.kind, key limit $13;

-- name: summaries_by_key
-- The same, in an order in which nothing moves from page to page.
with recursive groups (kind, status) as (
  (select kind, status from actors where status is not null order by kind, status limit 1)
  union all
  select next.kind, next.status from groups cross join lateral (
    select kind, status from actors
    where status is not null and (actors.kind, actors.status) > (groups.kind, groups.status)
    order by kind, status limit 1
  ) as next
)
select page.kind, page.key, page.shard, (
    select count(*) from mail
    where mail.kind = page.kind and mail.shard = page.shard and mail.key = page.key and mail.parked <> ''
  ), page.status, step, version, started_at_s, progressed_at_s, error, owed_at_s, unknown_at_s
from groups cross join lateral (
  select * from actors
  where actors.kind = groups.kind and actors.status = groups.status
    and (actors.kind, key) > ($14::text collate "C", $15::text collate "C")
    and progressed_at_s <= $6 and started_at_s <= $7 and starts_with(key, $3)
    and ($4 = '' or position(', ' || $4 || ', ' in ', ' || step || ', ') > 0)
    and ($5 = '' or position(lower($5 collate "C") in lower(error)) > 0)
    and ($8::text[] is null or actors.kind || '/' || version <> all($8::text[]))
    and (not $11::boolean or owed_at_s is not null) and (not $12::boolean or unknown_at_s is not null)
    and (not $9::boolean or exists (
      select 1 from mail
      where mail.kind = actors.kind and mail.shard = actors.shard and mail.key = actors.key and mail.parked <> ''
    ))
  order by key limit $13
) as page
where ($1 = '' or groups.kind = $1) and (cardinality($2::text[]) = 0 or groups.status = any($2::text[]))
  and groups.status <> all($10::text[])
order by page.kind, key limit $13;

-- name: summary_counts
select kind, status, count(*) from actors where status is not null group by kind, status order by kind, status;

-- name: tallies
-- Each group by seeks along an index, which has its rows in the order of their instants. A count ends at its limit.
-- The clock is read once: a seek cannot end at an instant that may be another one for each row.
with recursive clock (now_s) as materialized (select {now}), groups (kind, status) as (
  (select kind, status from actors where status is not null order by kind, status limit 1)
  union all
  select next.kind, next.status from groups cross join lateral (
    select kind, status from actors
    where status is not null and (actors.kind, actors.status) > (groups.kind, groups.status)
    order by kind, status limit 1
  ) as next
), kinds_of_mail (kind) as (
  (select kind from mail order by kind limit 1)
  union all
  select next.kind from kinds_of_mail cross join lateral (
    select kind from mail where mail.kind > kinds_of_mail.kind order by kind limit 1
  ) as next
), kinds (kind) as (select distinct kind from groups), slices (kind, shard) as (
  (select kind, shard from actors where due_at_s is not null order by kind, shard limit 1)
  union all
  select next.kind, next.shard from slices cross join lateral (
    select kind, shard from actors
    where due_at_s is not null and (actors.kind, actors.shard) > (slices.kind, slices.shard)
    order by kind, shard limit 1
  ) as next
)
select 'now' as what, '' as kind, '' as status, 0::bigint as count, now_s as oldest_at_s from clock
union all
select 'status', kind, status, 0, 0 from groups
union all
select 'standing', groups.kind, groups.status, found.* from groups cross join lateral (
  select count(*), min(progressed_at_s) from (
    select progressed_at_s from actors where actors.kind = groups.kind and actors.status = groups.status
    order by progressed_at_s limit $2
  ) as first
) as found where groups.status <> all($1::text[])
union all
select 'owed', kinds.kind, '', found.* from kinds cross join lateral (
  select count(*), min(owed_at_s) from (
    select owed_at_s from actors where actors.kind = kinds.kind and owed_at_s is not null order by owed_at_s limit $2
  ) as first
) as found
union all
select 'unknown', kinds.kind, '', found.* from kinds cross join lateral (
  select count(*), min(unknown_at_s) from (
    select unknown_at_s from actors
    where actors.kind = kinds.kind and unknown_at_s is not null order by unknown_at_s limit $2
  ) as first
) as found
union all
select 'waiting', kinds_of_mail.kind, '', found.* from kinds_of_mail cross join lateral (
  select count(*), min(greatest(sent_at_s, due_at_s)) from (
    select sent_at_s, due_at_s, parked from mail
    where mail.kind = kinds_of_mail.kind order by shard, key, id limit $3
  ) as first where parked = ''
) as found
union all
select 'parked', kinds_of_mail.kind, '', found.* from kinds_of_mail cross join lateral (
  select count(*), min(parked_at_s) from (
    select parked_at_s from mail
    where mail.kind = kinds_of_mail.kind and parked <> '' order by parked_at_s limit $2
  ) as first
) as found
union all
select 'late', slices.kind, '', least(sum(found.count), $2), min(found.oldest_at_s) from slices cross join lateral (
  select count(*) as count, min(due_at_s) as oldest_at_s from (
    select due_at_s from actors
    where actors.kind = slices.kind and actors.shard = slices.shard and due_at_s <= (select now_s from clock)
    order by due_at_s limit $2
  ) as first
) as found group by slices.kind;

-- name: version_counts
select kind, version, status, count(*) from actors
where status is not null and (cardinality($1::text[]) = 0 or status = any($1::text[]))
group by kind, version, status order by kind, version, status;

-- name: server
-- What a server must be like. The timeline is in the name of the log's file, at once after a promotion.
select current_setting('server_version_num')::integer as version, current_setting('server_encoding') as encoding,
  current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
  current_setting('synchronous_commit') as synchronous_commit, pg_is_in_recovery() as is_standby,
  current_setting('transaction_read_only') as is_read_only, current_schema() as schema,
  case when pg_is_in_recovery() then '0' else left(pg_walfile_name(pg_current_wal_lsn()), 8) end as timeline;

-- name: settings
select name, setting from pg_settings where name = any($1::text[]);

-- name: columns
select table_name, column_name from information_schema.columns where table_schema = current_schema();

-- name: marks
select name, value from meta where name <> 'lived';

-- name: schema
select value from meta where name = 'schema';

-- name: schema_in_use
-- Nothing when the one that the URL names is not there yet. To make it takes a right that not every role has.
select current_schema();

-- name: cluster_id
select value from meta where name = 'cluster_id';

-- name: lock_schema
select value from meta where name = 'schema' for update;

-- name: put_mark
insert into meta (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value;

-- name: drop_mark
delete from meta where name = $1;
