"""The poll loop confirms nothing that is not stored, survives everything, and says truly how it is."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from telegram_channel.core.health import BridgeState, PollHealth
from telegram_channel.core.ids import BotId
from telegram_channel.core.messages import Batch, InboundMessage, Unreadable
from telegram_channel.core.outgoing import BotIdentity
from telegram_channel.errors import (
    Ambiguous,
    BadToken,
    FloodWait,
    PollingConflict,
    StateUnreadable,
    StateUnwritable,
    Unreachable,
)
from telegram_channel.tg.poller import Poller
from tests.clock import ManualClock
from tests.tg.server import Server, ok, refused
from tests.tg.updates import Raw, said, update

ME = BotIdentity(BotId("42"), "claude_bot", "Claude")
FOREVER = object()


class Source:
    """Updates a test puts in; an exception is raised, FOREVER never answers, and without more it waits as asked."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.answers: deque[Any] = deque()
        self.who: deque[Any] = deque()
        self.asked: list[tuple[int | None, int, float]] = []
        """Offset, timeout, and when."""
        self.rebuilt: list[float] = []
        self.instant = False
        """Whether it answers "nothing" at once, whatever timeout was asked for."""

    async def identity(self) -> BotIdentity:
        if self.who:
            raise self.who.popleft()
        return ME

    async def fetch(self, offset: int | None, timeout_s: int) -> Sequence[Any]:
        self.asked.append((offset, timeout_s, self._clock.monotonic()))
        answer = self.answers.popleft() if self.answers else None
        if answer is FOREVER:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        if answer is None and not self.instant:
            await self._clock.sleep(timeout_s)
        return answer or []

    async def rebuild(self) -> None:
        self.rebuilt.append(self._clock.monotonic())

    @property
    def offsets(self) -> list[int | None]:
        return [offset for offset, _, _ in self.asked]

    @property
    def times(self) -> list[float]:
        return [at for _, _, at in self.asked]


