-- migrate:up

set local role bp_owner;

-- The Merkle tree over all events in the order of their positions, as far as it has grown: a compact range.
-- One row, in no way trusted by whoever verifies the log.
create table app.log_tree (
  only_one boolean primary key default true check (only_one),
  size bigint not null default 0 check (size >= 0),
  position bigint not null default 0,
  peaks bytea[] not null default '{}',
  grown_at timestamptz not null default '2000-01-01T00:00:00Z',
  noted_size bigint not null default 0,      -- of the newest signed checkpoint in the object store
  noted_position bigint not null default 0
);
insert into app.log_tree default values;

-- The key that signs checkpoints, sealed under the master key. Made once; nobody may change or remove it,
-- but for sealing the same key under a new master key.
create table app.log_keys (
  only_one boolean primary key default true check (only_one),
  log_id uuid not null,
  public_key bytea not null check (length(public_key) = 32),
  sealed bytea not null,
  created_at timestamptz not null default clock_timestamp()
);

alter table app.log_tree enable row level security;
alter table app.log_tree force row level security;
alter table app.log_keys enable row level security;
alter table app.log_keys force row level security;
create policy grow on app.log_tree to bp_sweeper using (true) with check (true);
create policy look on app.log_tree for select to bp_appender using (true);
create policy sign on app.log_keys to bp_sweeper using (true) with check (true);
create policy publish on app.log_keys for select to bp_api using (true);
grant select, update on app.log_tree to bp_sweeper;
grant select on app.log_tree to bp_appender;
grant select, insert on app.log_keys to bp_sweeper;
grant select (log_id, public_key) on app.log_keys to bp_api;

grant create on schema app to bp_appender;
reset role;
set local role bp_appender;

-- Seconds since the oldest event was recorded that no stored checkpoint covers; 0 if all are covered.
create function app.checkpoint_lag() returns double precision
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(greatest(extract(epoch from clock_timestamp() - (
    select e.recorded_at from es.events e
    where e.position > (select t.noted_position from app.log_tree t) order by e.position limit 1
  )), 0), 0)::double precision
$$;
grant execute on function app.checkpoint_lag to bp_api, bp_sweeper;

reset role;
set local role bp_owner;
revoke create on schema app from bp_appender;
reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
