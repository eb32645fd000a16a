"""Events and calendars that come back under other names: which of them are known (R36)."""