class Polling:
    """A poller with everything around it under control of the test."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.source = Source(self.clock)
        self.batches: list[Batch] = []
        self.storing: deque[Exception] = deque()
        self.health: list[PollHealth] = []
        self.poller = Poller(
            self.source, self._store, self.health.append, self.clock, jitter=lambda: 1.0, timeout_s=25
        )

    async def _store(self, batch: Batch) -> None:
        if self.storing:
            raise self.storing.popleft()
        self.batches.append(batch)

    @property
    def states(self) -> list[BridgeState]:
        """The states in order, repetitions left out."""
        found: list[BridgeState] = []
        for health in self.health:
            if not found or found[-1] is not health.state:
                found.append(health.state)
        return found

    @property
    def texts(self) -> list[str]:
        return [one.text for batch in self.batches for one in batch.updates if isinstance(one, InboundMessage)]

    @asynccontextmanager
    async def running(self, seconds: float) -> AsyncIterator[None]:
        """Run for so long, and then until the block ends."""
        task = asyncio.create_task(self.poller.run())
        try:
            await self.clock.advance(seconds)
            yield
        finally:
            assert not task.done(), task.exception()
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled()

    async def run(self, seconds: float) -> None:
        async with self.running(seconds):
            pass


def ids(*numbers: int) -> list[Raw]:
    return [said(str(number), number) for number in numbers]


# Confirming


async def test_a_batch_is_confirmed_by_the_fetch_after_it_was_stored() -> None:
    """MUST P1: store, commit, confirm, in that order."""
    polling = Polling()
    polling.source.answers.extend([ids(11, 12), ids(13)])
    await polling.run(5)
    assert polling.texts == ["11", "12", "13"]
    assert polling.source.offsets == [None, 13, 14]


async def test_the_first_fetch_asks_for_whatever_is_unconfirmed() -> None:
    """MUST P2: polling starts without an offset, and no offset is ever taken from history."""
    polling = Polling()
    polling.source.answers.extend([ids(900), ids(5), ids(2)])
    await polling.run(5)
    assert polling.source.offsets == [None, 901, 6, 3]


async def test_nothing_is_confirmed_when_polling_stops() -> None:
    """MUST P1: store, commit, confirm, in that order."""
    polling = Polling()
    polling.source.answers.append(ids(11))
    await polling.run(0.5)
    asked = len(polling.source.asked)
    await polling.clock.advance(100)
    assert len(polling.source.asked) == asked


async def test_what_cannot_be_stored_is_kept_offered_again_and_not_confirmed() -> None:
    """MUST P3: while the disk is full nothing is confirmed, and the same batch is stored later."""
    polling = Polling()
    polling.source.answers.append(ids(11, 12))
    polling.storing.extend([StateUnwritable("The disk is full.")] * 5)
    async with polling.running(10):
        assert polling.source.offsets == [None]
        assert polling.states == [BridgeState.RETRYING]
        assert "disk is full" in polling.health[-1].problem
        await polling.clock.advance(10)
        assert polling.texts == ["11", "12"]
        assert polling.source.offsets[:2] == [None, 13]
        assert polling.states == [BridgeState.RETRYING, BridgeState.POLLING]
        assert polling.health[-1].problem == ""


async def test_unreadable_state_stops_the_polling_until_it_is_mended() -> None:
    polling = Polling()
    polling.source.answers.append(ids(11))
    polling.storing.extend([StateUnreadable("The database is damaged.")] * 2)
    async with polling.running(3):
        assert polling.states[-1] is BridgeState.STATE_BROKEN
        assert "damaged" in polling.health[-1].problem
        assert polling.source.offsets == [None]
        await polling.clock.advance(30)
        assert polling.texts == ["11"]


async def test_a_fault_of_our_own_does_not_end_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    """MUST P4: the poll loop never ends by itself."""
    polling = Polling()
    polling.source.answers.extend([ids(11), KeyError("oops"), ids(12)])
    polling.storing.append(ZeroDivisionError())
    await polling.run(10)
    assert polling.texts == ["11", "12"]
    assert "could not be handed over" in caplog.text


async def test_one_bad_update_stops_nobody_behind_it() -> None:
    """MUST I7: an update nobody understands is kept and reported, and blocks nothing."""
    polling = Polling()
    polling.source.answers.append([said("before", 11), update(12, message="broken"), None, said("after", 13)])
    await polling.run(5)
    assert polling.texts == ["before", "after"]
    assert [type(one) for one in polling.batches[0].updates].count(Unreadable) == 2
    assert polling.source.offsets[1] == 14


async def test_a_batch_says_whether_there_was_more() -> None:
    polling = Polling()
    polling.source.answers.extend([ids(*range(100)), ids(*range(100, 199))])
    await polling.run(0.5)
    assert [batch.drained for batch in polling.batches] == [False, True]
    assert [batch.cursor for batch in polling.batches] == [99, 198]


class LateSource(Source):
    """The answer is there in time, and read ten seconds after: the machine slept."""

    async def fetch(self, offset: int | None, timeout_s: int) -> Sequence[Any]:
        found = await super().fetch(offset, timeout_s)
        await self._clock.sleep(10)
        return found


async def test_an_answer_that_was_read_late_says_nothing_about_the_time_since() -> None:
    """MUST V2: an old answer from a backlog never approves."""
    polling = Polling()
    polling.source = LateSource(polling.clock)
    polling.poller = Poller(
        polling.source, polling._store, polling.health.append, polling.clock, jitter=lambda: 1.0, timeout_s=25
    )
    began_at = polling.clock.now()
    await polling.run(50)
    assert [batch.drained_at for batch in polling.batches] == [began_at, began_at + timedelta(seconds=35)]
    assert polling.health[-1].last_drained_at == began_at + timedelta(seconds=35)


async def test_a_single_update_for_whoever_is_in_a_hurry_may_not_be_the_only_one() -> None:
    polling = Polling()
    polling.source.answers.extend([ids(11), ids(12), ids(13, 14), Unreachable("The network is gone."), ids(15)])
    await polling.run(5)
    # Whether it was is asked at once: an answer that comes next must not wait for a long poll to count.
    assert [batch.drained for batch in polling.batches] == [False, True, True, False, True]


class WaitingSource(Source):
    """Somebody writes four seconds after a long poll began."""

    async def fetch(self, offset: int | None, timeout_s: int) -> Sequence[Any]:
        if timeout_s:
            await self._clock.sleep(4)
        return await super().fetch(offset, timeout_s)


async def test_a_single_update_that_was_waited_for_needs_no_second_look() -> None:
    polling = Polling()
    polling.source = WaitingSource(polling.clock)
    polling.poller = Poller(
        polling.source, polling._store, polling.health.append, polling.clock, jitter=lambda: 1.0, timeout_s=25
    )
    polling.source.answers.extend([ids(), ids(11)])
    await polling.run(5)
    assert [batch.drained for batch in polling.batches] == [True, True]
    assert [one[1] for one in polling.source.asked] == [0, 25]


async def test_an_empty_poll_is_handed_over_and_moves_nothing() -> None:
    polling = Polling()
    await polling.run(2)
    assert polling.batches == [Batch((), None, drained=True, drained_at=ManualClock().now())]
    assert polling.source.offsets == [None, None]


# Health


async def test_only_a_completed_poll_is_health() -> None:
    """MUST P5: a state is POLLING only after a completed getUpdates."""
    polling = Polling()
    polling.source.answers.append(FOREVER)
    await polling.run(10)
    assert polling.health == []


async def test_the_first_poll_does_not_wait_and_the_next_do() -> None:
    """MUST P5: a state is POLLING only after a completed getUpdates."""
    polling = Polling()
    await polling.run(30)
    assert [(timeout_s, at) for _, timeout_s, at in polling.source.asked] == [(0, 0), (25, 0), (25, 25)]
    assert polling.health[0].state is BridgeState.POLLING
    assert polling.health[0].last_poll_ok_at is not None
    assert polling.health[0].bot_username == "claude_bot"


async def test_after_a_trouble_a_poll_without_waiting_tells_at_once_that_all_is_well() -> None:
    polling = Polling()
    polling.source.answers.extend([[], Unreachable("no")])
    await polling.run(4)
    assert [timeout_s for _, timeout_s, _ in polling.source.asked] == [0, 25, 0, 25]
    assert polling.states == [BridgeState.POLLING, BridgeState.RETRYING, BridgeState.POLLING]


async def test_the_time_of_the_last_completed_poll_survives_troubles() -> None:
    polling = Polling()
    polling.source.answers.extend([ids(*range(100)), *[Unreachable("no")] * 50])
    await polling.run(30)
    assert polling.health[-1].state is BridgeState.RETRYING
    assert polling.health[-1].last_poll_ok_at == polling.health[0].last_poll_ok_at
    assert polling.health[-1].last_drained_at is None


# Troubles


async def test_a_conflict_is_never_fatal_and_never_tight() -> None:
    """MUST P6: a 409 is never fatal and never tight."""
    polling = Polling()
    polling.source.answers.extend([PollingConflict("Somebody else polls.")] * 6)
    async with polling.running(194):
        assert polling.source.times == [0, 5, 15, 35, 75, 135]
        assert polling.states == [BridgeState.CONFLICT]
        assert PollingConflict.default_remedy in polling.health[-1].problem
        await polling.clock.advance(3)
        assert polling.states == [BridgeState.CONFLICT, BridgeState.POLLING]


async def test_a_refused_token_is_a_state_and_is_tried_again_seldom() -> None:
    """MUST P7: a refused token is a visible state, and polling stops."""
    polling = Polling()
    polling.source.answers.extend([BadToken("The token is not accepted."), BadToken("Still not.")])
    async with polling.running(301):
        assert polling.source.times == [0, 300]
        assert polling.states == [BridgeState.BAD_TOKEN]
        assert "telegram-channel configure" in polling.health[-1].problem


async def test_a_token_refused_before_the_first_poll_is_the_same_state() -> None:
    """MUST P7: a refused token is a visible state, and polling stops."""
    polling = Polling()
    polling.source.who.append(BadToken("The token is not accepted."))
    async with polling.running(10):
        assert polling.states == [BridgeState.BAD_TOKEN]
        assert polling.source.asked == []
        await polling.clock.advance(300)
        assert polling.states == [BridgeState.BAD_TOKEN, BridgeState.POLLING]


async def test_a_flood_is_waited_out_exactly() -> None:
    polling = Polling()
    polling.source.answers.append(FloodWait("Wait.", 17))
    await polling.run(17.5)
    assert polling.source.times[:2] == [0, 17]


async def test_failures_are_retried_for_ever_and_ever_slower() -> None:
    """MUST P4: the poll loop never ends by itself."""
    polling = Polling()
    polling.source.answers.extend([Ambiguous("502")] * 200)
    async with polling.running(3600):
        times = polling.source.times
        assert times[:5] == [0, 0.5, 1.5, 3.5, 7.5]
        assert 110 < len(times) < 130
        assert polling.states == [BridgeState.RETRYING]


async def test_a_poll_that_hangs_is_given_up_and_the_transport_rebuilt() -> None:
    """MUST P8: a deadline of our own ends a poll that hangs."""
    polling = Polling()
    polling.source.answers.extend([[], FOREVER, ids(11)])
    await polling.run(60)
    assert polling.source.times[:3] == [0, 0, 40.5]
    assert polling.source.rebuilt == [40]
    assert polling.texts == ["11"]


async def test_a_rebuild_that_hangs_stops_nothing() -> None:
    polling = Polling()
    polling.source.answers.extend([FOREVER, ids(11)])
    polling.source.rebuild = asyncio.Event().wait  # type: ignore[assignment]  # never returns here
    await polling.run(60)
    assert polling.texts == ["11"]


async def test_two_minutes_without_a_poll_rebuild_the_transport() -> None:
    """MUST P9: two minutes without one completed poll, and the transport is rebuilt."""
    polling = Polling()
    polling.source.answers.extend([Unreachable("no")] * 100)
    await polling.run(400)
    first, second, *_ = polling.source.rebuilt
    assert 120 <= first < 155
    assert second - first >= 120


@pytest.mark.parametrize("answer", [[], [said("same", 11)], [None]])
async def test_a_server_that_answers_at_once_does_not_make_the_loop_spin(answer: list[Any]) -> None:
    """MUST P10: no answer of any server makes the poll loop spin."""
    polling = Polling()
    polling.source.instant = True
    polling.source.answers.extend([answer] * 1000)
    await polling.run(60)
    assert len(polling.source.asked) <= 63


async def test_a_backlog_is_fetched_without_pauses() -> None:
    polling = Polling()
    polling.source.answers.extend([ids(*range(start, start + 100)) for start in range(0, 2000, 100)])
    async with polling.running(0):
        for _ in range(10):
            await polling.clock.settle()
        assert polling.texts == [str(number) for number in range(2000)]
        assert polling.clock.monotonic() == 0


@pytest.mark.parametrize("moments", range(12))
async def test_stopping_is_clean_at_any_moment(moments: int) -> None:
    polling = Polling()
    polling.source.answers.extend([ids(1), ids(2), Unreachable("no"), ids(3)])
    task = asyncio.create_task(polling.poller.run())
    for _ in range(moments):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert len(asyncio.all_tasks()) == 1


async def test_only_changes_of_state_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    polling = Polling()
    polling.source.answers.extend([ids(1), *[Unreachable("no network")] * 5, ids(2)])
    await polling.run(60)
    told = [record.getMessage() for record in caplog.records]
    assert [words.partition(":")[0] for words in told] == [
        "polling is now polling",
        "polling is now retrying",
        "polling is now polling",
    ]


async def test_the_production_client_feeds_the_loop() -> None:
    """MUST P1: store, commit, confirm, in that order."""
    server = Server()
    server.put("getUpdates", ok(ids(11)), refused(502, "Bad Gateway"), ok(ids(12)))
    clock = ManualClock()
    batches: list[Batch] = []

    async def store(batch: Batch) -> None:
        batches.append(batch)

    chat = server.chat(clock)
    task = asyncio.create_task(Poller(chat, store, lambda _: None, clock, jitter=lambda: 1.0).run())
    await clock.advance(1)
    task.cancel()
    await asyncio.wait({task})
    await chat.close()
    assert [request.params.get("offset") for request in server.of("getUpdates")][:4] == [None, "12", "12", "13"]
    assert [batch.cursor for batch in batches][:2] == [11, 12]
