-- migrate:up

set local role bp_owner;

-- As in 0008, with two more events whose payload says which steps resume.
create or replace function es.follow_headers(p_after bigint, p_limit int, p_wait_ms int)
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
      case when e.type in ('feature_retried', 'feature_replayed', 'feature_forked', 'work_resumed',
        'rewrite_requested') then e.payload end
    from es.events e where e.position > p_after and e.position <= upto order by e.position limit p_limit;
end $$;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
