-- migrate:up

set local role bp_owner;

-- What an audit asks for beside a tenant's whole log in order: certain types of event, and a stretch of
-- time. Times grow with positions but for the length of a transaction, so a block range says where to look.
create index events_of_type on es.events (tenant_id, type, position);
create index events_in_time on es.events using brin (recorded_at) with (pages_per_range = 32, autosummarize = on);

reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
