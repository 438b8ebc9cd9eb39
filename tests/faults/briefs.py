"""What the users of these tests want to have built: as little as gives every step work."""

BRIEF = """# A plant diary

A person keeps a diary of their plants.

- A person can add a plant with a name and a place.
- A person can record that a plant was watered.
"""
