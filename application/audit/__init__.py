"""What people ask of the log afterwards: its events, what was spent, what a step will take."""
