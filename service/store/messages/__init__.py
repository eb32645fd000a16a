"""Messages as the store keeps them: inbox, outbox, suspects, dead letters and their replays."""
