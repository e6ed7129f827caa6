"""Work on several things at once, on each of them one piece at a time: a slow chat delays nobody else."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from telegram_channel.errors import ChannelError

_log = logging.getLogger(__name__)


class SideBySide:
    """Pieces of work that run beside the flow which starts them."""

    def __init__(self, what: str) -> None:
        """`what`: a word for the log."""
        self._what = what
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}

    def start(self, about: Hashable, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin, unless something about the same is under way. What it raises is logged, never passed on."""
        if about not in self._tasks:
            task = self._tasks[about] = asyncio.create_task(work())
            task.add_done_callback(lambda done: self._done(about, done))

    def _done(self, about: Hashable, task: asyncio.Task[None]) -> None:
        del self._tasks[about]
        if not task.cancelled() and (error := task.exception()) is not None:
            expected = isinstance(error, ChannelError)
            _log.warning("%s: %s", self._what, error, exc_info=None if expected else error)

    def cancel(self) -> None:
        """Drop what is under way."""
        for task in self._tasks.values():
            task.cancel()
