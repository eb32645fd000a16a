"""Keys that are handed to a browser: long and random, and kept here only as a print."""

import hashlib
import secrets


def new_key() -> str:
    """43 characters that nobody guesses."""
    return secrets.token_urlsafe(32)


def print_of(key: str) -> str:
    """What the store keeps of a key: enough to find it, and nothing to come in with."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()
