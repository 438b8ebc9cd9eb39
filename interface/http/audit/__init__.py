"""The routes of the audit: events, usage, chains, the key of the log."""
