-- migrate:up

set local role bp_owner;

-- A page of the log for whoever opens events, behind the fence, in one round trip: what follows p_after and is
-- not past p_upto, each event with its wrapped data key as long as that exists. `upto` is where the page ends;
-- a page without events is one row that says no more than that.
create function es.follow_page(p_after bigint, p_limit int, p_wait_ms int, p_upto bigint)
returns table (upto bigint, "position" bigint, tenant_id uuid, stream_id uuid, version int, event_id uuid,
  type text, schema_version int, payload bytea, sealed bytea, key_id uuid, correlation_id uuid,
  causation_id uuid, actor text, recorded_at timestamptz, previous_hash bytea, hash bytea, key_alive boolean,
  wrapped bytea)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  -- A statement of its own: what it lets through is committed, so that the next one sees it.
  safe bigint := greatest(p_after, least(es.safe_upto(p_after, p_limit, p_wait_ms), p_upto));
begin
  return query
    select safe, e.position, e.tenant_id, e.stream_id, e.version, e.event_id, e.type, e.schema_version::int,
      e.payload, e.sealed, e.key_id, e.correlation_id, e.causation_id, e.actor, e.recorded_at, e.previous_hash,
      e.hash, k.key_id is not null, k.wrapped
    from es.events e left join app.data_keys k on k.key_id = e.key_id
    where e.position > p_after and e.position <= safe order by e.position limit p_limit;
  if not found then
    upto := safe;
    return next;
  end if;
end $$;
grant execute on function es.follow_page to bp_projector;

-- Write the rows of a page and move the positions, in one round trip. `moved`; or nothing was done:
-- `elsewhere`, the positions are not where they were believed to be, or somebody holds them; `parked`, others
-- wait than those that were believed to; `in_no_log`, the log does not hold the page's last event any more.
create function app.project(
  p_names text[], p_numbers int[], p_position bigint, p_head bytea,      -- what moves, and from where
  p_parked_in text[], p_parked uuid[],                                   -- who waits there
  p_upto bigint, p_last bigint, p_last_hash bytea,                       -- where to, and the last event
  p_projections text[], p_generations int[], p_tenants uuid[], p_features uuid[], p_keys text[],
  p_versions int[], p_rows text[])
returns text language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  found_there int;
begin
  perform from app.positions p
    join unnest(p_names, p_numbers) as w (projection, generation) using (projection, generation)
    where p.position = p_position and p.anchor_hash is not distinct from p_head
      and (p.anchor_position is null or exists (select from es.events e
        where e.position = p.anchor_position and e.hash = p.anchor_hash))
    order by p.projection, p.generation for update of p skip locked;
  get diagnostics found_there = row_count;
  if found_there <> cardinality(p_names) then
    return 'elsewhere';
  end if;
  if (select count(*) from app.parked k
        join unnest(p_names, p_numbers) as w (projection, generation) using (projection, generation))
      <> cardinality(p_parked)
     or exists (select from unnest(p_parked_in, p_parked) as b (projection, feature_id)
        join unnest(p_names, p_numbers) as w (projection, generation) using (projection)
        where not exists (select from app.parked k where k.projection = b.projection
          and k.generation = w.generation and k.feature_id = b.feature_id)) then
    return 'parked';
  end if;
  if p_last is not null
     and not exists (select from es.events e where e.position = p_last and e.hash = p_last_hash) then
    return 'in_no_log';
  end if;
  insert into app.views (projection, generation, tenant_id, feature_id, key, version, row)
    select c.projection, c.generation, c.tenant_id, c.feature_id, c.key, c.version, c.row::jsonb
    from unnest(p_projections, p_generations, p_tenants, p_features, p_keys, p_versions, p_rows)
      as c (projection, generation, tenant_id, feature_id, key, version, row)
    on conflict (projection, generation, tenant_id, feature_id, key)
    do update set version = excluded.version, row = excluded.row;
  update app.positions p set position = p_upto, anchor_position = coalesce(p_last, p.anchor_position),
      anchor_hash = coalesce(p_last_hash, p.anchor_hash), updated_at = clock_timestamp()
    from unnest(p_names, p_numbers) as w (projection, generation)
    where p.projection = w.projection and p.generation = w.generation;
  return 'moved';
end $$;
grant execute on function app.project to bp_projector;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
