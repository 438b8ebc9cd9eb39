-- migrate:up

set local role bp_owner;

-- What waits aside, when it is tried again (null: at the next round), and how often it was tried.
alter table app.parked add column tries int not null default 0, add column retry_at timestamptz;
grant select (tries, retry_at) on app.parked to bp_api;
alter table app.removals add column tries int not null default 0, add column retry_at timestamptz,
  add column error text not null default '';

-- Hand a task back that this process cannot do anything about, such as one of a feature to which a newer
-- version wrote: it is no suspicion, and no attempt that failed. The pause grows with the task's age, from
-- p_least seconds to an hour.
create function app.put_off(p_task uuid, p_fence bigint, p_least float8, p_error text)
returns boolean language sql volatile as $$
  with ours as (
    select t.task_id from app.tasks t
    where t.task_id = p_task and t.fence = p_fence and t.status = 'running' for update
  ),
  moved as (
    update app.tasks t set
        status = 'queued', lease_owner = null, lease_until = null, error = p_error,
        not_before = clock_timestamp()
          + least(interval '1 hour', greatest(make_interval(secs => p_least),
                                              (clock_timestamp() - t.created_at) / 4))
      from ours where t.task_id = ours.task_id returning 1
  )
  select exists (select from moved)
$$;
grant execute on function app.put_off to bp_worker, bp_sweeper;

-- A text of a payload; null where the payload is no JSON, so that one damaged event hides no other.
create function app.text_at(p_payload bytea, p_name text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return convert_from(p_payload, 'UTF8')::json ->> p_name;
exception when others then
  return null;
end $$;
grant execute on function app.text_at to bp_api;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
