"""Claude's text while it is written, in one private chat, until its real message comes.

One draft at a time: what is written while Telegram takes its time is in the next one. From the first answer
of the turn on, or its end, nothing more is shown: what follows is no part of the answer.
"""

import asyncio
import math
from collections.abc import Callable
from zlib import crc32

from telegram_channel.bridge.audience import ShowingRules, audience_of, news_or_after
from telegram_channel.core.text import Markdown
from telegram_channel.core.turns import Where
from telegram_channel.core.work import Words, Work
from telegram_channel.ports import Chat, Clock, Store


class Drafts:
    """The drafts of one turn in one place."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        clock: Clock,
        rules: ShowingRules,
        where: Where,
        work: Work,
        must_not_leave: Callable[[str], bool],
    ) -> None:
        """`must_not_leave`: whether a text holds what nobody in a chat may see."""
        self._store = store
        self._chat = chat
        self._clock = clock
        self._every_s = rules.draft_every_s
        self._where = where
        self._work = work
        self._must_not_leave = must_not_leave
        self._news = asyncio.Event()
        self._shown: Words | None = None
        self._shown_at_s = -math.inf

    def show(self, work: Work) -> None:
        """The turn went on."""
        self._work = work
        self._news.set()

    async def run(self) -> None:
        """Show drafts until the next turn begins."""
        while not self._work.replaced:
            self._news.clear()
            await news_or_after(self._news, self._clock, await self._look())

    async def _look(self) -> float | None:
        """Show what is new if it is time; returns in how many seconds to look again, None: when there is news."""
        words = self._work.words
        if words is None or words == self._shown or not words.text.strip() or not self._is_awaited:
            return None
        if self._must_not_leave(words.text):
            return None
        wait_s = self._shown_at_s + self._every_s - self._clock.monotonic()
        if wait_s > 0:
            return wait_s
        self._shown, self._shown_at_s = words, self._clock.monotonic()
        audience = await audience_of(self._store, self._where.chat)
        # Asked once more: an answer may have come meanwhile, and a draft after it would never become anything.
        if audience and audience.is_private and audience.wishes.stream and self._is_awaited:
            number = draft_number(self._work.number, words.message)
            await self._chat.draft(self._where.chat, number, Markdown(words.text), self._where.thread)
        return 0.0

    @property
    def _is_awaited(self) -> bool:
        return self._work.is_awaited(self._where)


def draft_number(turn: int, message: str) -> int:
    """The number of a text's drafts: the same for all of them, never 0, hardly ever that of another text."""
    return crc32(f"{turn}:{message}".encode("utf-8", "replace")) & 0x7FFF_FFFF or 1
