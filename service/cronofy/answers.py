"""Answers are read as far as one may go: no other party's bytes fill the memory of a process (R43)."""

import zlib
from collections.abc import AsyncIterator

import httpx

LARGEST_RESPONSE = 32 * 1024 * 1024
"""Bytes, unpacked: thousands of events with the longest texts."""
ACCEPTED_ENCODING = "gzip"
_GZIP = frozenset({ACCEPTED_ENCODING, "x-gzip"})
_PLAIN = frozenset({"", "identity"})
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


async def bound_answer(response: httpx.Response) -> None:
    """Before any of it is read; reading it raises ReadError where it is too large or cannot be unpacked.

    Unpacking is done here, because a library that is given a few bytes unpacks all that is in them at once.
    """
    assert isinstance(response.stream, httpx.AsyncByteStream)
    response.stream = _BoundedStream(response, response.stream)
    if "Content-Encoding" in response.headers:
        del response.headers["Content-Encoding"]


class _BoundedStream(httpx.AsyncByteStream):
    """What is in the answer, unpacked piece by piece."""

    def __init__(self, response: httpx.Response, stream: httpx.AsyncByteStream) -> None:
        self._request = response.request
        self._encoding = response.headers.get("Content-Encoding", "").strip().lower()
        self._stream = stream
        self._room = LARGEST_RESPONSE

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._encoding not in _GZIP | _PLAIN:
            raise self._unreadable("is packed otherwise than was asked for")
        unpacker = zlib.decompressobj(_GZIP_WINDOW) if self._encoding in _GZIP else None
        async for came in self._stream:
            piece = came if unpacker is None else self._unpacked(unpacker, came)
            self._room -= len(piece)
            if self._room < 0:
                raise self._unreadable(f"has more than {LARGEST_RESPONSE:,} bytes")
            yield piece
        if unpacker is not None and not unpacker.eof:
            raise self._unreadable("breaks off")

    def _unpacked(self, unpacker: "zlib._Decompress", came: bytes) -> bytes:
        try:
            return unpacker.decompress(came, self._room + 1)
        except zlib.error:
            raise self._unreadable("cannot be unpacked") from None

    def _unreadable(self, why: str) -> httpx.ReadError:
        return httpx.ReadError(f"the answer {why}", request=self._request)

    async def aclose(self) -> None:
        await self._stream.aclose()
