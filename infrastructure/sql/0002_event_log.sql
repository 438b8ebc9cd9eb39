-- migrate:up

set local role bp_owner;

-- The fence in es.safe_upto relies on it: numbers are handed out one by one, never kept by a session.
create sequence es.positions cache 1;

create table es.streams (
  tenant_id uuid not null,
  stream_id uuid primary key,
  version int not null check (version > 0),
  head_hash bytea not null,
  head_at timestamptz not null,
  forked_from uuid,
  forked_at_version int,
  created_at timestamptz not null default clock_timestamp()
);

create table es.events (
  position bigint not null unique,
  tenant_id uuid not null,
  stream_id uuid not null references es.streams,
  version int not null check (version > 0),
  event_id uuid not null unique,
  type text not null,
  schema_version smallint not null,
  payload bytea not null,      -- JSON of what is in clear
  sealed bytea,                -- JSON of the personal fields, under the stream's data key
  key_id uuid,
  correlation_id uuid not null,
  causation_id uuid,
  actor text not null,
  recorded_at timestamptz not null,
  previous_hash bytea not null,
  hash bytea not null,
  primary key (stream_id, version),
  check ((sealed is null) = (key_id is null))
);
create index streams_forked on es.streams (forked_from) where forked_from is not null;
create index events_of_tenant on es.events (tenant_id, position);
alter table es.events set (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);

-- Append-only: no role has the rights, and whoever takes them back meets the triggers.
create function es.refuse() returns trigger language plpgsql as $$
begin
  raise exception '%.% is append-only: % refused', tg_table_schema, tg_table_name, tg_op using errcode = '42501';
end $$;
create trigger append_only before update or delete or truncate on es.events
  for each statement execute function es.refuse();
alter table es.events enable always trigger append_only;
create trigger append_only before delete or truncate on es.streams
  for each statement execute function es.refuse();
alter table es.streams enable always trigger append_only;
revoke insert, update, delete, truncate on es.events from bp_owner;
revoke delete, truncate on es.streams from bp_owner;

alter table es.events enable row level security;
alter table es.events force row level security;
alter table es.streams enable row level security;
alter table es.streams force row level security;
create policy of_tenant on es.events for select to bp_owner, bp_api, bp_worker
  using (tenant_id = (select app.tenant()));
create policy follow on es.events for select to bp_relay, bp_projector, bp_sweeper using (true);
create policy append on es.events to bp_appender using (true) with check (true);
create policy of_tenant on es.streams for select to bp_owner, bp_api, bp_worker
  using (tenant_id = (select app.tenant()));
create policy follow on es.streams for select to bp_relay, bp_projector, bp_sweeper using (true);
create policy append on es.streams to bp_appender using (true) with check (true);

grant select on es.events, es.streams to bp_api, bp_worker, bp_projector, bp_sweeper;
-- The relay publishes ids and headers: what is sealed is none of its business.
grant select (position, tenant_id, stream_id, version, event_id, type, schema_version, payload, key_id,
  correlation_id, causation_id, actor, recorded_at, previous_hash, hash) on es.events to bp_relay;
grant select on es.positions to bp_relay, bp_projector, bp_sweeper, bp_api, bp_worker;
grant select, insert on es.events to bp_appender;
grant select, insert, update on es.streams to bp_appender;
grant usage on es.positions to bp_appender;

-- Wrapped data keys, one for each feature and one for each tenant's own secrets. Destroying a row makes
-- everything sealed under it unreadable, everywhere and for ever.
create table app.data_keys (
  key_id uuid primary key,
  tenant_id uuid not null,
  scope text not null,         -- a feature's id, or 'tenant'
  wrapped bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  unique (tenant_id, scope)
);
alter table app.data_keys enable row level security;
alter table app.data_keys force row level security;
create policy of_tenant on app.data_keys to bp_owner, bp_api, bp_worker
  using (tenant_id = (select app.tenant())) with check (tenant_id = (select app.tenant()));
