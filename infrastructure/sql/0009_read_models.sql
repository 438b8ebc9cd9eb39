-- migrate:up

set local role bp_owner;

-- Read models can be thrown away: the projector fills them from the log. A generation is one rebuild;
-- a new one is filled beside the active one, then switched.
create table app.views (
  projection text not null,
  generation int not null,
  tenant_id uuid not null,
  feature_id uuid not null,
  key text not null default '',
  version int not null,
  row jsonb not null,
  primary key (projection, generation, tenant_id, feature_id, key)
) partition by list (projection);
create table app.views_dashboard partition of app.views for values in ('dashboard');
create table app.views_feature partition of app.views for values in ('feature');
create table app.views_message partition of app.views for values in ('message');
create table app.views_file partition of app.views for values in ('file');
create table app.views_run partition of app.views for values in ('run');
create table app.views_in_progress partition of app.views for values in ('in_progress');
create table app.views_other partition of app.views default;
-- The dashboard lists newest first by the primary key: feature ids are version 7, and an index on the
-- row itself would forbid the in-place updates that these tables live on.
create index views_work_now on app.views_in_progress (tenant_id, generation, feature_id desc)
  where row -> 'steps' <> '[]'::jsonb;

alter table app.views enable row level security;
alter table app.views force row level security;
create policy of_tenant on app.views for select to bp_owner, bp_api using (tenant_id = (select app.tenant()));
create policy project on app.views to bp_projector using (true) with check (true);
create policy follow on app.views for select to bp_sweeper using (true);
grant select on app.views to bp_api, bp_sweeper;
grant select, insert, update, delete on app.views to bp_projector;
-- Nobody is granted a partition, but a policy on the parent says nothing of a partition asked by name.
do $$
declare
  part regclass;
begin
  for part in select inhrelid::regclass from pg_inherits where inhparent = 'app.views'::regclass loop
    execute format('alter table %s enable row level security', part);
    execute format('alter table %s force row level security', part);
    execute format('alter table %s set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)', part);
  end loop;
end $$;

create table app.positions (
  projection text not null,
  generation int not null,
  position bigint not null,
  active boolean not null default false,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (projection, generation)
);
create unique index positions_active on app.positions (projection) where active;
alter table app.positions enable row level security;
alter table app.positions force row level security;
create policy read on app.positions for select to bp_api, bp_worker, bp_sweeper using (true);
create policy project on app.positions to bp_projector using (true) with check (true);
grant select on app.positions to bp_api, bp_worker, bp_sweeper;
grant select, insert, update, delete on app.positions to bp_projector;

-- One row of the generation that is shown, as its tenant.
create function app.view_row(p_tenant uuid, p_projection text, p_feature uuid, p_key text) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  perform app.enter(p_tenant);
  return (select v.row::text from app.views v
    where v.projection = p_projection and v.tenant_id = p_tenant and v.feature_id = p_feature and v.key = p_key
      and v.generation = (
        select p.generation from app.positions p where p.projection = p_projection and p.active));
end $$;
grant execute on function app.view_row to bp_api;

-- Streams that a projection cannot apply: they wait here, loudly, and the others go on.
create table app.parked (
  projection text not null,
  generation int not null,
  feature_id uuid not null,
  version int not null,
  error text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (projection, generation, feature_id)
);
alter table app.parked enable row level security;
alter table app.parked force row level security;
create policy read on app.parked for select to bp_api, bp_sweeper using (true);
create policy project on app.parked to bp_projector using (true) with check (true);
grant select (projection, generation, version, at) on app.parked to bp_api;
grant select on app.parked to bp_sweeper;
grant select, insert, update, delete on app.parked to bp_projector;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
