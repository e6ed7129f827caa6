"""Work for a thread of its own, whose outcome is told on the event loop that asked for it.

Whoever is told takes the processor at once. So what is done in one go is told in one go.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Work(Generic[T]):
    """Something to do on a thread, and where to say how it went. Make it on the event loop."""

    __slots__ = ("_do", "_error", "_loop", "_result", "future", "is_quick")

    def __init__(self, do: Callable[[], T], *, is_quick: bool = False) -> None:
        """`is_quick`: it waits for nobody, so those whose work was done right before may be told with it."""
        self.is_quick = is_quick
        self._do = do
        self._loop = asyncio.get_running_loop()
        self._result: T | None = None
        self._error: BaseException | None = None
        self.future: asyncio.Future[T] = self._loop.create_future()

    def carry_out(self) -> None:
        """Do it on this thread, unless nobody waits for it any more; `tell` says how it went. Never raises."""
        if self.future.cancelled():
            return
        try:
            self._result = self._do()
        except BaseException as raised:  # it belongs to whoever waits, and this thread must live on
            self._error = raised

    def _settle(self) -> None:
        if self.future.done():
            return
        if self._error is None:
            self.future.set_result(cast(T, self._result))
        else:
            self.future.set_exception(self._error)

    @staticmethod
    def tell(done: Sequence["Work[Any]"]) -> None:
        """Let everybody who waits for these, all of one event loop, know at once how they went. From any thread."""
        if done:
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                done[0]._loop.call_soon_threadsafe(_settle_all, done)


def _settle_all(done: Sequence[Work[Any]]) -> None:
    for work in done:
        work._settle()
