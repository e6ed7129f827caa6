"""A verdict is told to the session that asked or to its successor, and to no other.

A server that is restarted under another session id is the next session of its project: its client may still wait
for what the last one asked. Nothing is handed over for that. A prompt stays whose it is, so that a session that
comes back under its own id finds its verdict untold, and a stranger's never becomes anybody else's.
"""

from datetime import timedelta

from telegram_channel.core.ids import SessionId
from telegram_channel.core.permission import Prompt
from telegram_channel.core.succession import heirs
from telegram_channel.ports import Clock, Store


class Inheritance:
    """The prompts of ended sessions whose verdicts are for this process's session."""

    def __init__(self, store: Store, clock: Clock, session: SessionId, *, ended_after_s: float) -> None:
        """`ended_after_s`: how long after the end of a session somebody may still wait for what it asked."""
        self._store = store
        self._clock = clock
        self._session = session
        self._ended_after = timedelta(seconds=ended_after_s)

    async def untold(self) -> list[Prompt]:
        """Decided prompts that ours is to be told of, because the session that asked has ended untold.

        It is asked at every change of the store; only where a verdict is owed to another are the sessions read.
        """
        owed = [prompt for prompt in await self._store.prompts.untold() if prompt.session != self._session]
        if not owed:
            return []
        ours = await self._predecessors()
        return [prompt for prompt in owed if prompt.session in ours]

    async def is_ours(self, prompt: Prompt) -> bool:
        """Whether our session is the successor of the one that asked."""
        return prompt.session in await self._predecessors()

    async def _predecessors(self) -> frozenset[SessionId]:
        """Sessions that ended lately and for which ours stands now, directly or as the last of a line."""
        ended = await self._store.sessions.ended()
        now_standing = heirs({one.record.session: one.heir for one in ended})
        since = self._clock.now() - self._ended_after
        recent = (one.record.session for one in ended if one.record.last_seen_at > since)
        return frozenset(one for one in recent if now_standing.get(one) == self._session)
