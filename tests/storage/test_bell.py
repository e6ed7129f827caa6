"""The bell: every ring is heard by the others, none is news to who rang, and none can make anything fail."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from telegram_channel.storage.bell import Bell, Ear, Listener, bell_of, new_ear

T = TypeVar("T")
with_kernel = pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="there the bell is looked at")


async def soon(waiting: Awaitable[T]) -> T:
    async with asyncio.timeout(20):
        return await waiting


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return bell_of(tmp_path / "state.db")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def set_back(path: Path, seconds: int) -> None:
    """Give it a time as a restored copy has, or one that a wrong clock left behind."""
    os.utime(path, (seconds, seconds))


def remove(path: Path) -> None:
    path.unlink()


def move(source: Path, target: Path) -> None:
    source.replace(target)


def block(path: Path) -> None:
    """Make it impossible to ring, for the superuser as well: a link to nowhere."""
    path.symlink_to(path.with_name("nowhere") / "at all")


class TestBell:
    def test_every_ring_differs_from_the_one_before_however_fast(self, place: Path) -> None:
        one, other = Bell(place), Bell(place)
        seen = []
        for _ in range(50):
            for bell in (one, other):
                assert bell.ring()
                seen.append(bell.known())
        assert len(set(seen)) == 100

    @pytest.mark.parametrize("seconds", [0, 1, 4_000_000_000])
    def test_a_ring_differs_whatever_time_the_bell_shows(self, place: Path, seconds: int) -> None:
        one, other = Bell(place), Bell(place)
        one.ring()
        set_back(place, seconds)
        other.rang()
        for _ in range(3):
            assert one.ring()
            assert other.rang()

    def test_a_ring_is_news_once_and_not_to_who_rang(self, place: Path) -> None:
        one, other = Bell(place), Bell(place)
        assert not one.rang()
        assert one.ring()
        assert not one.rang()
        assert other.rang()
        assert not other.rang()

    def test_a_bell_that_vanished_or_was_replaced_is_news(self, place: Path) -> None:
        one, other = Bell(place), Bell(place)
        one.ring()
        other.rang()
        place.unlink()
        assert other.rang()
        assert one.ring()
        assert other.rang()

    def test_only_the_owner_can_read_it_and_there_is_nothing_to_read(self, place: Path) -> None:
        loose = os.umask(0)
        try:
            Bell(place).ring()
        finally:
            os.umask(loose)
        assert mode_of(place) == 0o600 or os.name == "nt"
        assert place.read_bytes() == b""

    def test_where_it_cannot_be_rung_nothing_fails(self, place: Path) -> None:
        for bell in (Bell(place / "below"), Bell(place.with_name("nowhere") / "bell")):
            assert not bell.ring()
            assert not bell.rang()
        block(place)
        assert not Bell(place).ring()
        assert not Bell(place).rang()


class DeafEar:
    """An ear on a file system of which the kernel tells nothing."""

    def __init__(self) -> None:
        self.fd = -1
        self.closed = False

    def attend(self, path: Path) -> None: ...

    def drain(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def listening(
    bell: Bell, heard: Callable[[], None], ear: Callable[[], Ear | None] = new_ear
) -> AsyncIterator[Listener]:
    listener = Listener(bell, heard, ear)
    try:
        listener.attend(asyncio.get_running_loop())
        yield listener
    finally:
        listener.close()
        listener.close()


@with_kernel
class TestListener:
    async def test_a_ring_of_another_is_heard(self, place: Path) -> None:
        heard = asyncio.Event()
        async with listening(Bell(place), heard.set) as listener:
            assert listener.hears
            for _ in range(3):  # the later ones fall into the pause after the one before
                heard.clear()
                Bell(place).ring()
                await soon(heard.wait())

    async def test_a_burst_of_rings_is_heard_as_few(self, place: Path) -> None:
        counted: list[bool] = []
        heard = asyncio.Event()
        bell, other = Bell(place), Bell(place)

        def count() -> None:
            counted.append(bell.rang())
            heard.set()

        async with listening(bell, count):
            for _ in range(500):
                other.ring()
            await soon(heard.wait())
            assert counted == [True]

    async def test_a_new_bell_in_place_of_the_old_one_is_listened_to(self, place: Path) -> None:
        heard = asyncio.Event()
        async with listening(Bell(place), heard.set) as listener:
            remove(place)
            await soon(heard.wait())
            listener.attend(asyncio.get_running_loop())
            assert mode_of(place) == 0o600
            assert listener.hears
            for _ in range(2):
                heard.clear()
                Bell(place).ring()
                await soon(heard.wait())

    async def test_a_bell_that_was_moved_away_is_listened_to_no_more(self, place: Path) -> None:
        old = Bell(place.with_name("old"))
        async with listening(Bell(place), lambda: None) as listener:
            move(place, old.path)
            listener.attend(asyncio.get_running_loop())
            assert listener.hears
        ear = new_ear()
        assert ear is not None
        Bell(place).ring()
        ear.attend(old.path)
        ear.attend(place)
        ear.drain()
        old.ring()
        assert not ear.drain()
        Bell(place).ring()
        assert ear.drain()
        ear.close()

    async def test_an_ear_that_hears_nothing_is_not_relied_on(self, place: Path) -> None:
        ear = DeafEar()
        async with listening(Bell(place), lambda: None, lambda: ear) as listener:
            assert not listener.hears
            listener.attend(asyncio.get_running_loop())
            assert not listener.hears
        assert ear.closed

    async def test_a_bell_that_cannot_be_made_is_tried_again(self, place: Path) -> None:
        block(place)
        heard = asyncio.Event()
        async with listening(Bell(place), heard.set) as listener:
            assert not listener.hears
            remove(place)
            listener.attend(asyncio.get_running_loop())
            assert listener.hears
            Bell(place).ring()
            await soon(heard.wait())


async def test_a_system_without_ears_is_no_trouble(place: Path) -> None:
    async with listening(Bell(place), lambda: None, lambda: None) as listener:
        assert not listener.hears
