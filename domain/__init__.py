"""The rules of a feature's life: pure values and functions; no clock, no ids, no side effects."""
