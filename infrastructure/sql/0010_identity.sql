-- migrate:up

set local role bp_owner;

-- Emails and tokens are looked up before anybody knows the tenant: by the functions below only, which
-- answer exactly one question each. No process may read these tables at large.
create table app.accounts (
  user_id uuid primary key,
  tenant_id uuid not null,
  email text not null unique check (email = lower(email) and length(email) between 3 and 320),
  password_hash text not null,
  created_at timestamptz not null default clock_timestamp()
);
create index accounts_of_tenant on app.accounts (tenant_id);

create table app.refresh_families (
  family_id uuid primary key,
  user_id uuid not null references app.accounts,
  tenant_id uuid not null,
  expires_at timestamptz not null,
  ended_at timestamptz
);
create index refresh_families_of_user on app.refresh_families (user_id) where ended_at is null;
create index refresh_families_expired on app.refresh_families (expires_at);

create table app.refresh_tokens (
  token_sha256 bytea primary key check (length(token_sha256) = 32),
  family_id uuid not null references app.refresh_families on delete cascade,
  user_id uuid not null,
  tenant_id uuid not null,
  issued_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  replaces bytea               -- the token that was exchanged for this one
);
create index refresh_tokens_of_family on app.refresh_tokens (family_id);

create table app.password_resets (
  token_sha256 bytea primary key check (length(token_sha256) = 32),
  user_id uuid not null references app.accounts,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index password_resets_of_user on app.password_resets (user_id);

create table app.signing_keys (
  kid text primary key,
  sealed bytea not null,
  public_jwk jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  retired_at timestamptz
);

create table app.api_keys (
  tenant_id uuid primary key,
  sealed bytea not null,
  last4 text not null,
  verified boolean not null default false,
  updated_at timestamptz not null default clock_timestamp()
);

do $$
declare
  name text;
begin
  foreach name in array array['accounts', 'refresh_families', 'refresh_tokens', 'password_resets',
                              'signing_keys', 'api_keys'] loop
    execute format('alter table app.%I enable row level security', name);
    execute format('alter table app.%I force row level security', name);
    if name not in ('signing_keys', 'password_resets') then
      execute format('create policy of_tenant on app.%I to bp_owner, bp_api
        using (tenant_id = (select app.tenant())) with check (tenant_id = (select app.tenant()))', name);
    end if;
    if name not in ('signing_keys', 'api_keys') then
      execute format('create policy ask on app.%I to bp_identity using (true) with check (true)', name);
      execute format('grant select, insert, update, delete on app.%I to bp_identity', name);
    end if;
  end loop;
end $$;

-- The API makes and publishes signing keys; they belong to no tenant and are sealed under the master key.
create policy sign on app.signing_keys to bp_api using (true) with check (true);
grant select, insert, update on app.signing_keys to bp_api;

-- The API stores and replaces a tenant's key and never reads it; a worker opens it for one call. An
-- "on conflict do update" must give the new bytes again: `excluded.sealed` would be reading.
create policy work on app.api_keys for select to bp_worker using (tenant_id = (select app.tenant()));
grant select (tenant_id, last4, verified, updated_at), insert, update, delete on app.api_keys to bp_api;
grant select on app.api_keys to bp_worker;

grant create on schema app to bp_identity;
reset role;
set local role bp_identity;

create function app.account_by_email(p_email text) returns setof app.accounts
language sql stable security definer set search_path = pg_catalog, pg_temp as
  $$ select a.* from app.accounts a where a.email = lower(p_email) $$;

create function app.account_by_id(p_user uuid) returns setof app.accounts
language sql stable security definer set search_path = pg_catalog, pg_temp as
  $$ select a.* from app.accounts a where a.user_id = p_user $$;

-- False when the email already has an account.
create function app.open_account(p_user uuid, p_tenant uuid, p_email text, p_password_hash text)
returns boolean language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into app.accounts (user_id, tenant_id, email, password_hash)
    values (p_user, p_tenant, lower(p_email), p_password_hash) on conflict do nothing;
  return found;
end $$;

create function app.set_password(p_user uuid, p_password_hash text)
returns boolean language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  update app.accounts a set password_hash = p_password_hash where a.user_id = p_user;
  return found;
end $$;

create function app.refresh_start(p_token_sha256 bytea, p_family uuid, p_user uuid, p_tenant uuid,
  p_issued_at timestamptz, p_expires_at timestamptz, p_family_expires_at timestamptz)
returns void language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  insert into app.refresh_families (family_id, user_id, tenant_id, expires_at)
    values (p_family, p_user, p_tenant, p_family_expires_at);
  insert into app.refresh_tokens (token_sha256, family_id, user_id, tenant_id, issued_at, expires_at)
    values (p_token_sha256, p_family, p_user, p_tenant, p_issued_at, p_expires_at);
$$;

create function app.refresh_find(p_token_sha256 bytea)
returns table (token_sha256 bytea, family_id uuid, user_id uuid, tenant_id uuid, issued_at timestamptz,
  expires_at timestamptz, family_expires_at timestamptz, used_at timestamptz, family_ended_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select t.token_sha256, t.family_id, t.user_id, t.tenant_id, t.issued_at, t.expires_at, f.expires_at,
    t.used_at, f.ended_at
  from app.refresh_tokens t join app.refresh_families f using (family_id)
  where t.token_sha256 = p_token_sha256
$$;

-- Mark a token as used and store its successor, both or neither. If it was used already, the token that it
-- was exchanged for is marked as used instead: its answer got lost. False when that one was used too or the
-- family has ended. The family's row is locked first: one that ends now does not keep the successor.
create function app.refresh_replace(p_used_sha256 bytea, p_token_sha256 bytea, p_issued_at timestamptz,
  p_expires_at timestamptz)
returns boolean language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  family app.refresh_families;
begin
  select f.* into family from app.refresh_families f
    join app.refresh_tokens t using (family_id) where t.token_sha256 = p_used_sha256 for update of f;
  if not found or family.ended_at is not null then
    return false;
  end if;
  update app.refresh_tokens t set used_at = p_issued_at
    where t.token_sha256 = p_used_sha256 and t.used_at is null;
  if not found then
    update app.refresh_tokens t set used_at = p_issued_at
      where t.family_id = family.family_id and t.replaces = p_used_sha256 and t.used_at is null;
    if not found then
      return false;
    end if;
  end if;
  insert into app.refresh_tokens (token_sha256, family_id, user_id, tenant_id, issued_at, expires_at, replaces)
    values (p_token_sha256, family.family_id, family.user_id, family.tenant_id, p_issued_at, p_expires_at,
            p_used_sha256);
  return true;
end $$;

create function app.refresh_end_family(p_family uuid, p_at timestamptz)
returns void language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  update app.refresh_families f set ended_at = p_at where f.family_id = p_family and f.ended_at is null
$$;

create function app.refresh_end_user(p_user uuid, p_at timestamptz)
returns void language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  update app.refresh_families f set ended_at = p_at where f.user_id = p_user and f.ended_at is null
$$;

-- Families and resets that ended or expired before this moment; how many families went.
create function app.forget_expired(p_before timestamptz)
returns int language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  n int;
begin
  delete from app.password_resets r where r.expires_at < p_before;
  delete from app.refresh_families f where f.expires_at < p_before;
  get diagnostics n = row_count;
  return n;
end $$;

create function app.open_reset(p_token_sha256 bytea, p_user uuid, p_expires_at timestamptz)
returns void language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  insert into app.password_resets (token_sha256, user_id, expires_at)
    values (p_token_sha256, p_user, p_expires_at)
$$;

-- Use a reset token, once: whose it is, or null. Every other open reset of that user goes with it.
create function app.use_reset(p_token_sha256 bytea, p_at timestamptz)
returns uuid language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  whose uuid;
begin
  update app.password_resets r set used_at = p_at
    where r.token_sha256 = p_token_sha256 and r.used_at is null and r.expires_at > p_at
    returning r.user_id into whose;
  update app.password_resets r set used_at = p_at where r.user_id = whose and r.used_at is null;
  return whose;
end $$;

grant execute on function app.account_by_email, app.account_by_id, app.open_account, app.set_password,
  app.refresh_start, app.refresh_find, app.refresh_replace, app.refresh_end_family, app.refresh_end_user,
  app.open_reset, app.use_reset to bp_api;
grant execute on function app.forget_expired to bp_sweeper;

reset role;
set local role bp_owner;
revoke create on schema app from bp_identity;
reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
