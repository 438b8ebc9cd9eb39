-- migrate:up

set local role bp_owner;

-- What an operator is alerted by, for every process: numbers over all tenants, and nothing else of theirs.
create policy count on app.dead_letters for select to bp_appender using (true);
create policy count on app.parked for select to bp_appender using (true);
create policy count on app.positions for select to bp_appender using (true);
grant select on app.dead_letters, app.parked, app.positions to bp_appender;
grant select on es.positions to bp_appender;

grant create on schema app to bp_appender;
reset role;
set local role bp_appender;

create function app.figures()
returns table (head bigint, projection_lag bigint, checkpoint_lag float8, due bigint, postponed bigint,
  running bigint, oldest_due float8, failed_lately bigint, dead_letters bigint, parked bigint,
  removals bigint, oldest_removal float8)
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  with log as (
    select case when s.is_called then s.last_value else 0 end as head from es.positions s
  ),
  queue as (
    select t.status, t.not_before <= statement_timestamp() as due, count(*) as tasks,
      min(t.not_before) as oldest
    from app.tasks t where t.status in ('queued', 'running') group by 1, 2
  ),
  gone as (
    select count(*) as features, min(r.requested_at) as oldest from app.removals r where r.done_at is null
  )
  select log.head,
    greatest(0, log.head - coalesce((select min(p.position) from app.positions p where p.active), 0)),
    app.checkpoint_lag(),
    coalesce((select q.tasks from queue q where q.status = 'queued' and q.due), 0),
    coalesce((select q.tasks from queue q where q.status = 'queued' and not q.due), 0),
    coalesce((select sum(q.tasks)::bigint from queue q where q.status = 'running'), 0),
    coalesce((select extract(epoch from statement_timestamp() - q.oldest)::float8
      from queue q where q.status = 'queued' and q.due), 0),
    (select count(*) from app.tasks t where t.status = 'failed'
      and t.finished_at > statement_timestamp() - interval '1 hour'),
    (select count(*) from app.dead_letters d where d.state = 'waiting'),
    (select count(*) from app.parked k join app.positions p using (projection, generation) where p.active),
    gone.features,
    coalesce(extract(epoch from statement_timestamp() - gone.oldest)::float8, 0)
  from log, gone
$$;
grant execute on function app.figures to bp_api, bp_worker, bp_relay, bp_projector, bp_sweeper;

reset role;
set local role bp_owner;
revoke create on schema app from bp_appender;
reset role;

-- migrate:down

-- Only ever forward.
