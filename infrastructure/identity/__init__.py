"""Who is asking: passwords, our own tokens, and the one verifier for ours and a foreign issuer's.

Invariant: a request is trusted only through `TokenVerifier.verify`, whoever issued the token.
"""
