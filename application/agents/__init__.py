"""The nine agents and the harness that calls them.

Invariant: what an agent hands over has passed the checks of code before anybody sees it, and no
word in a document can change what those checks say. The entry points are
`input_fingerprint.fingerprint_of` and `perform.perform`.
"""
