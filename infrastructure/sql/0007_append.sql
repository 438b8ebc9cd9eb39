-- migrate:up

set local role bp_owner;

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

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
