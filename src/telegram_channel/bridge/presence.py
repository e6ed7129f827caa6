"""Makes the process known to the others: registered while it lives, with a heartbeat, and gone on exit.

With each beat it says anew which branch its project is on: people tell sessions by it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from telegram_channel.errors import StateError
from telegram_channel.ports import Clock, SessionRecord, Store

HEARTBEAT_S = 30.0
"""Every process wakes up for every beat of every other one."""
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
        """Say again and again that the process is alive; each time in full, for the store may have been replaced.

        The first time without another look at the branch: nobody shall wait for a disk to be listed.
        """
        while True:
            registered = await self._register()
            await self._clock.sleep(HEARTBEAT_S if registered else _SOON_S)
            if self._read_branch is not None:
                self._record = replace(self._record, branch=await self._read_branch())

    async def _register(self) -> bool:
        try:
            await self._store.sessions.register(replace(self._record, last_seen_at=self._clock.now()))
        except StateError:  # whoever needs the store says so
            return False
        return True

    async def leave(self) -> None:
        """Take the process off the list."""
        await self._store.sessions.leave(self._record.session, self._record.pid)
