"""The right to poll: at most one holder, none after any death, and looking disturbs nobody."""

import os
import stat
from pathlib import Path

import pytest

from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import Lease
from telegram_channel.storage.lease import FileLease
from tests.storage.child import spawned


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "state" / "poll-42.lock"


def test_one_of_two_leases_in_a_process_is_had(lock: Path) -> None:
    """MUST P11: at most one process polls a bot."""
    first: Lease = FileLease(lock)
    second: Lease = FileLease(lock)
    assert first.acquire() is True
    assert second.acquire() is False
    assert first.acquire() is True
    assert second.is_held_elsewhere() is True
    assert first.is_held_elsewhere() is False
    first.release()
    assert second.is_held_elsewhere() is False
    assert second.acquire() is True
    assert first.acquire() is False
    second.release()


def test_releasing_what_is_not_held_is_nothing(lock: Path) -> None:
    holder, other = FileLease(lock), FileLease(lock)
    other.release()
    assert holder.acquire()
    other.release()
    assert other.acquire() is False
    holder.release()
    holder.release()
    assert other.acquire() is True
    other.release()


def test_another_process_keeps_it_until_it_lets_go(lock: Path) -> None:
    mine = FileLease(lock)
    with spawned("lease", lock) as child:
        child.expect("True")
        assert mine.is_held_elsewhere() is True
        assert mine.acquire() is False
        child.say("let go")
        child.expect("gone")
        assert mine.is_held_elsewhere() is False
        assert mine.acquire() is True
        with spawned("lease", lock) as late:
            late.expect("False")
    mine.release()


def test_it_is_free_at_once_after_its_holder_was_killed(lock: Path) -> None:
    """MUST P12: the right to poll is free again after any death of its holder, kill -9 included."""
    mine = FileLease(lock)
    for _ in range(2):
        with spawned("lease", lock) as child:
            child.expect("True")
            assert mine.acquire() is False
            child.kill()
            assert mine.is_held_elsewhere() is False
            assert mine.acquire() is True
            mine.release()


def test_looking_does_not_disturb_the_holder(lock: Path) -> None:
    with spawned("lease", lock) as child:
        child.expect("True")
        for _ in range(50):
            assert FileLease(lock).is_held_elsewhere() is True
        assert FileLease(lock).acquire() is False


def test_looking_makes_nothing(lock: Path) -> None:
    """MUST P13: a process that only looks leaves no trace."""
    assert FileLease(lock).is_held_elsewhere() is False
    assert not lock.parent.exists()
    lock.parent.mkdir(parents=True)
    assert FileLease(lock).is_held_elsewhere() is False
    assert list(lock.parent.iterdir()) == []


def test_the_file_and_its_directory_are_private(lock: Path) -> None:
    held = FileLease(lock)
    assert held.acquire()
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    assert stat.S_IMODE(lock.parent.stat().st_mode) == 0o700
    held.release()
    assert lock.exists()


def test_leases_of_two_bots_have_nothing_to_do_with_each_other(tmp_path: Path) -> None:
    one, other = FileLease(tmp_path / "poll-1.lock"), FileLease(tmp_path / "poll-2.lock")
    assert one.acquire()
    assert other.acquire()
    one.release()
    other.release()


def test_a_lock_file_that_was_removed_does_not_let_two_hold_it(lock: Path) -> None:
    """Whoever empties the state directory makes a second file; the first holder notices and stands back."""
    first, second = FileLease(lock), FileLease(lock)
    assert first.acquire()
    lock.unlink()
    assert second.acquire() is True
    assert first.is_held_elsewhere() is True
    assert first.acquire() is False
    second.release()
    assert first.acquire() is True
    lock.unlink()
    assert first.acquire() is True
    assert lock.exists()
    first.release()


def test_no_file_descriptor_is_lost(lock: Path) -> None:
    holder, other = FileLease(lock), FileLease(lock)
    assert holder.acquire()
    free = os.dup(0)
    os.close(free)
    for _ in range(10):
        other.acquire()
        other.is_held_elsewhere()
        holder.acquire()
    assert os.dup(0) == free
    os.close(free)
    holder.release()


@pytest.mark.parametrize("place", ["in-the-way/poll.lock", "in-the-way/below/poll.lock", "directory"])
def test_a_place_that_cannot_be_used_is_reported(tmp_path: Path, place: str) -> None:
    (tmp_path / "in-the-way").write_text("a file")
    (tmp_path / "directory").mkdir()
    with pytest.raises(StateUnwritable) as caught:
        FileLease(tmp_path / place).acquire()
    assert caught.value.remedy


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="the system cannot refuse links")
def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    link = tmp_path / "poll-42.lock"
    link.symlink_to(target)
    with pytest.raises(StateUnwritable):
        FileLease(link).acquire()
    assert not target.exists()
