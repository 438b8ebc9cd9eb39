-- migrate:up

set local role bp_owner;

-- What began before this moment has ended: it moves when a password is set anew.
alter table app.accounts add column sessions_valid_from timestamptz not null default '1970-01-01T00:00:00Z';

-- Whether a token was given in the cookie that only this host can set. Tokens of the version before were
-- not; they are taken from the old cookie until they expire, and no newer ones are.
alter table app.refresh_tokens add column prefixed boolean not null default false;

-- Sessions that ended lately, for every process that checks access tokens: those outlive their session.
create table app.ended_sessions (
  session_id uuid primary key,
  ended_at timestamptz not null
);
create index ended_sessions_in_time on app.ended_sessions (ended_at);

-- Networks of an account's good sign-ins, each as a keyed digest that tells nothing and fits no other account.
create table app.known_networks (
  user_id uuid not null references app.accounts on delete cascade,
  mark bytea not null check (length(mark) = 32),
  seen_at timestamptz not null,
  primary key (user_id, mark)
);

alter table app.ended_sessions enable row level security;
alter table app.ended_sessions force row level security;
alter table app.known_networks enable row level security;
alter table app.known_networks force row level security;
create policy ask on app.ended_sessions to bp_identity using (true) with check (true);
create policy ask on app.known_networks to bp_identity using (true) with check (true);
grant select, insert, update, delete on app.ended_sessions to bp_identity;
grant select, insert, update, delete on app.known_networks to bp_identity;

grant create on schema app to bp_identity;
reset role;
set local role bp_identity;

create function app.find_account(p_email text, p_networks bytea[])
returns table (user_id uuid, tenant_id uuid, email text, password_hash text, sessions_valid_from timestamptz,
  knows_network boolean)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select a.user_id, a.tenant_id, a.email, a.password_hash, a.sessions_valid_from,
    exists (select from app.known_networks n where n.user_id = a.user_id and n.mark = any (p_networks))
  from app.accounts a where a.email = lower(p_email)
$$;

-- Of each account the newest 20: whoever signs in from many places pushes out what is old, nothing else.
create function app.know_network(p_user uuid, p_mark bytea, p_at timestamptz)
returns void language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  insert into app.known_networks as n (user_id, mark, seen_at) values (p_user, p_mark, p_at)
    on conflict (user_id, mark) do update set seen_at = greatest(n.seen_at, excluded.seen_at);
  delete from app.known_networks n where n.user_id = p_user and n.mark not in (
    select k.mark from app.known_networks k where k.user_id = p_user order by k.seen_at desc limit 20);
$$;

-- The same password under a newer hash, if it is still the hash that was verified.
create function app.rehash_password(p_user uuid, p_old_hash text, p_new_hash text)
returns boolean language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  update app.accounts a set password_hash = p_new_hash
    where a.user_id = p_user and a.password_hash = p_old_hash;
  return found;
end $$;

-- False when the account's password was set anew since `p_valid_from` was read: the sign-in was with the old
-- one. The account's row is held meanwhile, so that a reset is before this or after it.
create function app.session_start(p_token_sha256 bytea, p_session uuid, p_user uuid, p_tenant uuid,
  p_issued_at timestamptz, p_expires_at timestamptz, p_session_expires_at timestamptz,
  p_valid_from timestamptz)
returns boolean language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform from app.accounts a
    where a.user_id = p_user and a.tenant_id = p_tenant and a.sessions_valid_from = p_valid_from for share;
  if not found then
    return false;
  end if;
  insert into app.refresh_families (family_id, user_id, tenant_id, expires_at)
    values (p_session, p_user, p_tenant, p_session_expires_at);
  insert into app.refresh_tokens (token_sha256, family_id, user_id, tenant_id, issued_at, expires_at, prefixed)
    values (p_token_sha256, p_session, p_user, p_tenant, p_issued_at, p_expires_at, true);
  return true;
end $$;

create function app.session_find(p_token_sha256 bytea)
returns table (token_sha256 bytea, session_id uuid, user_id uuid, tenant_id uuid, issued_at timestamptz,
  expires_at timestamptz, session_expires_at timestamptz, used_at timestamptz, ended_at timestamptz,
  prefixed boolean)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select t.token_sha256, t.family_id, t.user_id, t.tenant_id, t.issued_at, t.expires_at, f.expires_at,
    t.used_at, f.ended_at, t.prefixed
  from app.refresh_tokens t join app.refresh_families f using (family_id)
  where t.token_sha256 = p_token_sha256
