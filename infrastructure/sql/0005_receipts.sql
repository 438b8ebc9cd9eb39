-- migrate:up

set local role bp_owner;

-- Idempotency keys with the answer each got; ids, a version and a status, nothing personal.
create table app.receipts (
  tenant_id uuid not null,
  key text not null check (length(key) between 1 and 255),
  request_sha256 text not null,
  accepted jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, key)
);
create index receipts_by_age on app.receipts (created_at);
alter table app.receipts enable row level security;
alter table app.receipts force row level security;
create policy of_tenant on app.receipts to bp_owner, bp_api, bp_worker
  using (tenant_id = (select app.tenant())) with check (tenant_id = (select app.tenant()));
create policy expire on app.receipts to bp_sweeper using (true);
create policy append on app.receipts to bp_appender using (true) with check (true);
grant select on app.receipts to bp_api, bp_worker;
grant select, delete on app.receipts to bp_sweeper;
grant select, insert, update on app.receipts to bp_appender;

-- Objects of deleted features, to be removed from the object store.
create table app.removals (
  tenant_id uuid not null,
  feature_id uuid primary key,
  requested_at timestamptz not null default clock_timestamp(),
  done_at timestamptz
);
create index removals_open on app.removals (requested_at) where done_at is null;
alter table app.removals enable row level security;
alter table app.removals force row level security;
create policy of_tenant on app.removals for select to bp_owner, bp_api using (tenant_id = (select app.tenant()));
create policy remove on app.removals to bp_sweeper using (true) with check (true);
create policy append on app.removals to bp_appender using (true) with check (true);
grant select on app.removals to bp_api;
grant select, update on app.removals to bp_sweeper;
grant select, insert on app.removals to bp_appender;

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
