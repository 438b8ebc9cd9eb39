"""Read models: what screens ask for, folded from the log. Pure, independent of the use cases."""
