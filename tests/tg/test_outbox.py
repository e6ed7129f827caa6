"""The outbox keeps order within a chat and pace for all, and lets nobody wait for somebody else's chat."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from telegram_channel.core.ids import ChatId
from telegram_channel.tg.outbox import Kind, Outbox
from tests.clock import ManualClock

ANN, BOB, TEAM = ChatId("1"), ChatId("2"), ChatId("-3")


class Post:
    """Sends numbered messages through an outbox and writes down when each left."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.outbox = Outbox(self.clock)
        self.left: list[tuple[str, float]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def send(
        self,
        name: str,
        chat: ChatId = ANN,
        *,
        urgent: bool = False,
        wait: Callable[[], Awaitable[None]] | None = None,
    ) -> asyncio.Task[None]:
        async def sending() -> None:
            async with self.outbox.turn(chat, urgent=urgent):
                await self.outbox.slot(chat)
                self.left.append((name, self.clock.monotonic()))
                if wait is not None:
                    await wait()

        self.tasks.append(asyncio.create_task(sending()))
        return self.tasks[-1]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.left]


async def test_a_lone_message_leaves_at_once() -> None:
    post = Post()
    await post.send("a")
    assert post.left == [("a", 0.0)]
    assert post.clock.naps == []


async def test_the_order_of_a_chat_is_kept() -> None:
    """MUST M1: messages of one chat leave in order."""
    post = Post()
    for name in "abcdefgh":
        post.send(name)
    await post.clock.advance(10)
    assert post.left == [*((name, 0) for name in "abcde"), *((name, pytest.approx(5.2)) for name in "fgh")]


async def test_urgent_messages_go_before_all_that_wait() -> None:
    """MUST R25: permission cards go before everything else that waits for their chat."""
    post = Post()
    gate = asyncio.Event()

    async def until_opened() -> None:
        await gate.wait()

    post.send("first", wait=until_opened)
    for name in ("b", "c"):
        post.send(name)
    for name in ("CARD", "CARD 2"):
        post.send(name, urgent=True)
    await post.clock.settle()
    gate.set()
    await post.clock.advance(5)
    assert post.names == ["first", "CARD", "CARD 2", "b", "c"]


async def test_a_slow_chat_delays_no_other() -> None:
    """MUST R24: one slow or flooded chat never delays another."""
    post = Post()
    post.send("stuck", wait=asyncio.Event().wait)  # type: ignore[arg-type]  # returns True, and never does here
    await post.outbox.hold(TEAM, 500)
    post.send("held", TEAM)
    await post.clock.settle()
    await post.send("free", BOB)
    assert post.names == ["stuck", "free"]
    for task in post.tasks:
        task.cancel()


async def test_a_chat_told_to_wait_waits_exactly_that_long() -> None:
    """MUST R23: a flood wait is kept exactly, per chat."""
    post = Post()
    await post.outbox.hold(ANN, 17)
    post.send("a")
    await post.clock.advance(16.9)
    assert post.left == []
    await post.clock.advance(1)
    assert post.left == [("a", 17.0)]


async def test_a_pause_for_reactions_holds_no_answer_but_one_for_answers_holds_edits() -> None:
    post = Post()
    await post.outbox.hold(ANN, 30, Kind.REACTION)
    assert await post.outbox.held_s(ANN, Kind.MESSAGE) == 0
    assert await post.outbox.held_s(ANN, Kind.REACTION) == 30
    await post.outbox.hold(ANN, 40, Kind.MESSAGE)
    assert await post.outbox.held_s(ANN, Kind.EDIT) == 40
    await post.outbox.hold(ANN, 5, Kind.MESSAGE)
    assert await post.outbox.held_s(ANN, Kind.EDIT) == 40


async def test_whoever_gives_up_waiting_leaves_no_gap() -> None:
    post = Post()
    gate = asyncio.Event()

    async def until_opened() -> None:
        await gate.wait()

    post.send("a", wait=until_opened)
    given_up = post.send("b")
    post.send("c")
    await post.clock.settle()
    given_up.cancel()
    gate.set()
    await post.clock.advance(3)
    assert post.names == ["a", "c"]


async def test_a_turn_that_comes_as_its_waiter_leaves_is_passed_on() -> None:
    post = Post()
    gate = asyncio.Event()

    async def until_opened() -> None:
        await gate.wait()

    post.send("a", wait=until_opened)
    given_up = post.send("b")
    post.send("c")
    await post.clock.settle()
    gate.set()
    await asyncio.sleep(0)  # "a" ends and hands its turn to "b"
    await asyncio.sleep(0)
    given_up.cancel()
    await post.clock.advance(3)
    assert post.names[0] == "a"
    assert post.names[-1] == "c"


async def test_nothing_is_kept_about_idle_lanes() -> None:
    post = Post()
    await post.send("a")
    assert post.outbox._lanes == {}  # nothing else shows that memory does not grow


async def test_a_failure_in_a_turn_frees_the_lane() -> None:
    outbox = Outbox(ManualClock())
    with pytest.raises(RuntimeError):
        async with outbox.turn(ANN):
            raise RuntimeError
    async with outbox.turn(ANN):
        pass


async def test_many_chats_share_the_pace_of_the_bot() -> None:
    post = Post()
    for number in range(100):
        post.send(str(number), ChatId(str(1000 + number)))
    await post.clock.advance(10)
    assert len(post.left) == 100
    for _, at in post.left:
        assert sum(at <= other < at + 1 for _, other in post.left) <= 30
