"""Makes what a delivery holds beside the code, so that it can prove where it comes from.

Invariant: everything here is a pure function of the log up to one version, and of the stored files
that it names: the same version gives the same bytes.
"""
