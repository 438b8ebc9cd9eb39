-- migrate:up transaction:false

create index concurrently if not exists tasks_fatal on app.tasks (feature_id, step)
  where error = 'crashed_alone';

-- migrate:down
