-- migrate:up

set local role bp_owner;

-- What the database's clock says is compared with times that were stored under it: leases, retries, signs of
-- life. When somebody sets the clock, those times are moved along, so that nothing expires that has not, and
-- nothing waits that is due. How long it really was is known to the processes, whose clocks only grow.
create table app.clock (
  only_one boolean primary key default true check (only_one),
  jumps int not null default 0,              -- how often it was set
  seen timestamptz not null default clock_timestamp()
);
insert into app.clock default values;
alter table app.clock enable row level security;
alter table app.clock force row level security;
create policy keep on app.clock to bp_worker, bp_sweeper using (true) with check (true);
grant select, update on app.clock to bp_worker, bp_sweeper;

-- Notice that the clock was set, and move the stored times along, before anything is compared with them.
--
-- The caller brings its last answer (p_since, p_jumps) and for how many seconds that is past at least
-- (p_elapsed). Less by our clock: it was set back, and that is put right at once. More may be the way here,
-- too: then `steady` is false, nothing may be taken for expired, and the caller, who knows how long the whole
-- round took at most, comes again with the seconds that are too many (p_ahead).
create function app.keep_time(p_since timestamptz, p_elapsed float8, p_jumps int, p_ahead float8)
returns table (steady boolean, at timestamptz, jumps int, moved float8)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  allowed constant float8 := 0.25;           -- clocks are slewed, and rounds are short
  unsure constant float8 := 1.0;             -- below the shortest lease
  kept app.clock;
  known boolean;
  off float8;
  present timestamptz;
begin
  select c.* into kept from app.clock c;
  present := clock_timestamp();
  off := app.clock_off(kept, present, p_since, p_elapsed, p_jumps, p_ahead);
  if abs(off) > allowed then
    select c.* into kept from app.clock c for update;
    present := clock_timestamp();
    off := app.clock_off(kept, present, p_since, p_elapsed, p_jumps, p_ahead);
  end if;
  if abs(off) > allowed then
    perform from app.tasks t where t.status in ('queued', 'running') order by t.feature_id, t.task_id for update;
    update app.tasks t set
        lease_until = t.lease_until + make_interval(secs => off),
        not_before = t.not_before + make_interval(secs => off),
        last_progress_at = t.last_progress_at + make_interval(secs => off)
      where t.status in ('queued', 'running');
    update app.clock c set jumps = c.jumps + 1, seen = present returning c.* into kept;
    return query select true, present, kept.jumps, off;
    return;
  end if;
  known := p_since is not null and p_jumps = kept.jumps;
  steady := not known or extract(epoch from present - p_since) - p_elapsed <= unsure;
  if steady and present > kept.seen + interval '5 seconds' then
    update app.clock c set seen = present where c.seen < present and c.jumps = kept.jumps;
  end if;
  at := present; jumps := kept.jumps; moved := 0;
  return next;
end $$;

-- By how many seconds the clock was set forward (or, below 0, back), as far as that is certain.
create function app.clock_off(kept app.clock, present timestamptz, p_since timestamptz, p_elapsed float8,
  p_jumps int, p_ahead float8)
returns float8 language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case
    when p_since is not null and p_jumps = kept.jumps and p_ahead > 0 then p_ahead
    else least(0,
      extract(epoch from present - kept.seen)::float8,
      case when p_since is not null and p_jumps = kept.jumps
        then extract(epoch from present - p_since)::float8 - p_elapsed end)
  end
$$;
grant execute on function app.keep_time, app.clock_off to bp_worker, bp_sweeper;

reset role;

-- migrate:down

-- Only ever forward.
