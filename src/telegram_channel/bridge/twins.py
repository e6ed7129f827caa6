"""Of two processes of one session the one that started last takes its messages: never both, or all came twice.

A client that connects anew starts a process before, or while, the old one ends. The new one waits a moment
for that end; by then the old one has noticed that it is replaced.
"""

from telegram_channel.bridge.roster import Roster
from telegram_channel.ports import Clock, SessionRecord

NOTICED_WITHIN_S = 1.0
"""How long a process may take to notice that it is replaced: asked with every message, the store answers rarely."""
_PATIENCE_S = 2.0
_LOOK_EVERY_S = 0.1


class Twins:
    """Further processes of this process's session."""

    def __init__(self, clock: Clock, roster: Roster, own: SessionRecord) -> None:
        self._clock = clock
        self._roster = roster
        self._own = own
        self._looked_at_s: float | None = None
        self._replaced = False

    async def is_replaced(self) -> bool:
        """Whether a later process takes the messages of this session. Raises `StateError`."""
        now_s = self._clock.monotonic()
        if self._looked_at_s is None or now_s - self._looked_at_s >= NOTICED_WITHIN_S:
            self._replaced = any(one.started_at > self._own.started_at for one in await self._others())
            self._looked_at_s = now_s
        return self._replaced

    async def until_alone(self) -> None:
        """Return once no earlier process is left, or after two seconds. Raises `StateError`."""
        until_s = self._clock.monotonic() + _PATIENCE_S
        while self._clock.monotonic() < until_s:
            if not any(one.started_at <= self._own.started_at for one in await self._others()):
                return
            await self._clock.sleep(_LOOK_EVERY_S)

    async def _others(self) -> list[SessionRecord]:
        own = self._own
        return [one for one in await self._roster.living() if one.session == own.session and one.pid != own.pid]
