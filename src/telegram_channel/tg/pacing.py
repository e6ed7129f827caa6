"""One process keeps the limits together with all others of the bot, and by itself where they cannot meet.

What it sent itself, and was told to wait, it also knows from a clock that never jumps. So the limits of one
process hold whatever becomes of what the processes share.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from telegram_channel.core.ids import ChatId
from telegram_channel.core.pacing import Answer, Go, LaneBook, Passage, Rate
from telegram_channel.errors import StateError
from telegram_channel.ports import Clock, Pace

_log = logging.getLogger(__name__)

_LENIENCE_S = 0.05
"""What is asked of others comes back a moment later, and not always the same moment: such a difference must
not hold up what was granted. The rates leave room for it."""


class Pacing:
    """`ports.Pace` for the flows of one process, which never fails."""

    def __init__(self, clock: Clock, shared: Pace | None = None) -> None:
        self._clock = clock
        self._shared = shared
        self._own = LaneBook()
        self._is_alone = shared is None

    async def ask(self, passage: Passage) -> Answer:
        """Whether a request may leave now."""
        if self._shared is not None:
            told_s = self._own.pause_s(passage.chat, passage.kind, self._now())
            try:
                answer = await self._shared.ask(passage) if told_s <= 0 else None
            except StateError as error:
                self._without_others(error)
            else:
                if answer is not None and answer != Go():
                    return answer
                self._with_others()
                passage = replace(passage, rate=_lenient(passage.rate), overall=_lenient(passage.overall))
        return self._own.ask(passage, f"{passage.chat} {passage.kind}", self._now())

    async def pause(self, chat: ChatId, kinds: Sequence[str], seconds: float) -> None:
        """Let nothing of these kinds leave for a chat for so long."""
        self._own.pause(chat, kinds, seconds, self._now())
        if self._shared is not None:
            try:
                await self._shared.pause(chat, kinds, seconds)
            except StateError as error:
                self._without_others(error)

    async def pause_s(self, chat: ChatId, kind: str) -> float:
        """For how many seconds more nothing of this kind may leave for a chat."""
        own_s = self._own.pause_s(chat, kind, self._now())
        if self._shared is not None:
            try:
                return max(own_s, await self._shared.pause_s(chat, kind))
            except StateError as error:
                self._without_others(error)
        return own_s

    def _without_others(self, error: StateError) -> None:
        if not self._is_alone:
            _log.warning("the limits of Telegram are kept by each process for itself: %s", error)
        self._is_alone = True

    def _with_others(self) -> None:
        if self._is_alone:
            _log.info("the limits of Telegram are kept by all processes together again")
        self._is_alone = False

    def _now(self) -> float:
        return self._clock.monotonic()


def _lenient(rate: Rate) -> Rate:
    return replace(rate, within_s=rate.within_s - _LENIENCE_S)
