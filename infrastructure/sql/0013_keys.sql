-- migrate:up

set local role bp_owner;

-- Whoever rotates the master key rewraps what it wraps and sees nothing else: not one sealed record.
create policy rewrap on app.data_keys to bp_keeper using (true) with check (true);
create policy rewrap on app.signing_keys to bp_keeper using (true) with check (true);
create policy rewrap on app.log_keys to bp_keeper using (true) with check (true);
grant select (key_id, tenant_id, scope, wrapped) on app.data_keys to bp_keeper;
grant select (kid, sealed) on app.signing_keys to bp_keeper;
grant select (log_id, sealed) on app.log_keys to bp_keeper;
grant update (wrapped) on app.data_keys to bp_keeper;
grant update (sealed) on app.signing_keys to bp_keeper;
grant update (sealed) on app.log_keys to bp_keeper;

reset role;

-- migrate:down

-- Only ever forward.
