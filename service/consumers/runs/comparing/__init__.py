"""The comparison of both sides by state, and how many pairs agree after it."""
