"""Which dead letters are meant, what they are about, and what is done with many of them at once."""
