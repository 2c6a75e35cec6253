-- The fixed statements of the SQLite store, by name. {mail} stands for the columns of the table mail (see columns.py),
-- {history} for those of history with names in place of their numbers (see names.py).
-- Statements over many rows are made by runtime/store/sqlite/statements.py.

-- name: handled
select {history} from history where conversation = ? and id = ?;

-- name: waiting
-- What sweepers look for. Ends of ties between senders are settled by id, so that every store gives one order.
select {mail} from mail
where kind = :kind and shard in (select value from json_each(:shards))
  and parked = '' and due_at_s <= :due_before_s and sent_at_s <= :sent_before_s
  and (:is_first or (sent_at_s, sequence, id, key, shard)
    > (:after_sent_at_s, :after_sequence, :after_id, :after_key, :after_shard))
order by sent_at_s, sequence, id, key, shard limit :limit;

-- name: waiting_for
select {mail} from mail where kind = :kind and shard = :shard and key = :key
order by sent_at_s, sequence, id limit :limit;

-- name: due
-- The first of each shard, in the order of the index: else all that are due would be read and sorted to give a few.
with wanted(number) as (select value from json_each(:shards))
select {actors} from wanted, actors
where actors.rowid in (
  select rowid from actors
  where kind = :kind and shard = wanted.number and due_at_s is not null and due_at_s <= :before_s
  order by due_at_s, key limit :limit)
order by due_at_s, key limit :limit;

-- name: mail_of
select {mail} from mail where kind = ? and shard = ? and key = ? and id = ?;

-- name: find_mail
select due_at_s, attempts, parked from mail where kind = ? and shard = ? and key = ? and id = ?;

-- name: mark_settled
-- Written before an unknown commit is judged: overwrites what the log may still hold of it.
insert into meta values ('settled', '1') on conflict do update set value = cast(value as integer) + 1;

-- name: old_conversations
select conversation, count(*), max(handled_at_s) from history
where conversation > :after group by conversation order by conversation;

-- name: live_conversations
-- Of the given (as hex), those that still have mail, an actor with a timer, or a timer of an actor that has others.
with wanted(conversation) as (select value from json_each(:conversations))
select hex(conversation) from mail where hex(conversation) in wanted
union
select hex(conversation) from actors where due_at_s is not null and hex(conversation) in wanted
union
select value from actors, json_each(actors.timer_conversations)
where due_at_s is not null and timer_conversations <> '' and value in wanted;

-- name: forget
delete from history where conversation = :conversation
  and not exists (select 1 from history where conversation = :conversation and handled_at_s >= :handled_before_s);

-- name: put_node
insert or replace into nodes ({nodes}) values (?, ?, ?, ?, ?, ?);

-- name: put_lease
-- The value is INCARNATION/LEASE_S/CLOCK_OFF_S. An older version reads the first number, and nothing behind it.
insert or replace into meta (name, value) values ('lease/' || ?, ? || '/' || ? || '/' || ?);

-- name: put_carries
-- The value is INCARNATION/JSON: what is left of an earlier life is not read.
insert or replace into meta (name, value) values ('carries/' || ?, ? || '/' || ?);

-- name: remove_lease
delete from meta where name in ('lease/' || :name, 'carries/' || :name);

-- name: put_busy
insert into meta (name, value) values ('busy/' || ? || '@' || ?, ?);

-- name: forget_busy
delete from meta where name = 'busy/' || :name || '@' || :incarnation;

-- name: forget_old_busy
delete from meta where name > 'busy/' and name < 'busy0' and json_extract(value, '$.until_s') < ?;

-- name: busy
select value from meta where name > 'busy/' and name < 'busy0'
order by json_extract(value, '$.node'), json_extract(value, '$.incarnation');

-- name: renew
update nodes set lease_until_s = :until_s where name = :name and incarnation = :incarnation;

-- name: remove_node
delete from nodes where name = :name and incarnation = :incarnation and lease_until_s <= :expired_at_s;

-- name: note_deaths
insert or replace into meta (name, value)
select 'died/' || kind || '/' || shard, :name || '@' || :incarnation from shards where owner = :name;

-- name: forget_notes
-- Of a node that leaves in order: whose shards were, and what it is busy with.
delete from meta where name in (select 'died/' || kind || '/' || shard from shards where owner = :name)
  or name = 'busy/' || :name || '@' || :incarnation;

-- name: forget_death
-- Of a shard that its owner gives up.
delete from meta where name = (
  select 'died/' || kind || '/' || shard from shards
  where kind = :kind and shard = :shard and epoch = :epoch and owner not in ('', :owner)
);

