-- migrate:up

set local role bp_owner;

-- The queue of record. A message only wakes; the row is the work.
--
-- Whoever waits for several rows locks them in the order of (feature_id, task_id), as appends come to them,
-- stream by stream: so no two wait for each other. Claims, heartbeats and sweeps skip what is locked.
create table app.tasks (
  task_id uuid primary key,
  tenant_id uuid not null,
  feature_id uuid not null,
  step text not null,
  event_id uuid not null,
  version int not null,
  correlation_id uuid not null,
  status text not null default 'queued'
    check (status in ('queued', 'running', 'done', 'failed', 'cancelled')),
  attempt int not null default 0,
  max_attempts int not null,
  fence bigint not null default 0,
  lease_owner text,
  lease_until timestamptz,
  not_before timestamptz not null default clock_timestamp(),
  last_progress_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz,
  error text not null default ''
);
-- Finished rows leave both indexes, so that the queue stays as small as what is open.
create index tasks_open on app.tasks (tenant_id, status, not_before) where status in ('queued', 'running');
create index tasks_of_feature on app.tasks (feature_id) where status in ('queued', 'running');
alter table app.tasks set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
create sequence app.fences cache 1;

alter table app.tasks enable row level security;
alter table app.tasks force row level security;
create policy of_tenant on app.tasks for select to bp_owner, bp_api using (tenant_id = (select app.tenant()));
create policy work on app.tasks to bp_worker, bp_sweeper using (true) with check (true);
create policy append on app.tasks to bp_appender using (true) with check (true);
grant select on app.tasks to bp_api;
grant select, insert, update on app.tasks to bp_worker, bp_sweeper;
grant usage on app.fences to bp_worker, bp_sweeper;
grant select, insert, update on app.tasks to bp_appender;

-- Lease up to p_limit tasks of these steps: queued ones whose time has come, and those whose worker was
-- lost. The least-loaded tenant first, oldest first within a tenant, at most p_per_tenant running each.
create function app.claim(p_worker text, p_steps text[], p_limit int, p_lease_seconds float8, p_per_tenant int)
returns setof app.tasks language sql volatile as $$
  with recursive tenants as (
    (select t.tenant_id from app.tasks t where t.status in ('queued', 'running')
     order by t.tenant_id limit 1)
    union all
    select (select t.tenant_id from app.tasks t
            where t.status in ('queued', 'running') and t.tenant_id > tenants.tenant_id
            order by t.tenant_id limit 1)
    from tenants where tenants.tenant_id is not null
  ),
  load as (
    select o.tenant_id, (select count(*) from app.tasks t where t.tenant_id = o.tenant_id
                         and t.status = 'running' and t.lease_until > statement_timestamp()) as running
    from tenants o where o.tenant_id is not null
  ),
  ready as (
    select r.task_id, r.not_before,
      l.running + row_number() over (partition by l.tenant_id order by r.not_before, r.task_id) as place
    from load l cross join lateral (
      (select t.task_id, t.not_before from app.tasks t
       where t.tenant_id = l.tenant_id and t.status = 'queued' and t.not_before <= statement_timestamp()
         and t.step = any (p_steps) and t.attempt < t.max_attempts
       order by t.not_before limit least(p_per_tenant, p_limit * 4))
      union all
      (select t.task_id, t.not_before from app.tasks t
       where t.tenant_id = l.tenant_id and t.status = 'running' and t.lease_until <= statement_timestamp()
         and t.step = any (p_steps) and t.attempt < t.max_attempts
       order by t.not_before limit least(p_per_tenant, p_limit * 4))
    ) r
    where l.running < p_per_tenant
  ),
  picked as (
    select t.task_id from app.tasks t
      -- More than asked for: other claimers, who skip what is locked here, look at the same ones.
      join (select * from ready where place <= p_per_tenant order by place, not_before limit p_limit * 4) r
        using (task_id)
    where t.attempt < t.max_attempts
      and ((t.status = 'queued' and t.not_before <= statement_timestamp())
           or (t.status = 'running' and t.lease_until <= statement_timestamp()))
    order by r.place, r.not_before limit p_limit for update of t skip locked
  )
  update app.tasks t set
      status = 'running', attempt = t.attempt + 1, fence = nextval('app.fences'), lease_owner = p_worker,
      lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds),
      started_at = clock_timestamp(), last_progress_at = clock_timestamp()
    from picked where t.task_id = picked.task_id returning t.*
