"""Lines over pipes: in order, bounded, and nobody waits for a client that does not read."""

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.claude.pipe import LineReader, LineWriter, PipeBroken

LONG_ENOUGH_S = 5.0


class Pipe(NamedTuple):
    """Both ends of a pipe, as descriptors."""

    read: int
    write: int


class Descriptors:
    """Pipes that are closed in the end, whatever a test closed itself."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def pipe(self) -> Pipe:
        pipe = Pipe(*os.pipe())
        self._open |= set(pipe)
        return pipe

    def close(self, descriptor: int) -> None:
        self._open.discard(descriptor)
        os.close(descriptor)

    def close_all(self) -> None:
        for descriptor in list(self._open):
            self.close(descriptor)


@pytest.fixture
def descriptors() -> Iterator[Descriptors]:
    owner = Descriptors()
    yield owner
    owner.close_all()


def feed(descriptor: int, data: bytes) -> None:
    """Write everything from a thread of its own and close the pipe."""

    def write() -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.close(descriptor)

    threading.Thread(target=write, daemon=True).start()


async def all_lines(reader: LineReader) -> list[bytes]:
    found = []
    async with asyncio.timeout(LONG_ENOUGH_S):
        while (line := await reader.line()) is not None:
            found.append(line)
    return found


async def read_all(descriptor: int) -> bytes:
    def read() -> bytes:
        found = b""
        while chunk := os.read(descriptor, 1 << 16):
            found += chunk
        return found

    async with asyncio.timeout(LONG_ENOUGH_S):
        return await asyncio.to_thread(read)


@given(st.lists(st.binary(max_size=200).map(lambda one: one.replace(b"\n", b" ")), max_size=40))
@settings(deadline=None)
def test_lines_arrive_as_they_were_written_but_for_blank_ones(lines: list[bytes]) -> None:
    read, write = os.pipe()
    feed(write, b"".join(line + b"\n" for line in lines))

    async def arrived() -> list[bytes]:
        return await all_lines(LineReader(read, most_unread_bytes=300))

    assert asyncio.run(arrived()) == [line for line in lines if line.strip()]
    os.close(read)


async def test_what_comes_after_the_last_line_end_is_no_line(descriptors: Descriptors) -> None:
    pipe = descriptors.pipe()
    os.write(pipe.write, b'whole\n{"half":')
    descriptors.close(pipe.write)
    assert await all_lines(LineReader(pipe.read)) == [b"whole"]


@pytest.mark.parametrize("length", [1001, 70_000, 200_000])
async def test_an_endless_line_is_skipped_and_the_next_one_is_read(descriptors: Descriptors, length: int) -> None:
    """MUST C5: a line that is too long is skipped without being kept."""
    read, write = os.pipe()
    feed(write, b"before\n" + b"x" * length + b"\nafter\n" + b"y" * 1000 + b"\n")
    lines = await all_lines(LineReader(read, most_line_bytes=1000))
    os.close(read)
    assert lines == [b"before", b"after", b"y" * 1000]


async def test_reading_begins_before_there_is_anybody_to_take_the_lines(descriptors: Descriptors) -> None:
    pipe = descriptors.pipe()
    ended = threading.Event()
    waiting: list[bool] = []

    def on_end(lines_waiting: bool) -> None:
        waiting.append(lines_waiting)
        ended.set()

    reader = LineReader(pipe.read, on_end)
    os.write(pipe.write, b"early\n")
    descriptors.close(pipe.write)
    assert await asyncio.to_thread(ended.wait, LONG_ENOUGH_S)
    assert waiting == [True]
    assert await all_lines(reader) == [b"early"]


async def test_the_end_is_told_even_when_nothing_was_ever_written(descriptors: Descriptors) -> None:
    pipe = descriptors.pipe()
    ended = threading.Event()
    waiting: list[bool] = []

    def on_end(lines_waiting: bool) -> None:
        waiting.append(lines_waiting)
        ended.set()

    LineReader(pipe.read, on_end)
    descriptors.close(pipe.write)
    assert await asyncio.to_thread(ended.wait, LONG_ENOUGH_S)
    assert waiting == [False]


async def test_a_flood_of_input_waits_outside(descriptors: Descriptors) -> None:
    """MUST C6: unread input is bounded."""
    pipe = descriptors.pipe()
    os.set_blocking(pipe.write, False)
    reader = LineReader(pipe.read, most_unread_bytes=1000)
    line = b"z" * 999 + b"\n"
    accepted = 0
    # The pipe fills up although somebody reads it: the reader has stopped taking more.
    async with asyncio.timeout(LONG_ENOUGH_S):
        stuck = 0
        while stuck < 200:
            try:
                accepted += os.write(pipe.write, line)
                stuck = 0
            except BlockingIOError:
                stuck += 1
                await asyncio.sleep(0)
    assert accepted < 1 << 20
    taken = 0
    async with asyncio.timeout(LONG_ENOUGH_S):
        while taken < accepted // len(line):
            assert await reader.line() == line[:-1]
            taken += 1


async def test_everything_is_written_in_the_order_it_was_queued(descriptors: Descriptors) -> None:
    pipe = descriptors.pipe()
    writer = LineWriter(pipe.write)
    reading = asyncio.create_task(read_all(pipe.read))
    lines = [b"%d %s\n" % (number, b"x" * (number * 37 % 5000)) for number in range(500)]
    async with asyncio.timeout(LONG_ENOUGH_S):
        for line in lines:
            await writer.write(line)
        await writer.drained()
    descriptors.close(pipe.write)
    assert await reading == b"".join(lines)


async def test_drained_means_in_the_pipe(descriptors: Descriptors) -> None:
    """MUST C7: an event counts as written only when the pipe took it."""
    pipe = descriptors.pipe()
    writer = LineWriter(pipe.write)
    async with asyncio.timeout(LONG_ENOUGH_S):
        await writer.write(b"small\n")
        await writer.drained()
    os.set_blocking(pipe.read, False)
    assert os.read(pipe.read, 100) == b"small\n"


async def test_a_client_that_does_not_read_holds_up_only_those_who_write_to_it(descriptors: Descriptors) -> None:
    """MUST C8: a client that stops reading never blocks the event loop, and nothing is dropped."""
    pipe = descriptors.pipe()
    writer = LineWriter(pipe.write, most_unwritten_bytes=100_000)
    line = b"q" * 9_999 + b"\n"
    queued = 0

    async def write_on() -> None:
        nonlocal queued
        while queued < 100:
            await writer.write(line)
            queued += 1
        await writer.drained()

    writing = asyncio.create_task(write_on())
    before = -1
    while queued != before:  # until it waits; the loop goes on meanwhile, or this would not end
        before = queued
        await asyncio.wait({writing}, timeout=0.05)
    assert not writing.done()
    assert queued * len(line) < 100_000 + (1 << 18)
    reading = asyncio.create_task(read_all(pipe.read))
    async with asyncio.timeout(LONG_ENOUGH_S):
        await writing
    descriptors.close(pipe.write)
    assert await reading == line * 100


async def test_a_line_longer_than_the_queue_goes_through(descriptors: Descriptors) -> None:
    pipe = descriptors.pipe()
    writer = LineWriter(pipe.write, most_unwritten_bytes=1000)
    reading = asyncio.create_task(read_all(pipe.read))
    lines = [b"a\n", b"b" * 300_000 + b"\n", b"c\n"]
    async with asyncio.timeout(LONG_ENOUGH_S):
        for line in lines:
            await writer.write(line)
        await writer.drained()
    descriptors.close(pipe.write)
    assert await reading == b"".join(lines)


async def test_those_who_wait_for_room_go_in_the_order_they_came(descriptors: Descriptors) -> None:
    pipe = descriptors.pipe()
    writer = LineWriter(pipe.write, most_unwritten_bytes=1000)
    lines = [b"%03d" % number + b"x" * 60_000 + b"\n" for number in range(20)]
    writing = [asyncio.create_task(writer.write(line)) for line in lines]
    reading = asyncio.create_task(read_all(pipe.read))
    async with asyncio.timeout(LONG_ENOUGH_S):
        await asyncio.gather(*writing)
        await writer.drained()
    descriptors.close(pipe.write)
    assert await reading == b"".join(lines)


async def test_when_the_client_is_gone_writing_fails_and_nothing_counts_as_written(
    descriptors: Descriptors,
) -> None:
    """MUST C9: what was queued for a client that is gone never counts as written."""
    pipe = descriptors.pipe()
    broken = threading.Event()
    writer = LineWriter(pipe.write, broken.set)
    descriptors.close(pipe.read)
    async with asyncio.timeout(LONG_ENOUGH_S):
        await writer.write(b"lost\n")
        drained = asyncio.create_task(writer.drained())
        assert await asyncio.to_thread(broken.wait, LONG_ENOUGH_S)
        assert writer.is_broken
        with pytest.raises(PipeBroken):
            await writer.write(b"refused\n")
    await asyncio.wait({drained}, timeout=0.01)
    assert not drained.done()
    drained.cancel()
