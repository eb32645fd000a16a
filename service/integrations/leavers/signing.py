"""Signs records of removal, and finds out whether one says what was signed (R54).

Ed25519, so that whoever checks a record holds nothing with which to make one. The private keys follow from
ENCRYPTION_KEYS by HKDF, so that there is no further secret to keep: the newest signs, and the key of each is
known for as long as it is in the list. ``keys rotate`` signs stored records with the newest anew.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALGORITHM = "Ed25519"
_PURPOSE = b"calendar-sync record of removal"
_SEED_BYTES = 32
_WHOLE = {"record", "signature"}
_SIGNATURE = {"algorithm", "key", "value"}

JsonForm = dict[str, Any]


class NotGenuine(Exception):
    """The document is not what this service signed; says why in a sentence."""


class RecordSigner:
    """Signs with the newest of these keys; ``keys`` are those of ENCRYPTION_KEYS, newest first."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._private = [_private_key(key) for key in keys]

    @property
    def public_keys(self) -> Sequence[str]:
        """By which its records are checked, newest first, in base 64."""
        return [_public_text(key) for key in self._private]

    def sign(self, record: Mapping[str, Any]) -> JsonForm:
        """The record with its signature."""
        newest = self._private[0]
        signed = newest.sign(_canonical(record))
        signature = {
            "algorithm": ALGORITHM,
            "key": _public_text(newest),
            "value": base64.b64encode(signed).decode(),
        }
        return {"record": dict(record), "signature": signature}

    def is_newest(self, document: Mapping[str, Any]) -> bool:
        """Whether the newest key signed it."""
        return bool(document["signature"]["key"] == self.public_keys[0])


def verified(text: str | bytes, trusted: Sequence[str]) -> JsonForm:
    """What the document says, where one of the trusted public keys signed just that; raises NotGenuine."""
    document = _parsed(text)
    signature = document["signature"]
    if signature["algorithm"] != ALGORITHM:
        raise NotGenuine(f"its signature is not of the kind {ALGORITHM}")
    if signature["key"] not in trusted:
        raise NotGenuine("it was signed with a key that is not known here")
    try:
        public = Ed25519PublicKey.from_public_bytes(_decoded(signature["key"]))
        public.verify(_decoded(signature["value"]), _canonical(document["record"]))
    except (InvalidSignature, ValueError):
        raise NotGenuine("it does not say what was signed: something in it was changed") from None
    record: JsonForm = document["record"]
    return record


def _parsed(text: str | bytes) -> JsonForm:
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise NotGenuine("it cannot be read as a record of removal") from None
    whole = isinstance(document, dict) and document.keys() == _WHOLE and isinstance(document["record"], dict)
    if not whole or not isinstance(document["signature"], dict):
        raise NotGenuine("it is no record of removal")
    signature = document["signature"]
    if signature.keys() != _SIGNATURE or not all(isinstance(one, str) for one in signature.values()):
        raise NotGenuine("its signature is not in the form of one")
    return document  # type: ignore[no-any-return]


def _once(pairs: Sequence[tuple[str, Any]]) -> JsonForm:
    """A name that is given twice says one thing to a person and another to a program."""
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError("a name is given twice")
    return dict(pairs)


def _canonical(record: Mapping[str, Any]) -> bytes:
    """The same bytes for the same record, however the file that holds it is laid out."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _private_key(key: str) -> Ed25519PrivateKey:
    derived = HKDF(algorithm=SHA256(), length=_SEED_BYTES, salt=None, info=_PURPOSE)
    return Ed25519PrivateKey.from_private_bytes(derived.derive(base64.urlsafe_b64decode(key)))


def _public_text(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def _decoded(text: str) -> bytes:
    """Strictly, and only as it is written here: there is one spelling of each signature."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("no base 64") from None
    if base64.b64encode(raw).decode() != text:
        raise ValueError("another spelling")
    return raw
