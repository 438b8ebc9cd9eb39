"""The HTTP API: it translates between requests and use cases, and decides nothing itself.

Invariant: whatever a handler needs comes from `services.Services`; nothing here knows an adapter.
"""
