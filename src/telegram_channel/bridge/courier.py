"""Small things owed to the chat are sent beside the flow that owes them, so that nobody waits for HTTP."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger(__name__)

_MOST = 500
"""Beyond this many at once something is very wrong with the chat: further ones are dropped, and logged."""


class Courier:
    """Runs deliveries that nobody waits for, and ends them with itself."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def post(self, errand: Coroutine[Any, Any, object]) -> None:
        """Start an errand. What it raises is logged, never passed on."""
        if len(self._tasks) >= _MOST:
            errand.close()
            _log.warning("too many unsent answers; one was dropped")
            return
        task = asyncio.create_task(errand)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("an answer could not be sent: %s", error)

    async def settled(self) -> None:
        """Return once everything posted so far is done."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    def cancel(self) -> None:
        """Drop what is still under way."""
        for task in self._tasks:
            task.cancel()
