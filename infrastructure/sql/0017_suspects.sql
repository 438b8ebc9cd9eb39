-- migrate:up

set local role bp_owner;

-- A lease that ends without a word, neither with a result nor handed back, is a suspicion: what its worker
-- held at that moment may have ended it. Each such task next runs alone, in a process of its own.
alter table app.tasks add column alone boolean not null default false;
-- How often a lease of it ended so, the present one not counted.
alter table app.tasks add column lost int not null default 0;
comment on column app.tasks.attempt is 'leases so far: 1 for the first one';
comment on column app.tasks.max_attempts is 'leases that may end without a word; then a sweeper fails it';

-- What ended a process of its own, too, was failed. Whoever retries it begins where it ended: alone.
create function app.begins_alone() returns trigger language plpgsql as $$
begin
  new.alone := exists (select from app.tasks t
    where t.feature_id = new.feature_id and t.step = new.step and t.error = 'crashed_alone');
  return new;
end $$;
create trigger begins_alone before insert on app.tasks for each row execute function app.begins_alone();

-- Lease up to p_limit tasks of these steps, and of those up to p_alone that are to run alone. The
-- least-loaded tenant first, oldest first within a tenant, at most p_per_tenant running each.
--
-- With p_take_over also tasks whose worker fell silent. Whoever could not reach the database itself is no
-- judge of that: the silent one may have had no other trouble.
create function app.lease(p_worker text, p_steps text[], p_limit int, p_lease_seconds float8, p_per_tenant int,
  p_alone int, p_take_over boolean)
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
  suspects as (
    select r.task_id, r.not_before,
      l.running + row_number() over (partition by l.tenant_id order by r.not_before, r.task_id) as place
    from load l cross join lateral (
      (select t.task_id, t.not_before from app.tasks t
       where t.tenant_id = l.tenant_id and t.status = 'queued' and t.alone
         and t.not_before <= statement_timestamp() and t.step = any (p_steps)
       order by t.not_before limit least(p_per_tenant, p_alone * 4))
      union all
      (select t.task_id, t.not_before from app.tasks t
       where p_take_over and t.tenant_id = l.tenant_id and t.status = 'running'
         and t.lease_until <= statement_timestamp() and t.step = any (p_steps)
         and t.lost + 1 < t.max_attempts
       order by t.not_before limit least(p_per_tenant, p_alone * 4))
    ) r
    where l.running < p_per_tenant
  ),
  alone as (
    -- Looked at more of than asked for: other claimers, who skip what is locked, look at the same ones.
    select t.task_id, t.tenant_id from app.tasks t
      join (select * from suspects where place <= p_per_tenant order by place, not_before limit p_alone * 4) r
        using (task_id)
    where (t.status = 'queued' and t.not_before <= statement_timestamp())
       or (t.status = 'running' and t.lease_until <= statement_timestamp())
    order by r.place, r.not_before limit least(p_alone, p_limit) for update of t skip locked
  ),
  ready as (
    select r.task_id, r.not_before,
      l.running + row_number() over (partition by l.tenant_id order by r.not_before, r.task_id) as place
    from (select l.tenant_id, l.running + (select count(*) from alone a where a.tenant_id = l.tenant_id)
            as running from load l) l
    cross join lateral (
      select t.task_id, t.not_before from app.tasks t
      where t.tenant_id = l.tenant_id and t.status = 'queued' and not t.alone
        and t.not_before <= statement_timestamp() and t.step = any (p_steps)
      order by t.not_before limit least(p_per_tenant, p_limit * 4)
    ) r
    where l.running < p_per_tenant
  ),
  together as (
    select t.task_id from app.tasks t
      join (select * from ready where place <= p_per_tenant order by place, not_before limit p_limit * 4) r
        using (task_id)
    where t.status = 'queued' and not t.alone and t.not_before <= statement_timestamp()
    order by r.place, r.not_before limit p_limit - (select count(*) from alone) for update of t skip locked
  )
  update app.tasks t set
      status = 'running', attempt = t.attempt + 1, fence = nextval('app.fences'), lease_owner = p_worker,
      alone = t.alone or t.status = 'running', lost = t.lost + (t.status = 'running')::int,
      lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds),
      started_at = clock_timestamp(), last_progress_at = clock_timestamp()
    from (select task_id from alone union all select task_id from together) picked
    where t.task_id = picked.task_id returning t.*
$$;

-- Workers of the version before run nothing alone: what is to run alone they leave to later ones.
create or replace function app.claim(p_worker text, p_steps text[], p_limit int, p_lease_seconds float8,
  p_per_tenant int)
returns setof app.tasks language sql volatile as $$
  select * from app.lease(p_worker, p_steps, p_limit, p_lease_seconds, p_per_tenant, 0, false)
$$;

-- Give tasks back as they were claimed: nothing was done, or no more than the log says. It is no attempt
-- that failed, and no suspicion.
create function app.hand_back(p_tasks uuid[], p_fences bigint[], p_pause_seconds float8, p_error text)
returns setof uuid language sql volatile as $$
  with ours as (
    select t.task_id from app.tasks t
    join unnest(p_tasks, p_fences) as a (task_id, fence) on t.task_id = a.task_id and t.fence = a.fence
    where t.status = 'running' order by t.feature_id, t.task_id for update of t
  )
  update app.tasks t set
      status = 'queued', lease_owner = null, lease_until = null, error = p_error,
      not_before = clock_timestamp() + make_interval(secs => p_pause_seconds)
    from ours where t.task_id = ours.task_id returning t.task_id
$$;

-- Take over, with a new fence, what gave no sign of life for so long or has lost too many workers, so that
-- one process fails each. A taker that dies in turn leaves it to be taken again after p_lease_seconds.
-- What was handed back waits for a worker, however often that was.
create or replace function app.stuck(p_worker text, p_silent_seconds float8, p_limit int,
  p_lease_seconds float8)
returns setof app.tasks language sql volatile as $$
  with found as (
    select t.task_id from app.tasks t
    where (t.status = 'running' and t.last_progress_at
             <= clock_timestamp() - make_interval(secs => p_silent_seconds)
           and (t.lease_owner <> p_worker or t.lease_until <= clock_timestamp()))
       or (t.status = 'running' and t.lease_until <= clock_timestamp() and t.lost + 1 >= t.max_attempts)
    order by t.created_at limit p_limit for update skip locked
  )
  update app.tasks t set
      status = 'running', fence = nextval('app.fences'), lease_owner = p_worker,
      lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds),
      last_progress_at = clock_timestamp()
    from found where t.task_id = found.task_id returning t.*
$$;
grant execute on function app.lease, app.hand_back to bp_worker, bp_sweeper;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