-- name: give_up_shards
update shards set owner = '', epoch = epoch + 1 where owner = :name;

-- name: assign
-- A shard without a row has epoch 0.
insert into shards ({shards})
select :kind, :shard, :owner, :epoch + 1
where :epoch = coalesce((select epoch from shards where kind = :kind and shard = :shard), 0)
on conflict do update set owner = excluded.owner, epoch = excluded.epoch;

-- name: unsubscribe
delete from subscriptions where kind = ?;

-- name: subscribe
insert into subscriptions ({subscriptions})
values (?, ?, ?, ?, ?, ?, ?);

-- name: keep_definition
insert or ignore into definitions ({definitions}) values (?, ?, ?, ?);

-- name: definitions
select {definitions} from definitions order by kind, kept_at_s, version;

-- name: keep_proof
insert or ignore into proofs ({proofs}) values (?, ?, ?, ?, ?, ?);

-- name: drop_old_proofs
with aged as (
  select rowid as number,
    row_number() over (partition by kind, version, result order by made_at_s desc, id desc) as place
  from proofs
)
delete from proofs where rowid in (select number from aged where place > ?);

-- name: proofs
select {proofs} from proofs
where (? = '' or version = ?) and (kind, version, made_at_s, id) > (?, ?, ?, ?)
order by kind, version, made_at_s, id limit ?;

-- name: kind_names
select name, kind from kind_names;

-- name: keep_kind_name
insert into kind_names (name, kind) values (?, ?);

-- name: nodes
-- All of them, or the one of a name; with what lies in `meta` beside them.
select {nodes}, coalesce((
    select substr(meta.value, length(nodes.incarnation) + 2)
    from meta
    where meta.name = 'lease/' || nodes.name and instr(meta.value, nodes.incarnation || '/') = 1
), ''), coalesce((
    select substr(meta.value, length(nodes.incarnation) + 2)
    from meta
    where meta.name = 'carries/' || nodes.name and instr(meta.value, nodes.incarnation || '/') = 1
), '')
from nodes where name = coalesce(:name, name) order by name;

-- name: shards
select {shards}, coalesce((
    select value from meta where name = 'died/' || shards.kind || '/' || shards.shard
), '')
from shards order by kind, shard;

-- name: subscriptions
select {subscriptions} from subscriptions order by event_type, kind, process, rowid;

-- name: conversation
select {history} from history where conversation = ? order by handled_at_s, id;

-- name: mail_of_conversation
select {mail} from mail where conversation = ? order by sent_at_s, sequence, id, kind, key, shard;

-- name: mail_in
select {mail} from mail
where conversation = :conversation and (:is_first or (sent_at_s, sequence, id, kind, key, shard)
  > (:after_sent_at_s, :after_sequence, :after_id, :after_kind, :after_key, :after_shard))
order by sent_at_s, sequence, id, kind, key, shard limit :limit;

-- name: forget_record
delete from actors where kind = ? and key = ? and revision = ? and last_id = ?;

-- name: dead_letters
select {mail} from mail where parked <> '' and (id, kind, key, shard) > (?, ?, ?, ?)
order by id, kind, key, shard limit ?;

-- name: handled_of
-- Of pairs of kind and type, as a JSON array of arrays. A pair of which a name has no number was never handled.
with wanted(kind, type) as (
  select kinds.number, types.number from json_each(?) as pair
  join names as kinds on kinds.name = pair.value ->> 0
  join names as types on types.name = pair.value ->> 1
)
select {history} from history
where (kind, type) in wanted and (conversation, id) > (?, ?)
order by conversation, id limit ?;

-- name: mail_with_key
select distinct kind, shard from mail where key = ? order by kind, shard;

-- name: kinds
-- Each kind by one seek in the index of the key, instead of a pass over all actors.
with recursive known(kind) as (
  select min(kind) from actors
  union all
  select (select min(kind) from actors where kind > known.kind) from known where known.kind is not null
)
select kind from known where kind is not null;

-- name: actors
select {actors} from actors where kind = :kind and key > :after order by key limit :limit;

-- name: every_actor
select {actors} from actors where (kind, key) > (?, ?) order by kind, key limit ?;

-- name: every_mail
select {mail} from mail where (kind, shard, key, id) > (?, ?, ?, ?) order by kind, shard, key, id limit ?;

-- name: every_handled
select {history} from history where (conversation, id) > (?, ?) order by conversation, id limit ?;

-- name: put_mark
insert or replace into meta values (?, ?)

-- name: drop_mark
delete from meta where name = ?

-- name: put_lived
insert or replace into meta values ('lived', ?)

-- name: lived
select value from meta where name = 'lived'
