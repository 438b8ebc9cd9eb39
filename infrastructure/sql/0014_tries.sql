-- migrate:up

set local role bp_owner;

-- How often somebody has tried what all processes count together: a leaky bucket for each name, written as
-- the moment at which it is empty again. A name whose moment has passed is as good as none.
create table app.tries (
  name text primary key check (length(name) between 1 and 200),
  empty_at timestamptz not null
);
create index tries_empty on app.tries (empty_at);
alter table app.tries enable row level security;
alter table app.tries force row level security;
create policy count on app.tries to bp_identity using (true) with check (true);
grant select, insert, update, delete on app.tries to bp_identity;

grant create on schema app to bp_identity;
reset role;
set local role bp_identity;

-- Count one try under each name, and 0; or count none, and the seconds until it is worth trying again.
-- A try fills p_each seconds of a bucket that holds p_full. Names are locked in their order, so that two
-- who take the same ones wait for each other and no more.
create function app.take_tries(p_names text[], p_each double precision[], p_full double precision[])
returns double precision language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  moment timestamptz := clock_timestamp();
  longest double precision := 0;
begin
  delete from app.tries where name in (
    select t.name from app.tries t where t.empty_at < moment and t.name <> all (p_names)
      order by t.empty_at limit 100 for update skip locked);
  insert into app.tries (name, empty_at) select asked.name, moment from unnest(p_names) asked (name)
    order by asked.name on conflict (name) do update set empty_at = greatest(tries.empty_at, moment);
  -- A clock that was set back leaves moments too far ahead: nothing is fuller than full.
  update app.tries t set empty_at = moment + make_interval(secs => asked.whole)
    from unnest(p_names, p_full) asked (name, whole)
    where t.name = asked.name and t.empty_at > moment + make_interval(secs => asked.whole);
  select max(extract(epoch from t.empty_at - moment) + asked.each - asked.whole) into longest
    from unnest(p_names, p_each, p_full) asked (name, each, whole) join app.tries t using (name);
  -- What only the rounding of a clock is over is not over.
  if longest > 0.000001 then
    return longest;
  end if;
  update app.tries t set empty_at = t.empty_at + make_interval(secs => asked.each)
    from unnest(p_names, p_each) asked (name, each) where t.name = asked.name;
  return 0;
end $$;

create function app.give_back_try(p_name text, p_each double precision)
returns void language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  update app.tries t set empty_at = t.empty_at - make_interval(secs => p_each) where t.name = p_name
$$;

grant execute on function app.take_tries, app.give_back_try to bp_api;

reset role;
set local role bp_owner;
revoke create on schema app from bp_identity;
reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