$$;

-- Prolong leases, and say which are still held. A row that somebody has locked at this moment is passed
-- over, not waited for: its lease lasts until the next beat.
create function app.beat(p_tasks uuid[], p_fences bigint[], p_progressed uuid[], p_lease_seconds float8)
returns setof uuid language sql volatile as $$
  with asked as (select * from unnest(p_tasks, p_fences) as a (task_id, fence)),
  held as (
    select t.task_id from app.tasks t join asked a on t.task_id = a.task_id and t.fence = a.fence
    where t.status = 'running' for update of t skip locked
  ),
  prolonged as (
    update app.tasks t set
        lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds),
        last_progress_at = case when t.task_id = any (p_progressed) then clock_timestamp()
                                else t.last_progress_at end
      from held where t.task_id = held.task_id
  )
  select t.task_id from app.tasks t join asked a on t.task_id = a.task_id and t.fence = a.fence
  where t.status = 'running'
$$;

-- Take over, with a new fence, what gave no sign of life for so long or has used up its attempts, so that
-- one process fails each. A taker that dies in turn leaves it to be taken again after p_lease_seconds.
create function app.stuck(p_worker text, p_silent_seconds float8, p_limit int, p_lease_seconds float8)
returns setof app.tasks language sql volatile as $$
  with found as (
    select t.task_id from app.tasks t
    where (t.status = 'running' and t.last_progress_at
             <= clock_timestamp() - make_interval(secs => p_silent_seconds)
           and (t.lease_owner <> p_worker or t.lease_until <= clock_timestamp()))
       or (t.status = 'running' and t.lease_until <= clock_timestamp() and t.attempt >= t.max_attempts)
       or (t.status = 'queued' and t.attempt >= t.max_attempts)
    order by t.created_at limit p_limit for update skip locked
  )
  update app.tasks t set
      status = 'running', fence = nextval('app.fences'), lease_owner = p_worker,
      lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds),
      last_progress_at = clock_timestamp()
    from found where t.task_id = found.task_id returning t.*
$$;
grant execute on function app.claim, app.beat, app.stuck to bp_worker, bp_sweeper;

-- Every request to a model, written down before it leaves.
create table app.model_calls (
  task_id uuid not null,
  attempt int not null,
  turn int not null,
  tenant_id uuid not null,
  feature_id uuid not null,
  request_sha256 text not null,
  announced int not null default 1,      -- how often this very request was sent
  announced_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz,
  outcome text,                          -- null: unknown. `answered`, or an error's code
  tokens jsonb,
  answer bytea,                          -- sealed under the feature's data key
  key_id uuid,
  primary key (task_id, attempt, turn),
  check ((answer is null) = (key_id is null))
);
create index model_calls_of_feature on app.model_calls (feature_id);
alter table app.model_calls enable row level security;
alter table app.model_calls force row level security;
create policy of_tenant on app.model_calls to bp_owner, bp_api, bp_worker
  using (tenant_id = (select app.tenant())) with check (tenant_id = (select app.tenant()));
create policy audit on app.model_calls for select to bp_sweeper using (true);
grant select on app.model_calls to bp_api, bp_sweeper;
grant select, insert, update on app.model_calls to bp_worker;

-- Write a request down before it leaves, under a live lease; again is counted. `lease`: the lease ran out,
-- or is another's. `other`: the turn stands there with another request, or is answered already.
--
-- The task's row is held until the end, so that whoever leases it next finds every request in the ledger
-- that may still leave under this lease.
create function app.announce_call(p_tenant uuid, p_feature uuid, p_task uuid, p_fence bigint, p_attempt int,
  p_turn int, p_request_sha256 text)
returns text language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform app.enter(p_tenant);
  perform from app.tasks t
    where t.task_id = p_task and t.tenant_id = p_tenant and t.fence = p_fence and t.status = 'running'
      and t.lease_until > clock_timestamp() for share;
  if not found then
    return 'lease';
  end if;
  insert into app.model_calls as c (task_id, attempt, turn, tenant_id, feature_id, request_sha256)
    values (p_task, p_attempt, p_turn, p_tenant, p_feature, p_request_sha256)
    on conflict (task_id, attempt, turn) do update set announced = c.announced + 1
    where c.request_sha256 = excluded.request_sha256 and c.answer is null;
  return case when found then 'announced' else 'other' end;
end $$;

