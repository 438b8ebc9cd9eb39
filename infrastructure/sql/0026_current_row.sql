-- migrate:up

set local role bp_owner;

-- A feature's row, if it shows all that the log holds of the feature: then nobody needs to ask the
-- log where it stands. A row that is behind, or waits parked, is none.
create function app.current_row(p_tenant uuid, p_feature uuid) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  perform app.enter(p_tenant);
  return (select v.row::text from app.views v
    join es.streams s on s.tenant_id = v.tenant_id and s.stream_id = v.feature_id and s.version = v.version
    where v.projection = 'feature' and v.tenant_id = p_tenant and v.feature_id = p_feature and v.key = ''
      and v.generation = (
        select p.generation from app.positions p where p.projection = v.projection and p.active));
end $$;
grant execute on function app.current_row to bp_api;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
