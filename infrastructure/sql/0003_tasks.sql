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
-- Finished rows leave the indexes of what is open, so that the queue stays as small as what is open.
create index tasks_open on app.tasks (tenant_id, status, not_before) where status in ('queued', 'running');
create index tasks_of_feature on app.tasks (feature_id) where status in ('queued', 'running');
-- What is finished is kept for a while, and removed by its age.
create index tasks_finished on app.tasks (finished_at) where status in ('done', 'failed', 'cancelled');
alter table app.tasks set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
create sequence app.fences cache 1;

alter table app.tasks enable row level security;
alter table app.tasks force row level security;
create policy of_tenant on app.tasks for select to bp_owner, bp_api using (tenant_id = (select app.tenant()));
create policy work on app.tasks to bp_worker, bp_sweeper using (true) with check (true);
create policy append on app.tasks to bp_appender using (true) with check (true);
grant select on app.tasks to bp_api;
grant select, insert, update on app.tasks to bp_worker, bp_sweeper;
grant delete on app.tasks to bp_sweeper;
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

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