-- Write down what came back; a stored answer stays. Without its data key, which went with the feature, an
-- answer is not kept. False when there is no such request.
create function app.settle_call(p_tenant uuid, p_task uuid, p_attempt int, p_turn int,
  p_request_sha256 text, p_outcome text, p_tokens jsonb, p_answer bytea, p_key uuid)
returns boolean language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  alive boolean;
begin
  perform app.enter(p_tenant);
  alive := exists (select from app.data_keys k where k.key_id = p_key);
  update app.model_calls c set settled_at = clock_timestamp(), outcome = p_outcome, tokens = p_tokens,
      answer = case when alive then p_answer end, key_id = case when alive then p_key end
    where c.task_id = p_task and c.attempt = p_attempt and c.turn = p_turn
      and c.request_sha256 = p_request_sha256 and c.answer is null;
  return found or exists (select from app.model_calls c where c.task_id = p_task
    and c.attempt = p_attempt and c.turn = p_turn and c.request_sha256 = p_request_sha256);
end $$;

create function app.calls_of(p_tenant uuid, p_feature uuid, p_task uuid)
returns table (attempt int, turn int, request_sha256 text, answer bytea, key_id uuid, outcome text,
  tokens text)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform app.enter(p_tenant);
  return query select c.attempt, c.turn, c.request_sha256, c.answer, c.key_id, c.outcome, c.tokens::text
    from app.model_calls c
    where c.tenant_id = p_tenant and c.feature_id = p_feature and c.task_id = p_task
    order by c.announced_at, c.attempt, c.turn;
end $$;

-- The same for many calls of many tenants in one transaction, one after the other, each as its own tenant.
-- Rows of tasks are locked first, in the order in which everybody waits for them (app.tasks).
create function app.announce_calls(p_tenants uuid[], p_features uuid[], p_tasks uuid[], p_fences bigint[],
  p_attempts int[], p_turns int[], p_requests text[])
returns setof text language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  bound boolean := app.tenant() is not null;
begin
  perform from app.tasks t where t.task_id = any (p_tasks) order by t.feature_id, t.task_id for share;
  for n in 1 .. cardinality(p_tasks) loop
    return next app.announce_call(p_tenants[n], p_features[n], p_tasks[n], p_fences[n], p_attempts[n],
      p_turns[n], p_requests[n]);
    if not bound then
      perform set_config('bp.tenant', '', true);
    end if;
  end loop;
end $$;

create function app.settle_calls(p_tenants uuid[], p_tasks uuid[], p_attempts int[], p_turns int[],
  p_requests text[], p_outcomes text[], p_tokens text[], p_answers bytea[], p_keys uuid[])
returns setof boolean language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  bound boolean := app.tenant() is not null;
begin
  for n in 1 .. cardinality(p_tasks) loop
    return next app.settle_call(p_tenants[n], p_tasks[n], p_attempts[n], p_turns[n], p_requests[n],
      p_outcomes[n], p_tokens[n]::jsonb, p_answers[n], p_keys[n]);
    if not bound then
      perform set_config('bp.tenant', '', true);
    end if;
  end loop;
end $$;
grant execute on function app.announce_call, app.announce_calls, app.settle_call, app.settle_calls,
  app.calls_of to bp_worker;

-- Idempotency keys with the answer each got; ids, a version and a status, nothing personal.
create table app.receipts (
  tenant_id uuid not null,
  key text not null check (length(key) between 1 and 255),
  request_sha256 text not null,
  accepted jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, key)
);
create index receipts_by_age on app.receipts (created_at);
alter table app.receipts enable row level security;
alter table app.receipts force row level security;
create policy of_tenant on app.receipts to bp_owner, bp_api, bp_worker
  using (tenant_id = (select app.tenant())) with check (tenant_id = (select app.tenant()));
create policy expire on app.receipts to bp_sweeper using (true);
create policy append on app.receipts to bp_appender using (true) with check (true);
grant select on app.receipts to bp_api, bp_worker;
grant select, delete on app.receipts to bp_sweeper;
grant select, insert, update on app.receipts to bp_appender;

