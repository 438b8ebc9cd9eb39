"""What a change of a brief makes stale: truth by hand, and how well it is computed."""
