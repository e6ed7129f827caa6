"""All processes of one bot share its limits and obey every pause, on every backend."""

import asyncio
import heapq
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.core.ids import BotId, ChatId
from telegram_channel.core.pacing import AskAgain, Go, Passage, Paused
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import Pace, Store
from telegram_channel.storage.memory import MemoryDatabase, MemoryStore
from telegram_channel.storage.sqlite_pace import SqlitePace
from telegram_channel.tg.limits import GROUP_PACE, OVERALL_PACE, PRIVATE_PACE
from tests.storage.conftest import BOT, Shelf
from tests.storage.pace_child import RATE as CHILDS_RATE
from tests.values import NOON

ANN, TEAM = ChatId("1"), ChatId("-3")
KINDS = ("MESSAGE", "EDIT", "REACTION")


def passage(chat: ChatId = ANN, messages: int = 1, kind: str = "MESSAGE") -> Passage:
    return Passage(chat, kind, GROUP_PACE if chat.startswith("-") else PRIVATE_PACE, OVERALL_PACE, messages)


async def test_a_slot_is_taken_once_by_whoever_asks(shelf: Shelf, store: Store) -> None:
    """MUST M18: the limits per chat and per bot hold for all processes together."""
    for _ in range(PRIVATE_PACE.most):
        assert await store.pace.ask(passage()) == Go()
    other = await shelf.again(store)
    answer = await other.pace.ask(passage())
    assert isinstance(answer, AskAgain)
    assert await other.pace.ask(passage(kind="EDIT")) == Go()
    shelf.now += timedelta(seconds=5.2)
    assert await other.pace.ask(passage()) == Go()


async def test_a_pause_told_to_one_holds_the_others(shelf: Shelf, store: Store) -> None:
    """MUST M10: a flood wait told to one process is kept by all."""
    await store.pace.pause(ANN, KINDS, 30)
    await store.pace.pause(ANN, KINDS, 3)
    other = await shelf.again(store)
    shelf.now += timedelta(seconds=10)
    assert await other.pace.ask(passage()) == Paused(20)
    assert await other.pace.pause_s(ANN, "REACTION") == 20
    assert await other.pace.pause_s(ANN, "DRAFT") == 0
    assert await other.pace.ask(passage(TEAM)) == Go()
    shelf.now += timedelta(seconds=20)
    assert await other.pace.ask(passage()) == Go()


async def test_three_paused_chats_pause_every_process(shelf: Shelf, store: Store) -> None:
    for chat in ("7", "8", "9"):
        await store.pace.pause(ChatId(chat), KINDS, 30)
    other = await shelf.again(store)
    assert await other.pace.ask(passage()) == Paused(5)
    assert await other.pace.pause_s(ANN, "MESSAGE") == 5


async def test_bots_have_their_limits_for_themselves(shelf: Shelf, store: Store) -> None:
    await store.pace.pause(ANN, KINDS, 30)
    other = await shelf.open(BotId("43"))
    assert await other.pace.ask(passage()) == Go()


async def test_a_message_that_leaves_is_no_change_of_the_store(store: Store) -> None:
    """MUST M19: pacing wakes nobody who waits for a change of the store."""
    version = await store.wait_for_change(-1, 0)
    await store.pace.ask(passage())
    await store.pace.pause(ANN, KINDS, 1)
    assert await store.wait_for_change(version, 0) == version


async def test_a_store_that_was_closed_says_so(store: Store) -> None:
    await store.pace.ask(passage())
    await store.close()
    with pytest.raises(StateUnwritable):
        await store.pace.ask(passage())


# Many senders at once

MOST_FLOODS = 6
"""Some come again in step with the answers, and would for ever."""


