"""Answers that last: events as they come, talks with an agent, files in parts."""
