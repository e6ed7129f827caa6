"""The pace of everything that leaves: in order within a lane, urgent first, no lane waiting for another.

A lane is whatever must stay in order (the messages of one chat). Whoever has its turn asks for a slot
before each request; slots are handed out at the pace of the chat and of the bot, a lone message at once.
"""

from asyncio import CancelledError, Future, get_running_loop
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto

from telegram_channel.core.ids import ChatId
from telegram_channel.ports import Clock
from telegram_channel.tg.ids import is_group
from telegram_channel.tg.limits import GROUP_PACE, OVERALL_PACE, PRIVATE_PACE, REACTION_PACE, Pace


class Kind(Enum):
    """What is sent; each kind has a pace of its own in each chat."""

    MESSAGE = auto()
    EDIT = auto()
    REACTION = auto()
    DRAFT = auto()
    """Takes no slots; only its pauses are kept."""


class Slots:
    """Hands out the times at which messages may leave, in order, at a pace."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._given: deque[float] = deque()
        """The times handed out that still count, in order; some may lie ahead."""

    def reserve(self, now_s: float, messages: int = 1) -> float:
        """Take the next slot for so many messages at once; returns in how many seconds it begins.

        More than the pace ever allows get a time of their own, when nothing before them counts any more.
        """
        given = self._given
        while given and given[0] <= now_s - self._pace.within_s:
            given.popleft()
        in_the_way = min(len(given), len(given) + messages - self._pace.most)
        start = max(now_s, given[-1]) if given else now_s
        if in_the_way > 0:
            start = max(start, given[in_the_way - 1] + self._pace.within_s)
        given.extend([start] * messages)
        return start - now_s


@dataclass(slots=True)
class _Lane:
    """Who waits for a turn. A lane exists only while somebody has the turn."""

    urgent: deque[Future[None]] = field(default_factory=deque)
    others: deque[Future[None]] = field(default_factory=deque)


class Outbox:
    """Turns and slots for all chats of one bot."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lanes: dict[Hashable, _Lane] = {}
        self._overall = Slots(OVERALL_PACE)
        self._slots: dict[tuple[ChatId, Kind], Slots] = {}
        self._held_until: dict[tuple[ChatId, Kind], float] = {}

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

    async def slot(self, chat: ChatId, kind: Kind = Kind.MESSAGE, messages: int = 1) -> None:
        """Return when one more request of this kind, of so many messages, may go to this chat."""
        await self._until_free(chat, kind)
        for slots in (self._slots_of(chat, kind), self._overall):
            if (wait_s := slots.reserve(self._clock.monotonic(), messages)) > 0:
                await self._clock.sleep(wait_s)
        await self._until_free(chat, kind)

    def _slots_of(self, chat: ChatId, kind: Kind) -> Slots:
        key = (chat, kind)
        if key not in self._slots:
            of_words = GROUP_PACE if is_group(chat) else PRIVATE_PACE
            self._slots[key] = Slots(REACTION_PACE if kind is Kind.REACTION else of_words)
        return self._slots[key]

    async def _until_free(self, chat: ChatId, kind: Kind) -> None:
        while (wait_s := self.held_s(chat, kind)) > 0:
            await self._clock.sleep(wait_s)

    def hold(self, chat: ChatId, seconds: float, kind: Kind = Kind.MESSAGE) -> None:
        """The platform asked for a pause: nothing goes to this chat for so long.

        A pause for reactions is one for reactions only: answers must not wait because of many 👀. The same
        goes for drafts.
        """
        until = self._clock.monotonic() + seconds
        for held in [kind] if kind in (Kind.REACTION, Kind.DRAFT) else list(Kind):
            self._held_until[chat, held] = max(until, self._held_until.get((chat, held), until))

    def held_s(self, chat: ChatId, kind: Kind = Kind.MESSAGE) -> float:
        """For how many seconds requests of this kind are still held back."""
        until = self._held_until.get((chat, kind))
        return 0.0 if until is None else max(0.0, until - self._clock.monotonic())