-- Objects of deleted features, to be removed from the object store.
create table app.removals (
  tenant_id uuid not null,
  feature_id uuid primary key,
  requested_at timestamptz not null default clock_timestamp(),
  done_at timestamptz
);
create index removals_open on app.removals (requested_at) where done_at is null;
alter table app.removals enable row level security;
alter table app.removals force row level security;
create policy of_tenant on app.removals for select to bp_owner, bp_api using (tenant_id = (select app.tenant()));
create policy remove on app.removals to bp_sweeper using (true) with check (true);
create policy append on app.removals to bp_appender using (true) with check (true);
grant select on app.removals to bp_api;
grant select, update on app.removals to bp_sweeper;
grant select, insert on app.removals to bp_appender;

-- Messages that failed each of their deliveries, with the cause.
create table app.dead_letters (
  id uuid primary key,
  consumer text not null,
  event_id uuid not null,
  subject text not null,
  position bigint not null,
  deliveries int not null,
  cause text not null,
  at timestamptz not null default clock_timestamp(),
  state text not null default 'waiting' check (state in ('waiting', 'requeued', 'discarded')),
  resolved_at timestamptz,
  resolved_by text,
  unique (consumer, event_id)
);
alter table app.dead_letters enable row level security;
alter table app.dead_letters force row level security;
create policy operate on app.dead_letters to bp_worker, bp_sweeper using (true) with check (true);
grant select, insert, update on app.dead_letters to bp_worker, bp_sweeper;

-- How far each reader of the log has come that keeps no read model.
create table app.cursors (
  name text primary key,
  position bigint not null,
  updated_at timestamptz not null default clock_timestamp()
);
alter table app.cursors enable row level security;
alter table app.cursors force row level security;
create policy keep on app.cursors to bp_worker, bp_relay, bp_sweeper using (true) with check (true);
grant select, insert, update on app.cursors to bp_worker, bp_relay, bp_sweeper;

-- Group commit: appends of many streams, and what belongs into the same transaction, in one call.
--
-- Every item is checked before anything of it is written, so that one refused item leaves the others
-- alone without a savepoint each. Streams are locked in the order of their ids, tasks under their stream's
-- lock in the order of theirs: two batches cannot deadlock. Outcomes: `appended`; `stored` (the same ids
-- again, after a lost acknowledgement: answered with what is stored, nothing done twice); `conflict`,
-- `lease` and `receipt` (refused, nothing of the item is written).
create type es.batch_item as (
  item int,
  tenant_id uuid,
  feature_id uuid,
  expected int,
  correlation_id uuid,
  causation_id uuid,
  actor text,
  first int,                   -- place of the item's first event in p_payloads and p_sealed
  event_ids uuid[],
  types text[],
  schema_versions int[],
  key_id uuid,                 -- data key of what is sealed
  wrapped text,                -- base64; given when key_id is new
  task_id uuid,
  fence bigint,
  task_then text,
  retry_after_seconds float8,
  task_error text,
  cancel_tasks boolean,
  due_tasks uuid[],            -- tasks to make: their ids, steps, and the places of their events in the item
  due_steps text[],
  due_places int[],
  max_attempts int,
  destroy_key boolean,
  receipt_key text,
  request_sha256 text,
  accepted jsonb,
  forked_from uuid,            -- of a stream's first append: the stream it continues, and from where
  forked_at_version int
);

grant create on schema es to bp_appender;
grant execute on function es.event_hash, es.framed to bp_appender;
reset role;
set local role bp_appender;

create function es.append_batch(p_items text, p_payloads bytea[], p_sealed bytea[])
returns table (item int, outcome text, "position" bigint, version int, event_id uuid,
  recorded_at timestamptz, previous_hash bytea, hash bytea)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  i es.batch_item;
  bound uuid := app.tenant();
  stream es.streams;
  known boolean;
  locked boolean := false;
  head bytea;
  number int;
  stamp timestamptz;
  place bigint;
  next_hash bytea;
  event_key uuid;
  n int;
