"""A flow that fails begins again, later each time, and only a broken store ends it."""

import ast
import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from telegram_channel import bridge
from telegram_channel.bridge.steady import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    UNWRITABLE_PAUSE_S,
    keep_running,
    pause_after,
)
from telegram_channel.errors import StateTooNew, StateUnreadable, StateUnwritable
from tests.bridge.house import House
from tests.bridge.test_delivery import world
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


async def never(*_arguments: Any, **_named: Any) -> Any:
    """What is still under way when something beside it fails."""
    await asyncio.Event().wait()


class Failing:
    """A question to the store that fails when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._now = asyncio.Event()

    async def __call__(self, *_arguments: object) -> Any:
        self.asked.set()
        await self._now.wait()
        raise StateUnwritable("The disk is full.")

    async def ends_with_a_cancellation(self, flow: Coroutine[Any, Any, None]) -> bool:
        """Cancel a flow in the very moment in which this has failed and nobody has heard of it."""
        running = asyncio.create_task(flow)
        await eventually(self.asked.is_set, "the question")
        self._now.set()
        await asyncio.sleep(0)
        running.cancel()
        await eventually(running.done, "the end")
        return running.cancelled()


async def test_delivery_ends_also_when_the_store_fails_as_it_is_cancelled() -> None:
    """MUST P21: whoever is told to stop stops, also when something fails at the same moment."""
    here, failing = world(), Failing()
    here.store.access.read = failing  # type: ignore[method-assign]  # a disk that fills up
    here.store.orders.standing = never  # type: ignore[method-assign]  # asked together with it
    assert await failing.ends_with_a_cancellation(here.delivery.run())


async def test_dispatch_ends_also_when_the_store_fails_as_it_is_cancelled() -> None:
    """MUST P21: whoever is told to stop stops, also when something fails at the same moment."""
    house, failing = House(), Failing()
    house.store.sessions.list = failing  # type: ignore[method-assign]  # a disk that fills up
    house.store.routes.bindings = never  # type: ignore[method-assign]  # asked together with it
    assert await failing.ends_with_a_cancellation(house.dispatch.run())


async def test_what_failed_is_tried_again_after_a_pause_unless_one_is_to_stop() -> None:
    clock, tried = ManualClock(), list[str]()

    async def trying() -> None:
        await pause_after(StateUnwritable("The disk is full."), clock)
        tried.append("again")
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await pause_after(StateUnwritable("The disk is full."), clock)

    running = asyncio.create_task(trying())
    await clock.advance(UNWRITABLE_PAUSE_S / 2)
    assert tried == []
    await clock.advance(UNWRITABLE_PAUSE_S)
    assert (tried, running.cancelled()) == (["again"], True)
    assert clock.naps == [UNWRITABLE_PAUSE_S]


ASK_THE_STORE_DIRECTLY = {"approvals"}
"""What they wait for is one answer of the store at a time: there a cancellation is always heard."""


def goes_on(handler: ast.ExceptHandler) -> bool:
    """Whether a handler for failures, or faults of any kind, lets a loop go on."""
    caught = {one.id for one in ast.walk(handler.type) if isinstance(one, ast.Name)} if handler.type else set()
    leaves = isinstance(handler.body[-1], ast.Raise | ast.Return | ast.Break)
    return bool(caught & {"StateError", "StateUnwritable", "ChannelError", "Exception"}) and not leaves


def loops_that_go_on() -> Iterator[tuple[str, str]]:
    """Every handler in a loop of a coroutine of the flows: where it is, and its text."""
    for module in sorted(Path(inspect.getfile(bridge)).parent.glob("*.py")):
        for function in ast.walk(ast.parse(module.read_text("utf-8"))):
            loops = [one for one in ast.walk(function) if isinstance(one, ast.While)]
            for loop in loops if isinstance(function, ast.AsyncFunctionDef) else ():
                handlers = [one for one in ast.walk(loop) if isinstance(one, ast.ExceptHandler) and goes_on(one)]
                yield from ((module.stem, ast.unparse(handler)) for handler in handlers)


def test_no_loop_goes_on_after_a_failure_without_heeding_a_cancellation() -> None:
    found = list(loops_that_go_on())
    heeding = {name for name, handler in found if "pause_after(" in handler or "heed_cancellation(" in handler}
    assert {"delivery", "dispatch", "downloads", "obedience", "signs", "steady", "turns"} <= heeding
    deaf = [
        (name, handler)
        for name, handler in found
        if name not in ASK_THE_STORE_DIRECTLY
        and "pause_after(" not in handler
        and "heed_cancellation(" not in handler
    ]
    assert deaf == []
