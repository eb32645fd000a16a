"""Runs: how far each has come, and the equal events that one has seen.

What a step does is in ``consumers.runs``.
"""
