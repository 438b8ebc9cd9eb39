"""Refusals as HTTP answers: the table of problems, and which route may answer with which."""
