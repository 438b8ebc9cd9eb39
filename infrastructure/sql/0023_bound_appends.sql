-- migrate:up

-- What the versions before still asked for, and no version needs any more: rights that go further than the
-- rights of whoever asks. Processes of a version before migration 0016 cannot append or reset passwords from
-- here on; they refuse with an error, and nothing is half done.

set local role bp_owner;
grant create on schema es to bp_appender;
reset role;
set local role bp_appender;

-- An append says whose it is twice: in each item, and in the transaction. Where the transaction is bound to no
-- tenant, or to another one than an item's, nothing is appended.
-- allow rename-used: what was called so appends for whatever tenant it is told; that is the hole to be closed
-- squawk-ignore renaming-object
alter function es.append_batch(text, bytea[], bytea[]) rename to append_items;
-- allow revoke-used: see above, and below for passwords
revoke execute on function es.append_items from bp_api, bp_worker, bp_sweeper;

create function es.append_batch(p_items text, p_payloads bytea[], p_sealed bytea[])
returns table (item int, outcome text, "position" bigint, version int, event_id uuid,
  recorded_at timestamptz, previous_hash bytea, hash bytea)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  bound uuid := app.tenant();
begin
  if bound is null then
    raise exception 'an append in a transaction that is bound to no tenant' using errcode = '42501';
  end if;
  perform from json_to_recordset(p_items::json) as i (tenant_id uuid) where i.tenant_id is distinct from bound;
  if found then
    raise exception 'an append for another tenant than the transaction''s' using errcode = '42501';
  end if;
  return query select a.* from es.append_items(p_items, p_payloads, p_sealed) a;
end $$;
grant execute on function es.append_batch to bp_api, bp_worker, bp_sweeper;
reset role;
set local role bp_owner;
revoke create on schema es from bp_appender;
reset role;

-- A password is set by a reset token (app.reset_password) or not at all.
set local role bp_identity;
revoke execute on function app.set_password, app.use_reset from bp_api;
reset role;

-- migrate:down

-- Only ever forward: what a migration did wrong, a later one puts right.
