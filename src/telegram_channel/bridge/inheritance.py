"""A verdict is told to the session that asked or to its successor, and to no other.

A server that is restarted under another session id is the next session of its project: its client may still wait
for what the last one asked. Nothing is handed over for that. A prompt stays whose it is, so that a session that
comes back under its own id finds its verdict untold, and a stranger's never becomes anybody else's.
"""

from collections.abc import Callable
from datetime import timedelta

from telegram_channel.core.ids import SessionId
from telegram_channel.core.permission import Prompt
from telegram_channel.core.succession import CLOCKS_DIFFER, Tenure, heirs
from telegram_channel.ports import Clock, SessionRecord, Store


class Inheritance:
    """The prompts of ended sessions whose verdicts are for this process's session."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        session: SessionId,
        is_alive: Callable[[SessionRecord], bool],
        *,
        look_s: float,
        ended_after_s: float,
    ) -> None:
        """`look_s`: how often it is asked what is to come. `ended_after_s`: after that long nobody waits any more."""
        self._store = store
        self._clock = clock
        self._session = session
        self._is_alive = is_alive
        self._look_s = look_s
        self._ended_after = timedelta(seconds=ended_after_s)
        self._before: frozenset[SessionId] | None = None
        """Sessions of our project that had ended when ours began; there are never more. None: nobody has looked."""
        self._owing: frozenset[SessionId] = frozenset()
        """Those of them of which a verdict may be to come."""
        self._look_again_s = clock.monotonic()

    async def untold(self) -> list[Prompt]:
        """Decided prompts that ours is to be told of, because the session that asked has ended untold."""
        await self._look()
        untold = [prompt for one in self._owing for prompt in await self._store.prompts.untold(one)]
        return [prompt for prompt in untold if await self.is_ours(prompt)]

    async def is_ours(self, prompt: Prompt) -> bool:
        """Whether our session is the successor of the one that asked."""
        if prompt.session not in await self._predecessors():
            return False
        living, gone = await self._everybody()
        mine = [one for one in gone if one.session == prompt.session and self._is_recent(one)]
        if not mine:
            return False
        last = max(mine, key=lambda one: one.last_seen_at)
        ended = Tenure(last.session, last.project, last.started_at, last.last_seen_at)
        # Of one that was killed only a beat is known; but when it asked it lived.
        earliest = prompt.asked_at - CLOCKS_DIFFER
        later = (one for one in living if one.receives and one.started_at >= earliest)
        taking = (Tenure(one.session, one.project, one.started_at) for one in later)
        return heirs([ended], taking).get(prompt.session) == self._session

    async def _look(self) -> None:
        """Find out now and then of whom a verdict may be to come: of what is open, or is decided and untold."""
        await self._predecessors()
        if not self._owing or self._clock.monotonic() < self._look_again_s:
            return
        self._look_again_s = self._clock.monotonic() + self._look_s
        asking = {prompt.session for prompt in await self._store.prompts.open_prompts()}
        owing = [one for one in self._owing if one in asking or await self._store.prompts.untold(one)]
        self._owing = frozenset(owing)

    async def _predecessors(self) -> frozenset[SessionId]:
        """Sessions to which ours may be the successor, as it was found when ours began."""
        if self._before is not None:
            return self._before
        living, gone = await self._everybody()
        own = next((one for one in living if one.session == self._session), None)
        if own is None:
            return frozenset()  # it is not listed yet, and will be in a moment
        mine = (one for one in gone if own.project and one.project == own.project and self._is_recent(one))
        self._before = self._owing = frozenset(one.session for one in mine) if own.receives else frozenset()
        return self._before

    async def _everybody(self) -> tuple[list[SessionRecord], list[SessionRecord]]:
        """The processes that run, and those of sessions of which none does."""
        listed = await self._store.sessions.list()
        living = [one for one in listed if self._is_alive(one)]
        names = {one.session for one in living}
        known = (*await self._store.sessions.ended(), *listed)
        return living, [one for one in known if one.session not in names]

    def _is_recent(self, record: SessionRecord) -> bool:
        return self._clock.now() - record.last_seen_at < self._ended_after
