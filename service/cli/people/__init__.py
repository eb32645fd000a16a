"""Commands about people: their sessions, what dispatchers are asked, and what was removed when one left."""
