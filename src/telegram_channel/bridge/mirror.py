"""At the end of a turn every place that asked in it and heard nothing gets Claude's final words, once.

"Once" holds for every message: whatever fails or begins anew, a message is mirrored at most one time, even
if that means not at all. A place that got a reply, an edit or a reaction needs no mirror; whatever else had
been read there in the same turn by then counts as answered by it.
"""

import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telegram_channel.bridge.proof import mark_answered
from telegram_channel.core import notices
from telegram_channel.core.access import may_address
from telegram_channel.core.ids import BotId, ChatId, EntryId, SessionId
from telegram_channel.core.inbox import DeliveryState, InboxEntry
from telegram_channel.core.messages import ReactionChange
from telegram_channel.core.outgoing import OutMessage, Refused
from telegram_channel.core.text import Body
from telegram_channel.core.turns import Turn, Where
from telegram_channel.ports import Chat, Store

_log = logging.getLogger(__name__)

_MOST_REMEMBERED = 2_000
"""Messages that were mirrored; far more than could ever be given to the session again."""
_MOST_TURNS = 50
"""Turns whose end is awaited; usually there is one."""

Post = Callable[[Coroutine[Any, Any, object]], None]
"""Starts an errand that nobody waits for."""


def where_of(entry: InboxEntry) -> Where:
    """The place that is waiting for an answer to this entry."""
    return Where(entry.chat, entry.inbound.place.thread)


@dataclass(frozen=True, slots=True)
class Ending:
    """A turn that ended."""

    turn: Turn
    words: str
    """Claude's last ones, in Markdown."""
    at: datetime


class Ledger:
    """What was asked in which turn, and what was mirrored. It lives as long as the process, in memory only."""

    def __init__(self) -> None:
        self._bot: BotId | None = None
        self._asked: dict[int, tuple[InboxEntry, ...]] = {}
        self._mirrored: dict[EntryId, None] = {}

    def serve(self, bot: BotId) -> None:
        """Forget what belongs to another bot: its entries may have the same numbers."""
        if self._bot != bot:
            self._bot = bot
            self._asked.clear()
            self._mirrored.clear()

    def ask(self, turn: int, entries: Iterable[InboxEntry]) -> tuple[InboxEntry, ...]:
        """Note what a turn began with; returns what of it asks for an answer: what was mirrored does not."""
        asking = tuple(entry for entry in entries if entry.entry not in self._mirrored)
        if asking:
            self._asked[turn] = self._asked.get(turn, ()) + asking
        while len(self._asked) > _MOST_TURNS:  # ended without a sign
            del self._asked[next(iter(self._asked))]
        return asking

    def answered(self, turn: Turn) -> tuple[InboxEntry, ...]:
        """What of a turn is answered already, told once; the rest waits on."""
        asked = self._asked.pop(turn.number, ())
        answered = tuple(entry for entry in asked if turn.has_answered(where_of(entry)))
        if waiting := tuple(entry for entry in asked if entry not in answered):
            self._asked[turn.number] = waiting
        return answered

    def settle(self, turn: int) -> tuple[InboxEntry, ...]:
        """What a turn began with, told once."""
        return self._asked.pop(turn, ())

    def claim(self, entries: Sequence[InboxEntry]) -> None:
        """Note, before anything is sent, that these are being mirrored."""
        self._mirrored |= {entry.entry: None for entry in entries}
        while len(self._mirrored) > _MOST_REMEMBERED:
            del self._mirrored[next(iter(self._mirrored))]

    def release(self, entries: Sequence[InboxEntry]) -> None:
        """Note that nothing of it arrived, for certain."""
        for entry in entries:
            self._mirrored.pop(entry.entry, None)


class Mirror:
    """Sends final words to the places that would otherwise hear nothing."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        session: SessionId,
        ledger: Ledger,
        post: Post,
        *,
        must_not_leave: Callable[[str], bool],
    ) -> None:
        """`must_not_leave`: whether a text holds what nobody in a chat may see."""
        self._store = store
        self._chat = chat
        self._session = session
        self._ledger = ledger
        self._post = post
        self._must_not_leave = must_not_leave

    async def settle(self, ending: Ending) -> None:
        """Post what is owed at the end of a turn, and note what was answered in it. Quick: sending is not waited for.

        Raises:
            StateError: what was answered is not noted, and typing may go on for a while.
        """
        asked = self._ledger.settle(ending.turn.number)
        silent: dict[Where, list[InboxEntry]] = {}
        for entry in asked:
            if not ending.turn.has_answered(where := where_of(entry)):
                silent.setdefault(where, []).append(entry)
        for where, entries in silent.items():
            self._ledger.claim(entries)
            self._post(self._tell(where, entries, ending))
        await self._note_answered([entry for entry in asked if where_of(entry) not in silent], ending.turn, ending.at)

    async def part(self, turn: Turn, at: datetime) -> None:
        """Note what was answered in a turn up to the moment when more messages joined it.

        Raises:
            StateError: it is not noted, and typing may go on for a while.
        """
        await self._note_answered(self._ledger.answered(turn), turn, at)

    async def _note_answered(self, asked: Sequence[InboxEntry], turn: Turn, at: datetime) -> None:
        """Mark what was answered: of what was asked in a turn, and of whatever else was read by then."""
        chats = turn.answered_chats | {where.chat for where in turn.answered}
        read = [entry for entry in await self._read(chats, at) if turn.has_answered(where_of(entry))]
        await mark_answered(self._store, _each_once(asked, read))

    async def _read(self, chats: Iterable[ChatId], before: datetime) -> list[InboxEntry]:
        """What this session was given of some chats up to a moment, and read, whatever showed that it did."""
        return [
            entry
            for chat in chats
            for entry in await self._store.inbox.unanswered(chat)
            if entry.session == self._session
            and entry.state is DeliveryState.READ
            and entry.emitted_at is not None
            and entry.emitted_at <= before
        ]

    async def _tell(self, where: Where, entries: Sequence[InboxEntry], ending: Ending) -> None:
        """Send the words to one place. Whatever may have arrived counts as an answer."""
        body = self._body(ending.words, entries)
        if body is None or not await self._is_open(where.chat):
            return
        outcome = await self._chat.send(OutMessage(where.chat, body, where.thread))
        if isinstance(outcome, Refused):
            _log.warning("final words could not be sent to a chat that waits for them: %s", outcome.cause)
            self._ledger.release(entries)
            if outcome.closed:
                await self._store.closed_chats.close(where.chat, outcome.cause)
            return
        # First what is known without asking: the mark must not depend on another look at the store.
        await mark_answered(self._store, entries)
        read = [entry for entry in await self._read((where.chat,), ending.at) if where_of(entry) == where]
        await mark_answered(self._store, read)

    def _body(self, words: str, entries: Sequence[InboxEntry]) -> Body | None:
        """What to say; None when nothing needs to be said."""
        if not words.strip():
            only_reactions = all(isinstance(entry.inbound, ReactionChange) for entry in entries)
            return None if only_reactions else notices.nothing_said()
        return notices.words_withheld() if self._must_not_leave(words) else notices.mirrored(words)

    async def _is_open(self, chat: ChatId) -> bool:
        """Whether the chat may and can be written to, by the same book as everything else."""
        if not may_address(await self._store.access.read(), chat):
            _log.info("final words were not sent: nobody in that chat is let in any more")
            return False
        return await self._store.closed_chats.reason(chat) is None


def _each_once(*entries: Iterable[InboxEntry]) -> tuple[InboxEntry, ...]:
    return tuple({entry.entry: entry for some in entries for entry in some}.values())
