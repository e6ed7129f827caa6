"""Makes the process known to the others: registered while it lives, with a heartbeat, and gone on exit."""

from contextlib import suppress
from dataclasses import replace

from telegram_channel.errors import StateError
from telegram_channel.ports import Clock, SessionRecord, Store

HEARTBEAT_S = 30.0
"""Every process wakes up for every beat of every other one."""


class Presence:
    """This process in the list of sessions."""

    def __init__(self, store: Store, clock: Clock, record: SessionRecord) -> None:
        self._store = store
        self._clock = clock
        self._record = record

    async def run(self) -> None:
        """Say again and again that the process is alive; each time in full, for the store may have been replaced."""
        while True:
            now = self._clock.now()
            with suppress(StateError):  # whoever needs the store says so; being listed can wait
                await self._store.sessions.register(replace(self._record, last_seen_at=now))
            await self._clock.sleep(HEARTBEAT_S)

    async def leave(self) -> None:
        """Take the process off the list."""
        await self._store.sessions.leave(self._record.session, self._record.pid)
