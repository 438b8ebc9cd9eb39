"""A step's way from its task to its result: claimed, given its inputs, carried out, recorded."""
