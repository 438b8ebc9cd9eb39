-- migrate:up

set local role bp_owner;

-- A log may be set back: by a failover that lost its end, by a restore. Whoever remembers something names
-- the event after which it goes on, by its hash; each such place has a column for it here.

-- Which database this is, and in which run of its server: the server's start, the database, the file of
-- the data keys. Other after every restart, failover, restore and replacement of that table's content.
create function app.incarnation() returns text language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('%s/%s/%s', (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint, d.oid,
                pg_relation_filenode('app.data_keys'))
  from pg_database d where d.datname = current_database()
$$;
grant execute on function app.incarnation to public;

-- The incarnations that a process has compared with what is kept outside of the database: no process works
-- on another one (application/continuity.py).
create table app.incarnations (
  incarnation text primary key,
  vouched_at timestamptz not null default clock_timestamp(),
  vouched_by text not null,
  system_id text not null,
  timeline int,
  end_position bigint not null,          -- of the log, when it was looked at
  set_back boolean not null default false,
  lost_upto bigint                       -- the last position that is known to be lost
);
alter table app.incarnations enable row level security;
alter table app.incarnations force row level security;
create policy read on app.incarnations for select
  to bp_api, bp_worker, bp_relay, bp_projector, bp_sweeper using (true);
create policy append on app.incarnations to bp_appender using (true) with check (true);
grant select on app.incarnations to bp_api, bp_worker, bp_relay, bp_projector, bp_sweeper;
grant select, insert, update on app.incarnations to bp_appender;

-- The last event that a read model, or a reader without one, has seen.
alter table app.positions add column anchor_position bigint, add column anchor_hash bytea;
alter table app.cursors add column anchor_position bigint, add column anchor_hash bytea;
create policy look on app.positions for select to bp_appender using (true);
create policy take_back on app.cursors to bp_appender using (true) with check (true);
grant select on app.positions to bp_appender;
grant select, update on app.cursors to bp_appender;

-- The last event that the answer was given for: without it in the log, nothing was answered. Receipts of
-- earlier versions of this program name none.
alter table app.receipts add column event_id uuid;
grant delete on app.receipts to bp_appender;

-- What was destroyed, until a signed note of it is in the object store, and after.
alter table app.removals
  add column key_id uuid,
  add column position bigint,
  add column hash bytea,
  add column deleted_at timestamptz,
  add column note bigint,                -- the note's number
  add column noted_at timestamptz;
grant update on app.removals to bp_appender;

-- Whoever vouches checks the notes' signatures.
create policy verify on app.log_keys for select to bp_worker using (true);
grant select (log_id, public_key) on app.log_keys to bp_worker;

-- What a set-back takes away with the events.
create policy take_back on app.views to bp_appender using (true);
create policy take_back on app.dead_letters to bp_appender using (true) with check (true);
grant select, delete on app.views to bp_appender;
grant select, update on app.dead_letters to bp_appender;
grant delete on app.tasks to bp_appender;
grant select, update on es.positions to bp_appender;
grant select, update on app.fences to bp_appender;

-- As es.read_stream, behind an event whose hash the reader knows. SQLSTATE BP001: the log does not hold it
-- there; what the reader remembers is in no log.
create function es.read_stream(p_tenant uuid, p_feature uuid, p_after int, p_head bytea, p_upto int,
  p_versions int[], p_limit int)
returns table ("position" bigint, version int, event_id uuid, type text, schema_version int, payload bytea,
  sealed bytea, key_id uuid, key_alive boolean, correlation_id uuid, causation_id uuid, actor text,
  recorded_at timestamptz, previous_hash bytea, hash bytea)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform app.enter(p_tenant);
  if p_head is not null and p_after > 0 and not exists (
      select from es.events e where e.stream_id = p_feature and e.version = p_after
        and e.tenant_id = p_tenant and e.hash = p_head) then
    raise exception 'the log does not hold the event that this goes on from' using errcode = 'BP001';
  end if;
  return query
    select e.position, e.version, e.event_id, e.type, e.schema_version::int, e.payload, e.sealed, e.key_id,
      exists (select from app.data_keys k where k.tenant_id = p_tenant and k.scope = p_feature::text),
      e.correlation_id, e.causation_id, e.actor, e.recorded_at, e.previous_hash, e.hash
    from es.events e
    where e.tenant_id = p_tenant and e.stream_id = p_feature and e.version > p_after and e.version <= p_upto
      and (p_versions is null or e.version = any (p_versions))
    order by e.version limit p_limit;
end $$;
grant execute on function es.read_stream(uuid, uuid, int, bytea, int, int[], int)
  to bp_api, bp_worker, bp_sweeper;

-- What an append rests on is checked in its own transaction, so that nothing is decided on what is in no
-- log (a log may be set back while its readers live): the hash of the head it was decided on, the event it
-- answers, and the event up to which its grounds were read.
alter type es.batch_item
  add attribute head text,               -- base64: hash of the event at version `expected`, if it is known
  add attribute answers uuid,            -- an event that must be in the log
  add attribute rests_at int,            -- the stream's event at this version must have this hash (base64)
  add attribute rests_hash text;

grant create on schema es, app to bp_appender;
reset role;
set local role bp_appender;

-- As in 0007, with outcome `groundless`: what the item answers or rests on is in no log. A receipt counts as
-- long as the event is in the log that it was given for.
create or replace function es.append_batch(p_items text, p_payloads bytea[], p_sealed bytea[])
returns table (item int, outcome text, "position" bigint, version int, event_id uuid,
  recorded_at timestamptz, previous_hash bytea, hash bytea)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  i es.batch_item;
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
    if (i.answers is not null and not exists (
          select from es.events e where e.event_id = i.answers and e.tenant_id = i.tenant_id))
       or (i.rests_at is not null and not exists (
          select from es.events e where e.stream_id = i.feature_id and e.tenant_id = i.tenant_id
            and e.version = i.rests_at and e.hash = decode(i.rests_hash, 'base64'))) then
      outcome := 'groundless';
    elsif i.receipt_key is not null and exists (
        select from app.receipts r where r.tenant_id = i.tenant_id and r.key = i.receipt_key
          and r.created_at > clock_timestamp() - interval '24 hours'
          and (r.event_id is null or exists (select from es.events e where e.event_id = r.event_id))) then
      outcome := 'receipt';
    elsif i.expected <> coalesce(case when known then stream.version end, 0) then
      outcome := 'conflict';
    elsif known and stream.head_hash <> decode(i.head, 'base64') then
      outcome := 'conflict';  -- The same version of another history.
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
      insert into app.receipts (tenant_id, key, request_sha256, accepted, event_id)
        values (i.tenant_id, i.receipt_key, i.request_sha256, i.accepted, i.event_ids[n])
        on conflict (tenant_id, key) do nothing;
      if not found then
        -- Three statements, for each sees what was committed while the one before it waited: the event of a
        -- receipt that was given meanwhile is in the log, too.
        perform from app.receipts r where r.tenant_id = i.tenant_id and r.key = i.receipt_key for update;
        update app.receipts r set request_sha256 = i.request_sha256, accepted = i.accepted,
            event_id = i.event_ids[n], created_at = clock_timestamp()
          where r.tenant_id = i.tenant_id and r.key = i.receipt_key
            and (r.created_at <= clock_timestamp() - interval '24 hours'
              or (r.event_id is not null
                  and not exists (select from es.events e where e.event_id = r.event_id)));
        if not found then
          outcome := 'receipt';
        end if;
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
      delete from app.data_keys k where k.tenant_id = i.tenant_id and k.scope = i.feature_id::text
        returning k.key_id into event_key;
      insert into app.removals (tenant_id, feature_id, key_id, position, hash, deleted_at)
        values (i.tenant_id, i.feature_id, event_key, place, head, stamp)
        on conflict do nothing;
    end if;
  end loop;
end $$;

-- Of these events, those that the log holds; for whoever makes tasks of messages and sees no events.
create function es.held(p_events uuid[])
returns table (event_id uuid, tenant_id uuid, stream_id uuid, version int)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select e.event_id, e.tenant_id, e.stream_id, e.version from es.events e where e.event_id = any (p_events)
$$;
grant execute on function es.held to bp_worker, bp_sweeper;

-- Where the log stands: its end, and which of the events that the caller has seen it does not hold as
-- they were. `ahead`: something else in the database has seen an event that the log does not hold.
-- `lost_from` and `lost_upto`: after and up to which positions events were lost in earlier set-backs.
create function es.continuity(p_positions bigint[], p_hashes bytea[])
returns table (incarnation text, vouched boolean, system_id text, timeline int, "position" bigint,
  lost bigint[], ahead bigint, seen_positions bigint[], seen_hashes bytea[], lost_from bigint[],
  lost_upto bigint[], noted_size bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  incarnation := app.incarnation();
  vouched := exists (select from app.incarnations i where i.incarnation = app.incarnation());
  select s.system_identifier::text into system_id from pg_control_system() s;
  timeline := case when not pg_is_in_recovery()
    then ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end;
  select array_agg(t.position order by t.position), array_agg(t.hash order by t.position),
      coalesce(max(t.position), 0)
    into seen_positions, seen_hashes, position
    from (select e.position, e.hash from es.events e order by e.position desc limit 32) t;
  select array_agg(a.place) into lost from unnest(p_positions, p_hashes) a (place, hash)
    where not exists (select from es.events e where e.position = a.place and e.hash = a.hash);
  select max(a.place) into ahead from (
      select p.anchor_position, p.anchor_hash from app.positions p
      union all select c.anchor_position, c.anchor_hash from app.cursors c
    ) a (place, hash)
    where a.place is not null
      and not exists (select from es.events e where e.position = a.place and e.hash = a.hash);
  select array_agg(i.end_position), array_agg(i.lost_upto) into lost_from, lost_upto
    from app.incarnations i where i.set_back and i.lost_upto > i.end_position;
  select t.noted_size into noted_size from app.log_tree t;
  return next;
end $$;

-- Features that were deleted and that the log holds without their deletion; where that had stood.
create function es.undone_deletions()
returns table (tenant_id uuid, feature_id uuid, version int, head_hash bytea, deleted_position bigint,
  deleted_hash bytea)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select s.tenant_id, s.stream_id, s.version, s.head_hash, r.position, r.hash
  from app.removals r join es.streams s on s.stream_id = r.feature_id and s.tenant_id = r.tenant_id
  where not exists (select from es.events e where e.stream_id = s.stream_id and e.type = 'feature_deleted')
  order by s.stream_id
$$;

create function app.newest_note() returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(max(r.note), 0) from app.removals r
$$;

-- Of these numbers of notes, those that the database knows nothing of.
create function app.unknown_notes(p_numbers bigint[]) returns setof bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select n from unnest(p_numbers) n where not exists (select from app.removals r where r.note = n)
$$;

-- Take over what signed notes say was destroyed. A key that is still there, or there again, goes; so does
-- whatever the read models show of the feature. The last position that the database knew nothing of.
create function app.destroyed(p_notes bigint[], p_tenants uuid[], p_features uuid[], p_keys uuid[],
  p_positions bigint[], p_hashes bytea[], p_times timestamptz[])
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  missed bigint;
begin
  with kept as (
    insert into app.removals as r
        (tenant_id, feature_id, key_id, position, hash, deleted_at, note, noted_at)
      select d.tenant, d.feature, d.key, d.place, d.hash, d.at, d.note, clock_timestamp()
      from unnest(p_notes, p_tenants, p_features, p_keys, p_positions, p_hashes, p_times)
        d (note, tenant, feature, key, place, hash, at)
      on conflict (feature_id) do update set note = excluded.note, noted_at = excluded.noted_at
        where r.note is null
      returning r.position, xmax = 0 as missing
  )
  select max(k.position) into missed from kept k where k.missing;
  delete from app.data_keys k using unnest(p_tenants, p_features) d (tenant, feature)
    where k.tenant_id = d.tenant and k.scope = d.feature::text;
  delete from app.views v using unnest(p_tenants, p_features) d (tenant, feature), app.positions p
    where v.projection = p.projection and v.generation = p.generation and v.tenant_id = d.tenant
      and v.feature_id = d.feature;
  return missed;
end $$;

-- Vouch for this incarnation; false when it is another one by now. After a set-back, what is in no log goes
-- from the tables beside it, what the lost events had ended is open again, and so is what was under way,
-- which is no suspicion against it; positions and fences of the lost history are never given out again.
create function app.vouch(p_incarnation text, p_by text, p_set_back boolean, p_end bigint, p_lost_upto bigint)
returns boolean language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  since timestamptz;
  said record;
begin
  select c.incarnation, c.system_id, c.timeline into said from es.continuity('{}', '{}') c;
  if said.incarnation <> p_incarnation then
    return false;
  end if;
  insert into app.incarnations as i
      (incarnation, vouched_by, system_id, timeline, end_position, set_back, lost_upto)
    values (p_incarnation, p_by, said.system_id, said.timeline, p_end, p_set_back,
      case when p_set_back then p_lost_upto end)
    on conflict (incarnation) do update set set_back = true,
      end_position = case when i.set_back then least(i.end_position, p_end) else p_end end,
      lost_upto = p_lost_upto
    where p_set_back and (not i.set_back or coalesce(i.lost_upto, 0) < p_lost_upto);
  if not found then
    return true;
  end if;
  delete from app.data_keys k using app.removals r
    where k.tenant_id = r.tenant_id and k.scope = r.feature_id::text;
  if not p_set_back then
    return true;
  end if;

  lock table es.events in row exclusive mode;  -- The fence looks for it when the sequence moves.
  perform setval('es.positions', greatest(p_lost_upto, (select s.last_value from es.positions s)));
  perform setval('app.fences', greatest((extract(epoch from clock_timestamp()) * 1000000)::bigint,
                                        (select s.last_value + 1 from app.fences s)));
  select e.recorded_at into since from es.events e where e.position <= p_end order by e.position desc limit 1;
  since := coalesce(since - interval '5 seconds', '-infinity');  -- As long as an append may take.

  delete from app.receipts r where r.created_at > since and r.event_id is not null
    and not exists (select from es.events e where e.event_id = r.event_id);
  with late as (
    select t.task_id, exists (select from es.events e where e.event_id = t.event_id) as held
    from app.tasks t
    where t.status in ('queued', 'running') or t.finished_at > since
    order by t.feature_id, t.task_id for update of t skip locked
  ), gone as (
    delete from app.tasks t using late where t.task_id = late.task_id and not late.held
  )
  update app.tasks t set status = 'queued', attempt = least(t.attempt, t.max_attempts - 1),
      lease_owner = null, lease_until = null, finished_at = null, error = '', not_before = clock_timestamp()
    from late where t.task_id = late.task_id and late.held and t.status <> 'queued';
  update app.cursors c set position = least(c.position, p_end), anchor_position = null, anchor_hash = null,
      updated_at = clock_timestamp()
    where c.position > p_end or (c.anchor_position is not null and not exists (
      select from es.events e where e.position = c.anchor_position and e.hash = c.anchor_hash));
  update app.dead_letters l set state = 'discarded', resolved_at = clock_timestamp(),
      resolved_by = 'system:set_back'
    where l.state = 'waiting' and l.position > p_end
      and not exists (select from es.events e where e.event_id = l.event_id);
  return true;
end $$;
grant execute on function es.continuity to bp_api, bp_worker, bp_relay, bp_projector, bp_sweeper;
grant execute on function es.undone_deletions, app.newest_note, app.unknown_notes, app.destroyed, app.vouch
  to bp_api, bp_worker, bp_sweeper;

reset role;
set local role bp_owner;
revoke create on schema es, app from bp_appender;

-- What was destroyed does not come back with an older copy of the data keys, either.
create function app.stay_destroyed() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if new.scope <> 'tenant' and exists (select from app.removals r where r.feature_id = new.scope::uuid) then
    return null;
  end if;
  return new;
end $$;
create trigger stay_destroyed before insert on app.data_keys
  for each row execute function app.stay_destroyed();
alter table app.data_keys enable always trigger stay_destroyed;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
