"""Messages as the store keeps them: inbox, outbox, suspects, dead letters and their replays.

Whether a message is retried or buried is decided in ``handlers.settlement``.
"""
