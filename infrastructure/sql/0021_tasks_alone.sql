-- migrate:up transaction:false

create index concurrently if not exists tasks_alone on app.tasks (tenant_id, not_before)
  where status = 'queued' and alone;

-- migrate:down
