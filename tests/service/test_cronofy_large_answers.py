"""What Cronofy answers is read as far as an answer may go, however small it is on the wire (R43)."""

import gc
import gzip
import json
import tracemalloc
import weakref
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from contracts.cronofy import EventsQuery
from contracts.errors import Transient, Unanswered
from service.cronofy.answers import LARGEST_RESPONSE
from tests.support.scripted import GatewayUnderTest, an_upsert

PIECE = b"\0" * (1 << 20)
PAGE = json.dumps({"pages": {}, "events": []}).encode()
MOST_HELD = 3 * LARGEST_RESPONSE
"""Bytes that reading may take at any moment: what was read, and what is made of it."""


def bomb(pieces: int) -> bytes:
    """So many MiB of nothing, compressed."""
    packer = zlib.compressobj(wbits=31)
    return b"".join([*(packer.compress(PIECE) for _ in range(pieces)), packer.flush()])


class Overlong(httpx.AsyncByteStream):
    """Goes on far beyond what an answer may have."""

    def __init__(self) -> None:
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.read < 2 * LARGEST_RESPONSE:
            self.read += len(PIECE)
            yield PIECE


def packed(content: bytes, encoding: str = "gzip") -> httpx.Response:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    return httpx.Response(200, headers=headers, stream=httpx.ByteStream(content))


async def test_an_answer_that_nobody_holds_is_gone_at_once() -> None:
    """With all that was sent for it: garbage is looked for seldom, and fifty events are much of it."""
    answers: list[weakref.ref[httpx.Response]] = []

    def reply() -> httpx.Response:
        made = packed(gzip.compress(PAGE))
        answers.append(weakref.ref(made))
        return made

    bench = GatewayUnderTest(reply)
    gc.disable()
    try:
        await bench.gateway.first_page("acc_1", EventsQuery())
        left = [answer for answer in answers if answer() is not None]
    finally:
        gc.enable()

    assert answers
    assert not left


async def test_an_answer_that_goes_on_is_left() -> None:
    """One without an end would fill the memory of a process that works for everybody (R44)."""
    overlong = Overlong()
    bench = GatewayUnderTest(httpx.Response(200, stream=overlong))

    with pytest.raises(Transient):
        await bench.gateway.first_page("acc_1", EventsQuery())

    assert overlong.read <= LARGEST_RESPONSE + len(PIECE)


@pytest.mark.parametrize("layers", [1, 2], ids=["gzip", "gzip in gzip"])
async def test_a_small_answer_that_unpacks_to_a_huge_one_is_left(layers: int) -> None:
    """128 MiB of nothing are 128 KiB on the wire, and packed twice some kilobytes."""
    content = bomb(128)
    for _ in range(layers - 1):
        content = gzip.compress(content)
    bench = GatewayUnderTest(packed(content, ", ".join(["gzip"] * layers)))
    tracemalloc.start()
    try:
        with pytest.raises(Transient):
            await bench.gateway.first_page("acc_1", EventsQuery())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < MOST_HELD


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "identity"])
async def test_what_is_packed_as_asked_is_read(encoding: str) -> None:
    """Of that size are those of every day."""
    content = PAGE if encoding == "identity" else gzip.compress(PAGE)
    bench = GatewayUnderTest(packed(content, encoding))

    assert (await bench.gateway.first_page("acc_1", EventsQuery())).events == ()


@pytest.mark.parametrize(
    "answer",
    [packed(PAGE, "br"), packed(PAGE, "gzip"), packed(gzip.compress(PAGE)[:-20], "gzip")],
    ids=["not asked for", "no gzip", "cut off"],
)
async def test_what_cannot_be_unpacked_cannot_be_read(answer: httpx.Response) -> None:
    """It may be whole the next time."""
    with pytest.raises(Transient):
        await GatewayUnderTest(answer).gateway.first_page("acc_1", EventsQuery())


async def test_of_a_write_whose_answer_is_too_large_the_outcome_is_unknown() -> None:
    """It was asked for, and may have been done."""
    bench = GatewayUnderTest(packed(bomb(64)))

    with pytest.raises(Unanswered):
        await bench.gateway.write("acc_1", [an_upsert()])
