-- migrate:up

set local role bp_owner;

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
