"""Commands about people: sessions, what they and dispatchers are asked, what was removed when one left."""
