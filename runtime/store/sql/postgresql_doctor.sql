-- What the doctor asks a server. Each statement gives one row: what was found, and whether that is wrong.

-- name: doctor_version
select current_setting('server_version') as found, current_setting('server_version_num')::integer < 150000 as is_wrong;

-- name: doctor_durability
select 'fsync ' || current_setting('fsync') || ', full_page_writes ' || current_setting('full_page_writes')
    || ', synchronous_commit ' || current_setting('synchronous_commit') as found,
  'off' in (current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'))
    as is_wrong;

-- name: doctor_plans
-- $1: settings that pin plans; $2: what each has to be.
select coalesce(string_agg(wanted.name || ' is ' || current_setting(wanted.name), ', '), 'pinned') as found,
  count(*) > 0 as is_wrong
from unnest($1::text[], $2::text[]) as wanted (name, setting)
where current_setting(wanted.name) <> wanted.setting;

-- name: doctor_clock
-- $1: the time here.
select round(({now} - $1)::numeric, 1) || ' s from the clock here' as found, abs({now} - $1) > 2.0 as is_wrong;

-- name: doctor_connections
select count(*) || ' of ' || current_setting('max_connections') as found,
  count(*) > 0.8 * current_setting('max_connections')::integer as is_wrong
from pg_stat_activity where backend_type = 'client backend';

-- name: doctor_autovacuum
select current_setting('autovacuum') as found, current_setting('autovacuum') <> 'on' as is_wrong;

-- name: doctor_oldest_transaction
-- The oldest that keeps dead rows from being removed, in all tables of the server.
select coalesce(max(round(extract(epoch from clock_timestamp() - xact_start))) || ' s: process '
    || (array_agg(pid order by xact_start))[1] || ' of ' || (array_agg(usename order by xact_start))[1], 'none') as found,
  coalesce(max(clock_timestamp() - xact_start) > interval '60 seconds', false) as is_wrong
from pg_stat_activity
where xact_start is not null and pid <> pg_backend_pid() and (backend_xmin is not null or backend_xid is not null);

-- name: doctor_transaction_ids
select age(datfrozenxid) || ' since the last freeze' as found, age(datfrozenxid) > 1000000000 as is_wrong
from pg_database where datname = current_database();

-- name: doctor_standbys
select coalesce(string_agg(application_name || ' ' || state || ', '
    || coalesce(pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 'an unknown length') || ' behind', '; '),
    'none') as found,
  coalesce(bool_or(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) > 268435456), false) as is_wrong
from pg_stat_replication;

-- name: doctor_slots
select coalesce(string_agg(slot_name || ' keeps '
    || coalesce(pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 'nothing'), ', '), 'none unused') as found,
  coalesce(bool_or(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) > 1073741824), false) as is_wrong
from pg_replication_slots where not active;

-- name: doctor_log_size
select pg_size_pretty(sum(size)) as found,
  sum(size) > 2 * pg_size_bytes(current_setting('max_wal_size')) as is_wrong
from pg_ls_waldir();

-- name: doctor_dead_rows
select coalesce((array_agg(relname || ': ' || n_dead_tup || ' dead of ' || n_dead_tup + n_live_tup
    order by n_dead_tup desc))[1], 'none') as found,
  coalesce(bool_or(n_dead_tup > 10000 and n_dead_tup > 2 * n_live_tup), false) as is_wrong
from pg_stat_user_tables where schemaname = current_schema() and n_dead_tup > 0;

-- name: doctor_oldest_mail
-- $1: from how many seconds on mail is old.
select coalesce(round(({now} - min(greatest(sent_at_s, due_at_s)))::numeric, 1) || ' s', 'none waits') as found,
  coalesce({now} - min(greatest(sent_at_s, due_at_s)) > $1, false) as is_wrong
from mail where parked = '' and due_at_s <= {now};

-- name: doctor_waiting_mail
-- $1: how much is too much, of one kind.
select coalesce(string_agg(kind || ' ' || waiting, ', ' order by waiting desc, kind), 'none') as found,
  coalesce(max(waiting) > $1, false) as is_wrong
from (select kind, count(*) as waiting from mail where parked = '' and due_at_s <= {now} group by kind) as kinds;

-- name: doctor_refused_commands
select coalesce(string_agg('by ' || node || ', for ' || round(({now} - since_s)::numeric) || ' s', '; ' order by since_s), 'none')
    as found,
  count(*) > 0 as is_wrong
from (
  select node, (told::json ->> 'refuses_since_s')::double precision as since_s
  from busy join nodes on nodes.name = busy.node and nodes.incarnation = busy.incarnation
  where lease_until_s > {now}
) as told
where since_s > 0;
