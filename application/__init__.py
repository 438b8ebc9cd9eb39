"""Use cases on ports: the one write path, the agents' harness, the runner, recovery."""
