"""The account behind an integration: what its person permits, comes back from, and may have forgotten."""
