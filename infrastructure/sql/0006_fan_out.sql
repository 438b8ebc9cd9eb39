-- migrate:up

set local role bp_owner;

-- Messages that failed each of their deliveries, with the cause.
create table app.dead_letters (
  id uuid primary key,
  consumer text not null,
  event_id uuid not null,
  subject text not null,
  position bigint not null,
  deliveries int not null,
  cause text not null,
  at timestamptz not null default clock_timestamp(),
  state text not null default 'waiting' check (state in ('waiting', 'requeued', 'discarded')),
  resolved_at timestamptz,
  resolved_by text,
  unique (consumer, event_id)
);
alter table app.dead_letters enable row level security;
alter table app.dead_letters force row level security;
create policy operate on app.dead_letters to bp_worker, bp_sweeper using (true) with check (true);
grant select, insert, update on app.dead_letters to bp_worker, bp_sweeper;

-- How far each reader of the log has come that keeps no read model.
create table app.cursors (
  name text primary key,
  position bigint not null,
  updated_at timestamptz not null default clock_timestamp()
);
alter table app.cursors enable row level security;
alter table app.cursors force row level security;
create policy keep on app.cursors to bp_worker, bp_relay, bp_sweeper using (true) with check (true);
grant select, insert, update on app.cursors to bp_worker, bp_relay, bp_sweeper;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
