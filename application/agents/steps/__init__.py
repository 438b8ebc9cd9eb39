"""One module for each kind of work that agents do.

Invariant: each takes `Work` and gives the command to be decided, or raises `StepFailed`; the run in
the command is empty, for only the runner knows what was used.
"""
