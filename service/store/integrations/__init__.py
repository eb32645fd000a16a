"""Integrations: their rows, grants, tokens, channels, reads and delays."""