class World:
    """Several senders on one pace, with a clock of their own."""

    def __init__(self, path: Path | None, senders: int) -> None:
        self.at_s = 0.0
        self.pauses: list[tuple[ChatId, float, float]] = []
        self.left: list[tuple[ChatId, float, int]] = []
        self._files: list[SqlitePace] = []
        self.paces: list[Pace] = []
        database = MemoryDatabase()
        for _ in range(senders):
            if path is None:
                self.paces.append(MemoryStore(BOT, database, lambda: NOON + timedelta(seconds=self.at_s)).pace)
            else:
                file = SqlitePace(path, lambda: NOON + timedelta(seconds=self.at_s), busy_timeout_s=5)
                self._files.append(file)
                self.paces.append(file)

    async def run(self, plans: Sequence[Sequence[tuple[ChatId, int]]], lateness_s: float, flood_every: int) -> None:
        """Let each sender send its messages one by one; it comes a little late, and some sends are refused."""
        events = [(0.0, index, 0) for index in range(len(plans))]
        heapq.heapify(events)
        asked = 0
        while events:
            self.at_s, index, step = heapq.heappop(events)
            if step == len(plans[index]):
                continue
            chat, messages = plans[index][step]
            asked += 1
            match await self.paces[index].ask(passage(chat, messages)):
                case Go() if flood_every and asked % flood_every == 0 and len(self.pauses) < MOST_FLOODS:
                    await self.paces[index].pause(chat, KINDS, 7)
                    self.pauses.append((chat, self.at_s, self.at_s + 7))
                    heapq.heappush(events, (self.at_s, index, step))
                case Go():
                    self.left.append((chat, self.at_s, messages))
                    heapq.heappush(events, (self.at_s, index, step + 1))
                case AskAgain(seconds) | Paused(seconds):
                    heapq.heappush(events, (self.at_s + seconds + lateness_s * (index % 3), index, step))

    async def close(self) -> None:
        for file in self._files:
            await file.close()

    def most_within(self, window_s: float, chat: ChatId | None = None) -> int:
        counted = [(at, messages) for to, at, messages in self.left if chat in (None, to)]
        return max(
            (sum(more for other, more in counted if at <= other < at + window_s) for at, _ in counted), default=0
        )


CHATS = [ChatId("1"), ChatId("2"), ChatId("-3"), ChatId("-4")]
PLANS = st.lists(
    st.lists(st.tuples(st.sampled_from(CHATS), st.sampled_from([1, 1, 1, 3])), max_size=12), min_size=2, max_size=6
)


async def simulated(
    plans: Sequence[Sequence[tuple[ChatId, int]]], lateness_s: float, flood_every: int, *, file: bool
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory) / "pace.db" if file else None, len(plans))
        try:
            await world.run(plans, lateness_s, flood_every)
        finally:
            await world.close()
    assert len(world.left) == sum(len(plan) for plan in plans)
    assert world.most_within(1) <= 30
    for chat in CHATS:
        of_group = chat.startswith("-")
        assert world.most_within(60 if of_group else 5, chat) <= (20 if of_group else 5)
    for held, since, until in world.pauses:
        assert not [one for one in world.left if one[0] == held and since < one[1] < until - 1e-4]


@pytest.mark.parametrize("file", [False, True], ids=["memory", "sqlite"])
@settings(deadline=None, max_examples=25)  # the machine may be busy
@given(plans=PLANS, lateness_s=st.sampled_from([0.0, 0.07, 0.9]), flood_every=st.sampled_from([0, 5, 11]))
def test_whoever_sends_when_the_limits_hold_for_all_together(
    file: bool, plans: list[list[tuple[ChatId, int]]], lateness_s: float, flood_every: int
) -> None:
    """MUST M18: the limits per chat and per bot hold for all processes together."""
    asyncio.run(simulated(plans, lateness_s, flood_every, file=file))


def test_thirty_a_second_hold_for_ten_senders_with_a_chat_for_each_message() -> None:
    """MUST M18: the limits per chat and per bot hold for all processes together."""
    world = World(None, 10)
    plans = [[(ChatId(f"{100 * sender + number}"), 1) for number in range(20)] for sender in range(10)]
    asyncio.run(world.run(plans, 0.01, 0))
    assert len(world.left) == 200
    assert world.most_within(1) == 30


