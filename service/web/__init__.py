"""Pages and API; ``application`` puts them together."""
