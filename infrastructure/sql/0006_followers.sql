-- migrate:up

set local role bp_owner;

-- How far those have come who follow the log without a read model of their own: the reconciler. The
-- relay begins there when its stream is empty, for up to there every due step has its task.
create table app.followers (
  name text primary key,
  position bigint not null check (position >= 0),
  moved_at timestamptz not null default clock_timestamp()
);
alter table app.followers enable row level security;
alter table app.followers force row level security;
create policy read on app.followers for select to bp_relay, bp_worker, bp_api using (true);
create policy follow on app.followers to bp_sweeper using (true) with check (true);
grant select on app.followers to bp_relay, bp_worker, bp_api;
grant select, insert, update on app.followers to bp_sweeper;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
