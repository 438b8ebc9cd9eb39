-- migrate:up

set local role bp_owner;

-- Append a batch, each tenant's part bound to that tenant, and lease those of p_tasks that it made to the
-- worker that waits for them, in the same transaction: as app.lease would, but for the look through the queue.
-- No tenant gets more than its share by it. A task that stands leased to this worker since the same append,
-- whose answer was lost, is told again.
--
-- Rows of the batch as es.append_batch gives them; then, with no item, a row for each task that was handed over.
create function app.append_and_hand_over(p_tenants text[], p_items text[], p_payloads bytea[], p_sealed bytea[],
  p_tasks uuid[], p_worker text, p_lease_seconds float8, p_per_tenant int)
returns table (item int, outcome text, "position" bigint, version int, event_id uuid, recorded_at timestamptz,
  previous_hash bytea, hash bytea, task_id uuid, fence bigint)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  for n in 1 .. cardinality(p_tenants) loop
    perform set_config('bp.tenant', p_tenants[n], true);
    return query select a.*, null::uuid, null::bigint
      from es.append_batch(p_items[n], p_payloads, p_sealed) a;
  end loop;
  return query
    with fresh as (
      select t.task_id, t.tenant_id from app.tasks t
      where t.task_id = any (p_tasks) and t.status = 'queued' and t.attempt = 0 and not t.alone
      order by t.feature_id, t.task_id for update of t skip locked
    ),
    placed as (
      select f.task_id, row_number() over (partition by f.tenant_id order by f.task_id)
          + (select count(*) from app.tasks r where r.tenant_id = f.tenant_id and r.status = 'running'
             and r.lease_until > statement_timestamp()) as place
      from fresh f
    ),
    handed as (
      update app.tasks t set
          status = 'running', attempt = 1, fence = nextval('app.fences'), lease_owner = p_worker,
          lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds),
          started_at = clock_timestamp(), last_progress_at = clock_timestamp()
        from placed p where t.task_id = p.task_id and p.place <= p_per_tenant
        returning t.task_id, t.fence
    )
    select null::int, null::text, null::bigint, null::int, null::uuid, null::timestamptz, null::bytea,
      null::bytea, h.task_id, h.fence
    from (
      select handed.task_id, handed.fence from handed
      union all
      select t.task_id, t.fence from app.tasks t
      where t.task_id = any (p_tasks) and t.status = 'running' and t.attempt = 1 and t.lease_owner = p_worker
    ) h;
end $$;
grant execute on function app.append_and_hand_over to bp_worker;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
