-- migrate:up

-- One role for each process, none of them owner, superuser or able to bypass row-level security.
-- Nobody logs in as one of these: a process connects as the URL's user and becomes its role.
-- bp_owner owns tables; bp_appender and bp_identity own the few functions that must look across
-- tenants (group commit; a login before the tenant is known), with only the rights those need.
do $$
declare
  wanted text;
begin
  foreach wanted in array array['bp_owner', 'bp_appender', 'bp_identity', 'bp_api', 'bp_worker',
                                'bp_relay', 'bp_projector', 'bp_sweeper', 'bp_keeper'] loop
    begin
      execute format('create role %I nologin', wanted);
    exception when duplicate_object or unique_violation then
      null;  -- Roles belong to the cluster: another database of ours, or another migration, was first.
    end;
    -- From version 16 on, membership alone no longer lets a role's creator become that role.
    if not (select rolsuper from pg_roles where rolname = current_user)
       and not pg_has_role(current_user, wanted, case when current_setting('server_version_num')::int
                                                      >= 160000 then 'SET' else 'MEMBER' end) then
      execute format('grant %I to %I', wanted, current_user);
    end if;
  end loop;
end $$;

revoke create on schema public from public;
alter default privileges for role bp_owner, bp_appender, bp_identity revoke execute on functions from public;

create schema es authorization bp_owner;
create schema app authorization bp_owner;

set local role bp_owner;
grant usage on schema es, app to bp_appender, bp_identity, bp_api, bp_worker, bp_relay, bp_projector,
  bp_sweeper, bp_keeper;

-- The tenant of the transaction, null outside of one: every policy compares with this. Policies call it
-- in a sub-select, so that it runs once for each statement and not once for each row.
create function app.tenant() returns uuid language sql stable parallel safe as
  $$ select nullif(current_setting('bp.tenant', true), '')::uuid $$;

-- Make this tenant the transaction's, for a function that is a whole transaction in one call. A transaction
-- that is already a tenant's never becomes another's.
create function app.enter(p_tenant uuid) returns void language plpgsql volatile as $$
declare
  bound uuid := app.tenant();
begin
  if bound is null then
    perform set_config('bp.tenant', p_tenant::text, true);
  elsif bound <> p_tenant then
    raise exception 'a call for another tenant than the transaction''s' using errcode = '42501';
  end if;
end $$;
grant execute on function app.tenant, app.enter to public;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