def test_real_processes_never_take_the_same_slot(tmp_path: Path) -> None:
    """MUST M18: the limits per chat and per bot hold for all processes together."""
    path = tmp_path / "pace.db"
    command = [sys.executable, "-m", "tests.storage.pace_child", str(path), "8"]
    children = [
        subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    outputs = [child.communicate(timeout=30)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    left = sorted(float(line) for output in outputs for line in output.split())
    assert len(left) == 24
    # What is written down is written a moment after the slot was taken: over all, not in each window.
    assert left[-1] - left[0] >= (24 / CHILDS_RATE.most - 1) * CHILDS_RATE.within_s - 0.3


# The file


async def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    pace = SqlitePace(tmp_path / "state" / "pace.db", lambda: NOON)
    await pace.ask(passage())
    assert {one.stat().st_mode & 0o077 for one in (tmp_path / "state").iterdir()} == {0}
    await pace.close()


async def test_a_deleted_file_is_made_again_and_everybody_meets_there(tmp_path: Path) -> None:
    """MUST M20: the file of the pace may be deleted at any time."""
    path = tmp_path / "pace.db"
    one, other = SqlitePace(path, lambda: NOON), SqlitePace(path, lambda: NOON)
    for pace in (one, other):
        await pace.ask(passage())
    path.unlink()
    assert await one.ask(passage(messages=5)) == Go()
    assert isinstance(await other.ask(passage()), AskAgain)
    for pace in (one, other):
        await pace.close()


@pytest.mark.parametrize("damage", ["garbage", "other table", "no json", "no numbers", "empty"])
async def test_a_damaged_file_is_replaced(tmp_path: Path, damage: str) -> None:
    """MUST M21: a damaged file of the pace is replaced and holds nothing up."""
    path = tmp_path / "pace.db"
    pace = SqlitePace(path, lambda: NOON)
    await pace.ask(passage(messages=5))
    if damage in ("garbage", "empty"):
        await pace.close()
        path.write_bytes(b"\x00garbage" * 1000 if damage == "garbage" else b"")
        pace = SqlitePace(path, lambda: NOON)
    else:
        with sqlite3.connect(path) as connection:
            if damage == "other table":
                connection.execute("DROP TABLE lanes_1")
                connection.execute("CREATE TABLE lanes_1 (something TEXT)")
            else:
                connection.execute(
                    "UPDATE lanes_1 SET lane = ?", ("{" if damage == "no json" else '[["x"],[],0,NaN]',)
                )
        connection.close()
    assert await pace.ask(passage()) == Go()
    for _ in range(4):
        assert await pace.ask(passage()) == Go()
    assert isinstance(await pace.ask(passage()), AskAgain)
    await pace.close()


async def test_a_file_that_cannot_be_used_is_said_and_then_left_alone(tmp_path: Path) -> None:
    """MUST M22: a pace that cannot be shared delays nothing."""
    (tmp_path / "pace.db").mkdir()
    pace = SqlitePace(tmp_path / "pace.db", lambda: NOON)
    for _ in range(2):
        with pytest.raises(StateUnwritable, match=r"pace\.db"):
            await pace.ask(passage())
    await pace.close()


async def test_a_file_that_another_process_holds_is_not_waited_for_long(tmp_path: Path) -> None:
    path = tmp_path / "pace.db"
    pace = SqlitePace(path, lambda: NOON, busy_timeout_s=0.01)
    await pace.ask(passage())
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateUnwritable):
        await pace.ask(passage())
    holder.execute("ROLLBACK")
    holder.close()
    await pace.close()


async def test_what_does_not_count_any_more_is_forgotten_when_the_file_is_opened(tmp_path: Path) -> None:
    path, now = tmp_path / "pace.db", NOON
    for _ in range(2):
        pace = SqlitePace(path, lambda: now)  # noqa: B023 - used within the round
        await pace.ask(passage(ChatId(f"{now.day}")))
        await pace.close()
        now += timedelta(days=1)
    with sqlite3.connect(path) as connection:
        chats = [row[0] for row in connection.execute("SELECT chat FROM lanes_1 ORDER BY chat")]
    connection.close()
    assert chats == ["", f"{NOON.day + 1}"]