create policy follow on app.data_keys for select to bp_projector, bp_sweeper using (true);
create policy append on app.data_keys to bp_appender using (true) with check (true);
grant select on app.data_keys to bp_api, bp_worker, bp_projector, bp_sweeper;
grant select, insert, delete on app.data_keys to bp_appender;
-- A tenant's own key is made where its first secret is stored.
grant insert on app.data_keys to bp_api;

-- Bytes with their length before them, so that no two lists of fields share an encoding.
create function es.framed(field bytea) returns bytea language sql immutable parallel safe as
  $$ select case when field is null then '\xffffffff'::bytea else int4send(length(field)) || field end $$;

-- infrastructure/event_log/chain.py computes the same; a test holds them together.
create function es.event_hash(
  previous_hash bytea, event_position bigint, tenant_id uuid, stream_id uuid, version int, event_id uuid,
  type text, schema_version int, payload bytea, sealed bytea, key_id uuid, correlation_id uuid,
  causation_id uuid, actor text, recorded_at timestamptz)
returns bytea language sql immutable parallel safe as $$
  select sha256(
    es.framed('bp-event-1'::bytea) || es.framed(previous_hash) || int8send(event_position)
    || uuid_send(tenant_id) || uuid_send(stream_id) || int4send(version) || uuid_send(event_id)
    || es.framed(convert_to(type, 'UTF8')) || int4send(schema_version)
    || sha256(payload) || es.framed(sha256(sealed)) || es.framed(uuid_send(key_id))
    || uuid_send(correlation_id) || es.framed(uuid_send(causation_id)) || es.framed(convert_to(actor, 'UTF8'))
    || int8send((extract(epoch from recorded_at) * 1000000)::bigint))
$$;
grant execute on function es.framed, es.event_hash to public;

-- The last position up to which a reader that has everything up to p_after may read on.
--
-- A run of consecutive positions is always safe. A hole is crossed only with proof that no transaction
-- that could still fill it holds the insert lock on es.events, which es.append_batch takes before it asks
-- for a position; the locks are read strictly after the sequence. Conditions: on the primary; sequence
-- cache 1; positions drawn only under that lock; idle_in_transaction_session_timeout a few seconds.
-- A hole costs at most p_wait_ms of waiting; it is looked at again with the next call.
create function es.safe_upto(p_after bigint, p_limit int, p_wait_ms int) returns bigint
language plpgsql volatile as $$
declare
  last bigint;
  called boolean;
  run bigint;
  writers text[];
  deadline timestamptz := clock_timestamp() + make_interval(secs => p_wait_ms / 1000.0);
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the fence needs read committed: each of its statements must see the present';
  end if;
  select s.last_value, s.is_called into last, called from es.positions s;
  if not called or last <= p_after then
    return p_after;
  end if;
  run := es.consecutive(p_after, last, p_limit);
  if p_after + run >= last or run >= p_limit then
    return p_after + run;
  end if;
  writers := es.writers(null);
  while writers is not null and clock_timestamp() < deadline loop
    perform pg_sleep(0.001);
    writers := es.writers(writers);
  end loop;
  if writers is null then
    return last;
  end if;
  return p_after + es.consecutive(p_after, last, p_limit);
end $$;

-- How many positions follow p_after without a hole.
create function es.consecutive(p_after bigint, p_last bigint, p_limit int) returns bigint
language sql volatile as $$
  select count(*) from (
    select e.position, row_number() over (order by e.position) as place from es.events e
    where e.position > p_after and e.position <= p_last order by e.position limit p_limit
  ) numbered where numbered.position = p_after + numbered.place
$$;

-- Transactions that may have drawn positions; of these, or null for all there are.
create function es.writers(among text[]) returns text[] language sql volatile as $$
  select array_agg(l.virtualtransaction) from pg_locks l
  where l.locktype = 'relation' and l.relation = 'es.events'::regclass
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
    and l.granted and l.pid is distinct from pg_backend_pid()
    and l.mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    and (among is null or l.virtualtransaction = any (among))
$$;

grant execute on function es.safe_upto, es.consecutive, es.writers to bp_relay, bp_projector, bp_sweeper;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