begin
  for i in
    select b.* from json_populate_recordset(null::es.batch_item, p_items::json) b
    order by b.feature_id, b.item
  loop
    if bound is not null and bound <> i.tenant_id then
      raise exception 'an append for another tenant than the transaction''s' using errcode = '42501';
    end if;
    item := i.item;
    n := coalesce(cardinality(i.event_ids), 0);
    select s.* into stream from es.streams s
      where s.stream_id = i.feature_id and s.tenant_id = i.tenant_id for update;
    known := found;

    if known and n > 0 and stream.version >= i.expected + n then
      return query
        select i.item, 'stored', e.position, e.version, e.event_id, e.recorded_at, e.previous_hash, e.hash
        from es.events e
        where e.stream_id = i.feature_id and e.version between i.expected + 1 and i.expected + n
          and e.event_id = i.event_ids[e.version - i.expected]
          and (select count(*) from es.events x
               where x.stream_id = i.feature_id and x.version between i.expected + 1 and i.expected + n
                 and x.event_id = i.event_ids[x.version - i.expected]) = n
        order by e.version;
      if found then
        continue;
      end if;
    end if;

    outcome := null; position := null; version := null; event_id := null;
    recorded_at := null; previous_hash := null; hash := null;
    if i.receipt_key is not null and exists (
        select from app.receipts r where r.tenant_id = i.tenant_id and r.key = i.receipt_key
          and r.created_at > clock_timestamp() - interval '24 hours') then
      outcome := 'receipt';
    elsif i.expected <> coalesce(case when known then stream.version end, 0) then
      outcome := 'conflict';
    end if;
    if outcome is null and i.cancel_tasks then
      perform from app.tasks t where t.feature_id = i.feature_id and t.status in ('queued', 'running')
        order by t.task_id for update;
    end if;
    if outcome is null and i.task_id is not null then
      perform from app.tasks t
        where t.task_id = i.task_id and t.fence = i.fence and t.status = 'running' for update;
      if not found then
        outcome := 'lease';
      end if;
    end if;
    if outcome is null and i.forked_from is not null then
      -- Deleting the parent takes the same row: either this fork is there when the parent's files are
      -- looked through, or there is no fork.
      perform from es.streams s
        where s.stream_id = i.forked_from and s.tenant_id = i.tenant_id for key share;
      perform from app.data_keys k where k.tenant_id = i.tenant_id and k.scope = i.forked_from::text;
      if not found then
        outcome := 'conflict';
      end if;
    end if;
    if outcome is null and i.receipt_key is not null then
      insert into app.receipts as r (tenant_id, key, request_sha256, accepted)
        values (i.tenant_id, i.receipt_key, i.request_sha256, i.accepted)
        on conflict (tenant_id, key) do update
          set request_sha256 = excluded.request_sha256, accepted = excluded.accepted,
              created_at = clock_timestamp()
          where r.created_at <= clock_timestamp() - interval '24 hours';
      if not found then
        outcome := 'receipt';
      end if;
    end if;
    if outcome is not null then
      return next;
      continue;
    end if;

    if n > 0 and not locked then
      lock table es.events in row exclusive mode;  -- Before the first position: the fence looks for it.
      locked := true;
    end if;
    head := case when known then stream.head_hash else ''::bytea end;
    stamp := greatest(clock_timestamp(), stream.head_at);
    if not known and n > 0 then
      -- A unique violation here is a race between two beginnings of one stream; the caller sorts it out.
      insert into es.streams (tenant_id, stream_id, version, head_hash, head_at, forked_from, forked_at_version)
        values (i.tenant_id, i.feature_id, n, ''::bytea, stamp, i.forked_from, i.forked_at_version);
    end if;
    if i.wrapped is not null then
      insert into app.data_keys (key_id, tenant_id, scope, wrapped)
        values (i.key_id, i.tenant_id, i.feature_id::text, decode(i.wrapped, 'base64'));
    end if;
    for k in 1 .. n loop
      number := i.expected + k;
      event_key := case when p_sealed[i.first + k - 1] is not null then i.key_id end;
      place := nextval('es.positions');
      next_hash := es.event_hash(head, place, i.tenant_id, i.feature_id, number, i.event_ids[k], i.types[k],
        i.schema_versions[k], p_payloads[i.first + k - 1], p_sealed[i.first + k - 1], event_key,
        i.correlation_id, i.causation_id, i.actor, stamp);
      insert into es.events (position, tenant_id, stream_id, version, event_id, type, schema_version,
          payload, sealed, key_id, correlation_id, causation_id, actor, recorded_at, previous_hash, hash)
        values (place, i.tenant_id, i.feature_id, number, i.event_ids[k], i.types[k], i.schema_versions[k],
          p_payloads[i.first + k - 1], p_sealed[i.first + k - 1], event_key, i.correlation_id,
          i.causation_id, i.actor, stamp, head, next_hash);
      outcome := 'appended'; position := place; version := number; event_id := i.event_ids[k];
      recorded_at := stamp; previous_hash := head; hash := next_hash;
      return next;
      head := next_hash;
    end loop;
    if n > 0 then
      update es.streams s set version = i.expected + n, head_hash = head, head_at = stamp
        where s.stream_id = i.feature_id;
    else
      outcome := 'appended';
      return next;
    end if;

    if i.task_id is not null and i.task_then <> 'running' then
      update app.tasks t set
          status = i.task_then, error = coalesce(i.task_error, ''), lease_owner = null, lease_until = null,
          not_before = clock_timestamp() + make_interval(secs => coalesce(i.retry_after_seconds, 0)),
          finished_at = case when i.task_then = 'queued' then null else clock_timestamp() end
        where t.task_id = i.task_id;
    end if;
    if i.cancel_tasks then
      update app.tasks t set status = 'cancelled', finished_at = clock_timestamp(), lease_until = null
        where t.feature_id = i.feature_id and t.tenant_id = i.tenant_id and t.status in ('queued', 'running');
    end if;
    if i.due_tasks is not null then
      insert into app.tasks (task_id, tenant_id, feature_id, step, event_id, version, correlation_id,
          max_attempts)
        select d.task_id, i.tenant_id, i.feature_id, d.step, i.event_ids[d.place], i.expected + d.place,
          i.correlation_id, i.max_attempts
        from unnest(i.due_tasks, i.due_steps, i.due_places) d (task_id, step, place)
        on conflict (task_id) do nothing;
    end if;
    if i.destroy_key then
      delete from app.data_keys k where k.tenant_id = i.tenant_id and k.scope = i.feature_id::text;
      insert into app.removals (tenant_id, feature_id) values (i.tenant_id, i.feature_id)
        on conflict do nothing;
    end if;
  end loop;
