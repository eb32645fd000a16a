"""Integrations: their rows, grants, tokens, channels, reads and delays.

What a person may do with one is not decided here.
"""
