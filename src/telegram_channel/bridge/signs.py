"""Signs in the chat that are true: 👀 means "stored", ✍ "read by the session", typing "it works on this".

👀 is put by the process that polls, for every message; typing is shown by each process for its own session.
Where the client's hooks do not say what the session reads, typing means "given to the session, not answered
yet".
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

from telegram_channel.bridge.steady import heed_cancellation
from telegram_channel.core.ids import ChatId, EntryId, SessionId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Move
from telegram_channel.core.messages import InboundMessage
from telegram_channel.core.turns import Where
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import Chat, Clock, Store

STORED_SIGN = "👀"
READ_SIGN = "✍"
"""Takes the place of 👀; both are among the reactions that bots may use (source: Bot API, `ReactionTypeEmoji`)."""
_TYPING_EVERY_S = 4.0
"""Telegram shows "typing" for five seconds (source: Bot API, `sendChatAction`)."""
_MOST_SIGNS_PER_CHAT = 5
"""After a long absence only the newest messages of a chat get their sign: the rest would take minutes."""
_LOOK_S = 60.0
_ANY_STATE = tuple(DeliveryState)


def _no_hooks() -> bool:
    return False


def _at_work_for_nobody(_: Where) -> bool:
    return False


class Signs:
    """Shows in each chat that its messages are stored."""

    def __init__(self, store: Store, chat: Chat) -> None:
        self._store = store
        self._chat = chat
        self._signing = _Spawned()

    async def run(self) -> None:
        """Show signs until cancelled."""
        seen = -1
        try:
            while True:
                try:
                    entries = await self._store.inbox.unacknowledged()
                    # Marked first: a sign that is shown twice or not at all hurts nobody, a queue of them does.
                    await self._mark(entries)
                except StateUnwritable as error:
                    heed_cancellation(error)
                    entries = ()
                for entry in worth_a_sign(entries):
                    if await self._is_unread(entry):
                        self._signing.spawn(self._chat.react(entry.chat, entry.message, STORED_SIGN))
                seen = await self._store.wait_for_change(seen, 0 if entries else _LOOK_S)
        finally:
            self._signing.cancel()

    async def _mark(self, entries: Sequence[InboxEntry]) -> None:
        if entries:
            moved: tuple[EntryId, ...] = tuple(entry.entry for entry in entries)
            # After a loss of power the sign is put there again: that changes nothing in the chat.
            await self._store.inbox.advance([Move(moved, _ANY_STATE, acknowledged=True)], durable=False)

    async def _is_unread(self, entry: InboxEntry) -> bool:
        """Whether it may still bear 👀: asked right before, so that no sign of reading is ever covered."""
        now = await self._store.inbox.find(entry.chat, entry.message)
        return now is None or now.entry != entry.entry or now.state is not DeliveryState.READ


class Typing:
    """Shows "typing" wherever this process's session works, or may work, on an answer."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        clock: Clock,
        typing_at_most_s: float,
        *,
        session: SessionId,
        hooks_seen: Callable[[], bool] = _no_hooks,
        in_flight: Callable[[Where], bool] = _at_work_for_nobody,
    ) -> None:
        """`hooks_seen`: whether the session's hooks say what it reads.

        `in_flight`: whether it is at this moment in a turn that a message from there began; asked only where
        hooks were seen.
        """
        self._store = store
        self._chat = chat
        self._clock = clock
        self._typing_at_most = timedelta(seconds=typing_at_most_s)
        self._session = session
        self._hooks_seen = hooks_seen
        self._in_flight = in_flight
        self._shown = _Spawned()

    async def run(self) -> None:
        """Show it until cancelled."""
        seen = -1
        shown_at: dict[Where, float] = {}
        try:
            while True:
                waiting = await self._store.inbox.awaiting(self._clock.now() - self._typing_at_most)
                places = {_where(entry) for entry in waiting if self._shows_typing(entry)}
                now = self._clock.monotonic()
                shown_at = {place: at for place, at in shown_at.items() if place in places}
                for place in places:
                    if now - shown_at.get(place, -_TYPING_EVERY_S) >= _TYPING_EVERY_S:
                        shown_at[place] = now
                        self._shown.spawn(self._chat.typing(place.chat, place.thread))
                wait_s = min((at + _TYPING_EVERY_S - now for at in shown_at.values()), default=_LOOK_S)
                seen = await self._store.wait_for_change(seen, max(0.0, wait_s))
        finally:
            self._shown.cancel()

    def _shows_typing(self, entry: InboxEntry) -> bool:
        if not isinstance(entry.inbound, InboundMessage) or entry.noticed or entry.session != self._session:
            return False
        return not self._hooks_seen() or (entry.state is DeliveryState.READ and self._in_flight(_where(entry)))


class _Spawned:
    """Signs on their way: nobody waits for one, so that a slow chat does not hold up the others."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def spawn(self, sign: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(sign)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


def worth_a_sign(entries: Sequence[InboxEntry]) -> list[InboxEntry]:
    """Of each chat the newest messages that a person wrote, oldest first."""
    left: dict[ChatId, int] = {}
    chosen: list[InboxEntry] = []
    for entry in reversed(entries):
        if not isinstance(entry.inbound, InboundMessage) or entry.inbound.edited:
            continue
        if left.setdefault(entry.chat, _MOST_SIGNS_PER_CHAT) > 0:
            left[entry.chat] -= 1
            chosen.append(entry)
    return chosen[::-1]


def _where(entry: InboxEntry) -> Where:
    return Where(entry.chat, entry.inbound.place.thread)
