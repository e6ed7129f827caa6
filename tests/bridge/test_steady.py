"""A flow that fails begins again, later each time, and only a broken store ends it."""

import asyncio
from collections.abc import Callable

import pytest

from telegram_channel.bridge.steady import FIRST_PAUSE_S, LONGEST_PAUSE_S, keep_running
from telegram_channel.errors import StateTooNew, StateUnreadable, StateUnwritable
from tests.clock import ManualClock
from tests.waiting import eventually


class Flow:
    """Ends as told, one way after the other; then it runs for ever."""

    def __init__(self, *ways: Callable[[], None]) -> None:
        self._ways = list(ways)
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        if self._ways:
            self._ways.pop(0)()
        else:
            await asyncio.get_running_loop().create_future()


def raising(fault: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise fault

    return fail


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("a fault of ours"),
        StateUnwritable("The disk is full."),
        ExceptionGroup("of a flow that has several", [StateUnwritable("The disk is full.")]),
    ],
)
async def test_a_flow_that_fails_begins_again(fault: Exception) -> None:
    """MUST P18: a fault in one flow stops no other."""
    clock, flow = ManualClock(), Flow(raising(fault), raising(fault))
    running = asyncio.create_task(keep_running("signs", flow.run, clock))
    await clock.advance(FIRST_PAUSE_S)
    assert flow.runs == 2
    await clock.advance(2 * FIRST_PAUSE_S)
    assert flow.runs == 3
    assert not running.done()
    running.cancel()


async def test_the_pauses_grow_and_end_with_a_recovery() -> None:
    clock = ManualClock()
    flow = Flow(*[raising(RuntimeError("again"))] * 20)
    running = asyncio.create_task(keep_running("signs", flow.run, clock))
    for _ in range(20):
        await clock.advance(LONGEST_PAUSE_S)
    assert max(clock.naps) == LONGEST_PAUSE_S
    assert clock.naps == sorted(clock.naps)
    assert flow.runs < 30
    running.cancel()


@pytest.mark.parametrize("fault", [StateUnreadable("It is damaged."), StateTooNew("It is newer.")])
async def test_a_broken_store_is_passed_on(fault: Exception) -> None:
    for raised in (fault, ExceptionGroup("of a flow that has several", [ExceptionGroup("inner", [fault])])):
        with pytest.raises(type(raised)):
            await keep_running("signs", Flow(raising(raised)).run, ManualClock())


async def test_a_flow_that_is_done_is_not_begun_again() -> None:
    flow = Flow(lambda: None)
    await keep_running("signs", flow.run, ManualClock())
    assert flow.runs == 1


async def test_a_flow_that_fails_as_it_is_cancelled_ends() -> None:
    """MUST P21: whoever is told to stop stops, also when something fails at the same moment."""
    failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def flow() -> None:
        begun.set()
        await asyncio.gather(failing, asyncio.Event().wait())

    running = asyncio.create_task(keep_running("a flow", flow, ManualClock()))
    await begun.wait()
    await asyncio.sleep(0)
    failing.set_exception(RuntimeError("the disk"))
    running.cancel()
    await eventually(running.done, "the end")
    assert running.cancelled()
