"""A view of the store for flows that may look a moment later: many changes in a row are one to them.

Every commit wakes whoever waits for a change, and a message makes several commits. What carries the message
on has to look after each; signs in the chat, downloads and chores would only take the processor and the
database away from it.
"""

from telegram_channel.core.ids import BotId
from telegram_channel.ports import (
    AccessBook,
    AuditTrail,
    Clock,
    ClosedChats,
    HealthBoard,
    Inbox,
    OrderBook,
    Pace,
    PromptBook,
    RouteBook,
    Sessions,
    Store,
    WishBook,
)


class Unhurried:
    """`ports.Store`, the same but for `wait_for_change`."""

    def __init__(self, store: Store, clock: Clock, pause_s: float) -> None:
        self._store = store
        self._clock = clock
        self._pause_s = pause_s

    @property
    def bot(self) -> BotId:
        """Whose state this is."""
        return self._store.bot

    @property
    def access(self) -> AccessBook:
        return self._store.access

    @property
    def inbox(self) -> Inbox:
        return self._store.inbox

    @property
    def prompts(self) -> PromptBook:
        return self._store.prompts

    @property
    def audit(self) -> AuditTrail:
        return self._store.audit

    @property
    def sessions(self) -> Sessions:
        return self._store.sessions

    @property
    def health(self) -> HealthBoard:
        return self._store.health

    @property
    def orders(self) -> OrderBook:
        return self._store.orders

    @property
    def wishes(self) -> WishBook:
        return self._store.wishes

    @property
    def routes(self) -> RouteBook:
        return self._store.routes

    @property
    def closed_chats(self) -> ClosedChats:
        return self._store.closed_chats

    @property
    def pace(self) -> Pace:
        return self._store.pace

    async def wait_for_change(self, seen: int, timeout_s: float) -> int:
        """As the store's own, but a change is told `pause_s` later, with everything that followed it."""
        version = await self._store.wait_for_change(seen, timeout_s)
        if version == seen or seen == -1:
            return version
        await self._clock.sleep(self._pause_s)
        return await self._store.wait_for_change(-1, 0)

    async def close(self) -> None:
        """Let go of everything; safe to call twice."""
        await self._store.close()
