"""Pages and API (DESIGN 11); ``application`` puts them together."""