end $$;
grant execute on function es.append_batch to bp_api, bp_worker, bp_sweeper;

reset role;
set local role bp_owner;
revoke create on schema es from bp_appender;

-- One stream's events for its tenant, and whether their data key still exists.
create function es.read_stream(p_tenant uuid, p_feature uuid, p_after int, p_upto int, p_versions int[],
  p_limit int)
returns table ("position" bigint, version int, event_id uuid, type text, schema_version int, payload bytea,
  sealed bytea, key_id uuid, key_alive boolean, correlation_id uuid, causation_id uuid, actor text,
  recorded_at timestamptz, previous_hash bytea, hash bytea)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform app.enter(p_tenant);
  return query
    select e.position, e.version, e.event_id, e.type, e.schema_version::int, e.payload, e.sealed, e.key_id,
      exists (select from app.data_keys k where k.tenant_id = p_tenant and k.scope = p_feature::text),
      e.correlation_id, e.causation_id, e.actor, e.recorded_at, e.previous_hash, e.hash
    from es.events e
    where e.tenant_id = p_tenant and e.stream_id = p_feature and e.version > p_after and e.version <= p_upto
      and (p_versions is null or e.version = any (p_versions))
    order by e.version limit p_limit;
end $$;
grant execute on function es.read_stream to bp_api, bp_worker, bp_sweeper;

-- The wrapped data key of a tenant's scope, as long as it exists.
create function app.data_key(p_tenant uuid, p_scope text) returns table (key_id uuid, wrapped bytea)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform app.enter(p_tenant);
  return query select k.key_id, k.wrapped from app.data_keys k
    where k.tenant_id = p_tenant and k.scope = p_scope;
end $$;
grant execute on function app.data_key to bp_api, bp_worker, bp_sweeper;

-- What follows p_after, in the order of positions, behind the fence: headers only, with the payload of
-- those events whose payload says which steps resume.
create function es.follow_headers(p_after bigint, p_limit int, p_wait_ms int)
returns table ("position" bigint, tenant_id uuid, stream_id uuid, version int, event_id uuid, type text,
  schema_version int, correlation_id uuid, causation_id uuid, actor text, recorded_at timestamptz,
  resuming bytea)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  upto bigint := es.safe_upto(p_after, p_limit, p_wait_ms);
begin
  return query
    select e.position, e.tenant_id, e.stream_id, e.version, e.event_id, e.type, e.schema_version::int,
      e.correlation_id, e.causation_id, e.actor, e.recorded_at,
      case when e.type in ('feature_retried', 'feature_replayed', 'feature_forked') then e.payload end
    from es.events e where e.position > p_after and e.position <= upto order by e.position limit p_limit;
end $$;
grant execute on function es.follow_headers to bp_relay, bp_projector, bp_sweeper;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
