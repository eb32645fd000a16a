"""People as far as they are signed in: sessions, tokens used up, revocations, consents under way (R45)."""
