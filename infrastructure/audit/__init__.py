"""The audit's questions as SQL: events, search, usage, past runs, orphans."""
