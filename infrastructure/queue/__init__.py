"""Tasks, their leases, and the ledger of paid calls."""
