"""Adapters: every third-party client is imported by one module below here."""
