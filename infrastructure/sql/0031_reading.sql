-- migrate:up

set local role bp_owner;

-- A feature's row, and the version that the log has: 0 if there is no such feature. One round trip tells
-- whether the row shows all there is, and from where on it does not.
create function app.standing(p_tenant uuid, p_feature uuid) returns table ("row" text, latest int)
language plpgsql volatile set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  perform app.enter(p_tenant);
  return query
    select (select v.row::text from app.views v
        where v.projection = 'feature' and v.tenant_id = p_tenant and v.feature_id = p_feature and v.key = ''
          and v.generation = (
            select p.generation from app.positions p where p.projection = 'feature' and p.active)),
      coalesce((select s.version from es.streams s
        where s.tenant_id = p_tenant and s.stream_id = p_feature), 0);
end $$;
grant execute on function app.standing to bp_api;

-- A page of the tenant's features, newest first. The primary key has this order: whatever the planner believes
-- of a table whose size it does not know yet, a page never sorts all that the tenant has.
create function app.feature_page(p_tenant uuid, p_before uuid, p_status text, p_title text, p_limit int)
returns table (feature_id uuid, "row" text)
language plpgsql volatile set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
set enable_sort = off set enable_bitmapscan = off set enable_seqscan = off as $$
#variable_conflict use_column
begin
  perform app.enter(p_tenant);
  return query
    select v.feature_id, v.row::text from app.views v
    where v.projection = 'dashboard' and v.tenant_id = p_tenant and v.feature_id < p_before
      and v.generation = (
        select p.generation from app.positions p where p.projection = 'dashboard' and p.active)
      and (p_status is null or v.row ->> 'status' = p_status)
      and (p_title is null or v.row ->> 'title' ilike p_title)
    order by v.feature_id desc limit p_limit;
end $$;

-- The same of those that were forked from one.
create function app.fork_page(p_tenant uuid, p_feature uuid, p_before uuid, p_limit int)
returns table (feature_id uuid, "row" text)
language plpgsql volatile set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
  perform app.enter(p_tenant);
  return query
    select v.feature_id, v.row::text from es.streams s
    join app.views v on v.projection = 'dashboard' and v.tenant_id = s.tenant_id
      and v.feature_id = s.stream_id
    where s.tenant_id = p_tenant and s.forked_from = p_feature and v.feature_id < p_before
      and v.generation = (
        select p.generation from app.positions p where p.projection = 'dashboard' and p.active)
    order by v.feature_id desc limit p_limit;
end $$;
grant execute on function app.feature_page, app.fork_page to bp_api;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