$$;

-- Exchange a token for a successor, both or neither. Two requests that are sent at once with one token get two
-- successors, and whichever their client keeps is good: the first that is used makes those beside it worthless.
-- A token that was used is exchanged again only as long as nothing that it was exchanged for was used; how long
-- after its first use is the caller's to say. The family's row is locked first: one that ends now does not keep
-- the successor.
create function app.session_exchange(p_used_sha256 bytea, p_token_sha256 bytea, p_issued_at timestamptz,
  p_expires_at timestamptz)
returns boolean language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  family app.refresh_families;
  before bytea;
begin
  select f.* into family from app.refresh_families f
    join app.refresh_tokens t using (family_id) where t.token_sha256 = p_used_sha256 for update of f;
  if not found or family.ended_at is not null then
    return false;
  end if;
  update app.refresh_tokens t set used_at = p_issued_at
    where t.token_sha256 = p_used_sha256 and t.used_at is null returning t.replaces into before;
  if found then
    update app.refresh_tokens t set used_at = p_issued_at
      where t.family_id = family.family_id and t.replaces = before and t.used_at is null;
  else
    perform from app.refresh_tokens t where t.family_id = family.family_id and t.replaces = p_used_sha256
      having count(*) > 0 and count(*) = count(*) filter (where t.used_at is null);
    if not found then
      return false;
    end if;
  end if;
  insert into app.refresh_tokens (token_sha256, family_id, user_id, tenant_id, issued_at, expires_at, replaces,
      prefixed)
    values (p_token_sha256, family.family_id, family.user_id, family.tenant_id, p_issued_at, p_expires_at,
            p_used_sha256, true);
  return true;
end $$;

-- These two are as before, and say who has to hear of it.
create or replace function app.refresh_end_family(p_family uuid, p_at timestamptz)
returns void language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  with ended as (
    update app.refresh_families f set ended_at = p_at where f.family_id = p_family and f.ended_at is null
    returning f.family_id)
  insert into app.ended_sessions (session_id, ended_at) select e.family_id, p_at from ended e
    on conflict do nothing
$$;

create or replace function app.refresh_end_user(p_user uuid, p_at timestamptz)
returns void language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  with ended as (
    update app.refresh_families f set ended_at = p_at where f.user_id = p_user and f.ended_at is null
    returning f.family_id)
  insert into app.ended_sessions (session_id, ended_at) select e.family_id, p_at from ended e
    on conflict do nothing
$$;

create function app.sessions_ended_since(p_since timestamptz)
returns table (session_id uuid, ended_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select e.session_id, e.ended_at from app.ended_sessions e where e.ended_at >= p_since
$$;

-- Whose address a reset token is good for; it stays good.
create function app.reset_of(p_token_sha256 bytea, p_at timestamptz)
returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select a.email from app.password_resets r join app.accounts a using (user_id)
  where r.token_sha256 = p_token_sha256 and r.used_at is null and r.expires_at > p_at
$$;

-- Set a password by a reset token, once, and by nothing else: whose it is, or null. All sessions end, every
-- other open reset goes, and no network is known any more: this may be whom it was meant to keep out.
create function app.reset_password(p_token_sha256 bytea, p_password_hash text, p_at timestamptz)
returns uuid language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  whose uuid := app.use_reset(p_token_sha256, p_at);
begin
  if whose is null then
    return null;
  end if;
  update app.accounts a set password_hash = p_password_hash,
      sessions_valid_from = greatest(p_at, a.sessions_valid_from + interval '1 microsecond')
    where a.user_id = whose;
  perform app.refresh_end_user(whose, p_at);
  delete from app.known_networks n where n.user_id = whose;
  return whose;
end $$;

create or replace function app.forget_expired(p_before timestamptz)
returns int language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  n int;
begin
  delete from app.password_resets r where r.expires_at < p_before;
  delete from app.ended_sessions e where e.ended_at < p_before - interval '1 day';
  delete from app.refresh_families f where f.expires_at < p_before;
  get diagnostics n = row_count;
  return n;
end $$;

grant execute on function app.find_account, app.know_network, app.rehash_password, app.session_start,
  app.session_find, app.session_exchange, app.sessions_ended_since, app.reset_of, app.reset_password to bp_api;

reset role;
set local role bp_owner;
revoke create on schema app from bp_identity;
reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
