-- migrate:up

set local role bp_owner;

-- Every request to a model, written down before it leaves.
create table app.model_calls (
  task_id uuid not null,
  attempt int not null,
  turn int not null,
  tenant_id uuid not null,
  feature_id uuid not null,
  request_sha256 text not null,
  announced int not null default 1,      -- how often this very request was sent
  announced_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz,
  outcome text,                          -- null: unknown. `answered`, or an error's code
  tokens jsonb,
  answer bytea,                          -- sealed under the feature's data key
  key_id uuid,
  primary key (task_id, attempt, turn),
  check ((answer is null) = (key_id is null))
);
create index model_calls_of_feature on app.model_calls (feature_id);
alter table app.model_calls enable row level security;
alter table app.model_calls force row level security;
create policy of_tenant on app.model_calls to bp_owner, bp_api, bp_worker
  using (tenant_id = (select app.tenant())) with check (tenant_id = (select app.tenant()));
create policy audit on app.model_calls for select to bp_sweeper using (true);
grant select on app.model_calls to bp_api, bp_sweeper;
grant select, insert, update on app.model_calls to bp_worker;

-- Write a request down before it leaves, under a live lease; again is counted. `lease`: the lease ran out,
-- or is another's. `other`: the turn stands there with another request, or is answered already.
--
-- The task's row is held until the end, so that whoever leases it next finds every request in the ledger
-- that may still leave under this lease.
create function app.announce_call(p_tenant uuid, p_feature uuid, p_task uuid, p_fence bigint, p_attempt int,
  p_turn int, p_request_sha256 text)
returns text language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform app.enter(p_tenant);
  perform from app.tasks t
    where t.task_id = p_task and t.tenant_id = p_tenant and t.fence = p_fence and t.status = 'running'
      and t.lease_until > clock_timestamp() for share;
  if not found then
    return 'lease';
  end if;
  insert into app.model_calls as c (task_id, attempt, turn, tenant_id, feature_id, request_sha256)
    values (p_task, p_attempt, p_turn, p_tenant, p_feature, p_request_sha256)
    on conflict (task_id, attempt, turn) do update set announced = c.announced + 1
    where c.request_sha256 = excluded.request_sha256 and c.answer is null;
  return case when found then 'announced' else 'other' end;
end $$;

-- Write down what came back; a stored answer stays. Without its data key, which went with the feature, an
-- answer is not kept. False when there is no such request.
create function app.settle_call(p_tenant uuid, p_task uuid, p_attempt int, p_turn int,
  p_request_sha256 text, p_outcome text, p_tokens jsonb, p_answer bytea, p_key uuid)
returns boolean language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  alive boolean;
begin
  perform app.enter(p_tenant);
  alive := exists (select from app.data_keys k where k.key_id = p_key);
  update app.model_calls c set settled_at = clock_timestamp(), outcome = p_outcome, tokens = p_tokens,
      answer = case when alive then p_answer end, key_id = case when alive then p_key end
    where c.task_id = p_task and c.attempt = p_attempt and c.turn = p_turn
      and c.request_sha256 = p_request_sha256 and c.answer is null;
  return found or exists (select from app.model_calls c where c.task_id = p_task
    and c.attempt = p_attempt and c.turn = p_turn and c.request_sha256 = p_request_sha256);
end $$;

create function app.calls_of(p_tenant uuid, p_feature uuid, p_task uuid)
returns table (attempt int, turn int, request_sha256 text, answer bytea, key_id uuid, outcome text,
  tokens text)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform app.enter(p_tenant);
  return query select c.attempt, c.turn, c.request_sha256, c.answer, c.key_id, c.outcome, c.tokens::text
    from app.model_calls c
    where c.tenant_id = p_tenant and c.feature_id = p_feature and c.task_id = p_task
    order by c.announced_at, c.attempt, c.turn;
end $$;

-- The same for many calls of many tenants in one transaction, one after the other, each as its own tenant.
-- Rows of tasks are locked first, in the order in which everybody waits for them (app.tasks).
create function app.announce_calls(p_tenants uuid[], p_features uuid[], p_tasks uuid[], p_fences bigint[],
  p_attempts int[], p_turns int[], p_requests text[])
returns setof text language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  bound boolean := app.tenant() is not null;
begin
  perform from app.tasks t where t.task_id = any (p_tasks) order by t.feature_id, t.task_id for share;
  for n in 1 .. cardinality(p_tasks) loop
    return next app.announce_call(p_tenants[n], p_features[n], p_tasks[n], p_fences[n], p_attempts[n],
      p_turns[n], p_requests[n]);
    if not bound then
      perform set_config('bp.tenant', '', true);
    end if;
  end loop;
end $$;

create function app.settle_calls(p_tenants uuid[], p_tasks uuid[], p_attempts int[], p_turns int[],
  p_requests text[], p_outcomes text[], p_tokens text[], p_answers bytea[], p_keys uuid[])
returns setof boolean language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  bound boolean := app.tenant() is not null;
begin
  for n in 1 .. cardinality(p_tasks) loop
    return next app.settle_call(p_tenants[n], p_tasks[n], p_attempts[n], p_turns[n], p_requests[n],
      p_outcomes[n], p_tokens[n]::jsonb, p_answers[n], p_keys[n]);
    if not bound then
      perform set_config('bp.tenant', '', true);
    end if;
  end loop;
end $$;
grant execute on function app.announce_call, app.announce_calls, app.settle_call, app.settle_calls,
  app.calls_of to bp_worker;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
