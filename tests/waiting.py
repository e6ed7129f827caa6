"""Bounded waiting for something that a flow does by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

_ROUNDS = 400
_LOOK_EVERY_S = 0.005


async def eventually(condition: Callable[[], bool | Awaitable[bool]], what: str = "it") -> None:
    """Return once `condition` is true; other coroutines get a bounded number of turns until then.

    For flows on the in-memory store, where nothing waits for a thread or a socket.
    """
    for _ in range(_ROUNDS):
        result = condition()
        if result if isinstance(result, bool) else await result:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{what} did not happen")


async def until(condition: Callable[[], bool], what: str = "it", patience_s: float = 5) -> None:
    """Return once `condition` is true, looking every few milliseconds: for flows in which threads take part."""
    try:
        async with asyncio.timeout(patience_s):
            while not condition():
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.Event().wait(), _LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"{what} did not happen within {patience_s} s") from None


@asynccontextmanager
async def running(*flows: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Run flows beside the body; a flow that fails fails the test."""
    tasks = [asyncio.create_task(flow) for flow in flows]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
