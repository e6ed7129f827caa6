"""Makes the process known to the others: registered while it lives, with a heartbeat, and gone on exit.

It looks twice a minute whether it is still listed, and which branch its project is on: people tell sessions by
it. Written is only what has changed, and a beat now and then, because every process wakes up for it.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace

from telegram_channel.errors import StateError
from telegram_channel.ports import Clock, SessionRecord, Store

LOOK_EVERY_S = 30.0
HEARTBEAT_S = 120.0
"""Whether a process lives is asked of the system; the beat only says when that was known last."""
_SOON_S = 1.0
"""After a beat that could not be stored: whoever is not listed is given no messages."""


class Presence:
    """This process in the list of sessions."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        record: SessionRecord,
        read_branch: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        """`read_branch`: the git branch of the project at this moment; without it, that of the record."""
        self._store = store
        self._clock = clock
        self._record = record
        self._read_branch = read_branch

    async def run(self) -> None:
        """Say again and again that the process is alive, in full, for the store may have been replaced."""
        beat_s = -math.inf
        while True:
            due = self._clock.monotonic() - beat_s >= HEARTBEAT_S
            if due or not await self._is_listed():
                if await self._register():
                    beat_s = self._clock.monotonic()
                else:
                    await self._clock.sleep(_SOON_S)
                    continue
            await self._clock.sleep(LOOK_EVERY_S)
            if self._read_branch is not None:
                self._record = replace(self._record, branch=await self._read_branch())

    async def _is_listed(self) -> bool:
        """Whether the others see this process as it is."""
        try:
            records = await self._store.sessions.list()
        except StateError:
            return False
        return any(self._record == replace(one, last_seen_at=self._record.last_seen_at) for one in records)

    async def _register(self) -> bool:
        try:
            await self._store.sessions.register(replace(self._record, last_seen_at=self._clock.now()))
        except StateError:  # whoever needs the store says so
            return False
        return True

    async def leave(self) -> None:
        """Take the process off the list."""
        await self._store.sessions.leave(self._record.session, self._record.pid, self._clock.now())
