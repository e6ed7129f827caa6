"""The pace of everything that leaves: in order within a lane, urgent first, no lane waiting for another.

A lane is whatever must stay in order (the messages of one chat). Whoever has its turn asks for a slot
before each request; slots are handed out at the pace of the chat and of the bot, a lone message at once.
Turns are a matter of this process; slots are shared by all processes that send for the bot.
"""

import math
from asyncio import CancelledError, Future, get_running_loop
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto

from telegram_channel.core.ids import ChatId
from telegram_channel.core.pacing import NAP_S, AskAgain, Go, Passage, Paused
from telegram_channel.errors import FloodWait
from telegram_channel.ports import Clock, Pace
from telegram_channel.tg.ids import is_group
from telegram_channel.tg.limits import GROUP_PACE, OVERALL_PACE, PRIVATE_PACE, REACTION_PACE
from telegram_channel.tg.pacing import Pacing


class Kind(Enum):
    """What is sent; each kind has a pace of its own in each chat."""

    MESSAGE = auto()
    EDIT = auto()
    REACTION = auto()
    DRAFT = auto()
    """Takes no slots; only its pauses are kept."""
    TYPING = auto()
    """The same."""


@dataclass(slots=True)
class _Lane:
    """Who waits for a turn. A lane exists only while somebody has the turn."""

    urgent: deque[Future[None]] = field(default_factory=deque)
    others: deque[Future[None]] = field(default_factory=deque)


class Outbox:
    """Turns and slots for all chats of one bot."""

    def __init__(self, clock: Clock, pace: Pace | None = None) -> None:
        """`pace` is what all processes that send for the bot share."""
        self._clock = clock
        self._pacing = Pacing(clock, pace)
        self._lanes: dict[Hashable, _Lane] = {}

    @asynccontextmanager
    async def turn(self, lane: Hashable, *, urgent: bool = False) -> AsyncIterator[None]:
        """Have the lane to oneself, in the order of the calls, urgent ones before all that wait."""
        if lane in self._lanes:
            await self._queue(lane, urgent=urgent)
        else:
            self._lanes[lane] = _Lane()
        try:
            yield
        finally:
            self._hand_over(lane)

    async def _queue(self, lane: Hashable, *, urgent: bool) -> None:
        queue = self._lanes[lane].urgent if urgent else self._lanes[lane].others
        turn: Future[None] = get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except CancelledError:
            if turn.cancelled():
                queue.remove(turn)
            else:  # the turn came in the same moment
                self._hand_over(lane)
            raise

    def _hand_over(self, lane: Hashable) -> None:
        waiting = self._lanes[lane]
        for queue in (waiting.urgent, waiting.others):
            for turn in queue:
                if not turn.done():
                    queue.remove(turn)
                    turn.set_result(None)
                    return
        del self._lanes[lane]

    async def slot(
        self,
        chat: ChatId,
        kind: Kind = Kind.MESSAGE,
        messages: int = 1,
        *,
        urgent: bool = False,
        patience_s: float = math.inf,
    ) -> float:
        """Return when one more request of this kind, of so many messages, may go to this chat.

        Its own limits are waited for as long as need be; pauses that the platform asks for `patience_s` in
        all, of which what is left is returned.

        Raises:
            FloodWait: a pause is longer than that.
        """
        of_words = GROUP_PACE if is_group(chat) else PRIVATE_PACE
        rate = REACTION_PACE if kind is Kind.REACTION else of_words
        passage = Passage(chat, kind.name, rate, OVERALL_PACE, messages, urgent)
        # One at a time asks for a slot: the others would only ask in vain.
        async with self.turn(("slot", chat, kind), urgent=urgent):
            while True:
                match await self._pacing.ask(passage):
                    case Go():
                        return patience_s
                    case AskAgain(after_s):
                        await self._clock.sleep(after_s)
                    case Paused(for_s) if for_s > patience_s:
                        raise FloodWait(
                            f"Telegram asks to wait {for_s:.0f} seconds before anything is sent there.", for_s
                        )
                    case Paused(for_s):
                        nap_s = min(for_s, NAP_S)
                        await self._clock.sleep(nap_s)
                        patience_s -= nap_s

    async def hold(self, chat: ChatId, seconds: float, kind: Kind = Kind.MESSAGE) -> None:
        """The platform asked for a pause: nothing goes to this chat for so long, from any process.

        A pause for reactions is one for reactions only: answers must not wait because of many 👀. The same
        goes for drafts and for typing.
        """
        alone = kind in (Kind.REACTION, Kind.DRAFT, Kind.TYPING)
        await self._pacing.pause(chat, [one.name for one in ([kind] if alone else Kind)], seconds)

    async def held_s(self, chat: ChatId, kind: Kind = Kind.MESSAGE) -> float:
        """For how many seconds requests of this kind are still held back."""
        return await self._pacing.pause_s(chat, kind.name)
