"""What one person may ask for at a time, and how often, so that the others do not wait for it (R43)."""
