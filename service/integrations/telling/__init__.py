"""What people are told of their calendars: whether they agree, items' stories, what a clock change moves."""
