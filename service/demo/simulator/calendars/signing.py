"""The signature of Cronofy's callbacks (CRONOFY.md C38)."""

import base64
import hashlib
import hmac
from collections.abc import Iterable

HMAC_HEADER = "Cronofy-HMAC-SHA256"


def sign(body: bytes, secrets: Iterable[str]) -> str:
    """One value per active secret, comma separated."""
    digests = (hmac.digest(secret.encode(), body, hashlib.sha256) for secret in secrets)
    return ",".join(base64.b64encode(digest).decode() for digest in digests)
