"""Who may send when: all senders of a bot share each limit, in the order in which they asked, and obey every pause.

Nothing is promised ahead of time. Whoever may not send yet is told when to ask again and keeps its place in
the queue meanwhile; a slot counts from the moment in which somebody really takes it. So a sender that dies
wastes nothing, one that comes late crowds nobody, and a pause holds everybody who has not sent yet.

Times are seconds of a clock that all senders share. It may jump: a time that cannot be (ahead of now, or a
pause longer than it was) is corrected when it is seen, so that a jump costs at most one pause or one window.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace

from telegram_channel.core.ids import ChatId

NAP_S = 5.0
"""Whoever waits asks again at least this often: what it waits for may change."""
GRACE_S = 1.0
"""Whoever does not ask again when it was to, and so much later neither, has lost its place."""
PAUSED_CHATS_OF_A_PAUSED_BOT = 3
"""So many chats told to pause at the same time mean that it is the bot that sends too much."""
BOT_PAUSE_S = 5.0
"""The longest pause of a bot for that reason: it is a guess, and the next answer tells whether it was right."""
_INSTANT_S = 1e-5
"""Two times this close are the same: a time of the day in seconds is not more precise."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many messages within any such time, all of them at once if need be."""

    most: int
    within_s: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A request of so many messages that wants to leave: past the limit of its chat and that of the bot."""

    chat: ChatId
    kind: str
    """Each kind has a limit, and pauses, of its own in each chat."""
    rate: Rate
    overall: Rate
    messages: int = 1
    urgent: bool = False
    """Goes before all that wait and are not urgent."""


@dataclass(frozen=True, slots=True)
class Go:
    """It may leave, now; its slots are taken."""


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Not yet: to be asked again after so many seconds. The place in the queue is kept until then."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Paused:
    """The platform asked for a pause that lasts for so many seconds more."""

    for_s: float


Answer = Go | AskAgain | Paused


@dataclass(frozen=True, slots=True)
class Waiting:
    """A place in a queue."""

    ticket: str
    messages: int
    due: float
    """When its holder is to ask again."""
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """What is known about one limit: one kind in one chat, or everything that the bot sends."""

    taken: tuple[float, ...] = ()
    """When each message left that still counts, in order."""
    queue: tuple[Waiting, ...] = ()
    paused_until: float = 0.0
    paused_for_s: float = 0.0
    """How long the pause was when it was asked for."""

    def pause_s(self, now: float) -> float:
        """For how many seconds more nothing may leave."""
        left_s = self.paused_until - now
        return min(left_s, self.paused_for_s) if left_s > _INSTANT_S else 0.0

    def counts_until(self) -> float:
        """When at the latest nothing known here matters any more, if the longest window is an hour."""
        return max(3600.0 + max(self.taken, default=0.0), self.paused_until)


def ask(of_chat: Lane, of_bot: Lane, passage: Passage, ticket: str, now: float) -> tuple[Answer, Lane, Lane]:
    """Whether a request may leave now, and what is known after it was answered. `ticket` names who asks."""
    of_chat, of_bot = _tidied(of_chat, passage.rate, ticket, now), _tidied(of_bot, passage.overall, ticket, now)
    if (pause_s := max(of_chat.pause_s(now), of_bot.pause_s(now))) > 0:
        return Paused(pause_s), of_chat, of_bot
    start = _start(of_chat, passage, passage.rate, ticket, now)
    must_wait_in_chat = start > now + _INSTANT_S
    if not must_wait_in_chat:
        start = _start(of_bot, passage, passage.overall, ticket, now)
    if start <= now + _INSTANT_S:
        return Go(), _left(of_chat, passage, ticket, now), _left(of_bot, passage, ticket, now)
    nap_s = min(start - now, NAP_S)
    place = Waiting(ticket, passage.messages, now + nap_s, passage.urgent)
    waits_for_bot = _gone(of_bot, ticket) if must_wait_in_chat else _queued(of_bot, place)
    return AskAgain(nap_s), _queued(of_chat, place), waits_for_bot


def paused(lane: Lane, seconds: float, now: float) -> Lane:
    """The lane with a pause from now on; a longer one that stands stays."""
    if lane.pause_s(now) >= seconds:
        return lane
    return replace(lane, paused_until=now + seconds, paused_for_s=seconds)


def pause_of_bot_s(pauses_s: Iterable[float]) -> float:
    """How long the bot pauses when its chats have these pauses ahead; 0 when it need not."""
    standing = [one for one in pauses_s if one > 0]
    return min(*standing, BOT_PAUSE_S) if len(standing) >= PAUSED_CHATS_OF_A_PAUSED_BOT else 0.0


class LaneBook:
    """What is known about all limits of one bot, in memory."""

    def __init__(self) -> None:
        self._lanes: dict[Hashable, Lane] = {}
        self._of_bot = Lane()

    def ask(self, passage: Passage, ticket: str, now: float) -> Answer:
        """Whether it may leave now; its slots are taken then, else it keeps its place."""
        key = (passage.chat, passage.kind)
        answer, lane, self._of_bot = ask(self._lanes.get(key, Lane()), self._of_bot, passage, ticket, now)
        self._lanes[key] = lane
        return answer

    def pause(self, chat: ChatId, kinds: Collection[str], seconds: float, now: float) -> None:
        """Let nothing of these kinds leave for a chat for so long. Several kinds are a chat as a whole."""
        for kind in kinds:
            self._lanes[chat, kind] = paused(self._lanes.get((chat, kind), Lane()), seconds, now)
        if len(kinds) > 1:
            kind = next(iter(kinds))
            self._of_bot = with_pauses_of_chats(self._of_bot, self._of_kind(kind), now)

    def pause_s(self, chat: ChatId, kind: str, now: float) -> float:
        """For how many seconds more nothing of this kind may leave for a chat."""
        return max(self._lanes.get((chat, kind), Lane()).pause_s(now), self._of_bot.pause_s(now))

    def _of_kind(self, kind: str) -> Mapping[Hashable, Lane]:
        return {key: lane for key, lane in self._lanes.items() if isinstance(key, tuple) and key[1] == kind}


def with_pauses_of_chats(of_bot: Lane, of_chats: Mapping[Hashable, Lane], now: float) -> Lane:
    """The lane of the bot, paused when too many of its chats are."""
    seconds = pause_of_bot_s(lane.pause_s(now) for lane in of_chats.values())
    return paused(of_bot, seconds, now) if seconds else of_bot


def _tidied(lane: Lane, rate: Rate, ticket: str, now: float) -> Lane:
    """Without what does not count any more, and without times that cannot be."""
    taken = (min(at, now) for at in lane.taken)
    queue = (replace(one, due=min(one.due, now + NAP_S)) for one in lane.queue)
    pause_s = lane.pause_s(now)
    return Lane(
        tuple(at for at in taken if at > now - rate.within_s),
        tuple(one for one in queue if one.ticket == ticket or one.due + GRACE_S >= now),
        min(lane.paused_until, now + pause_s) if pause_s else 0.0,
        lane.paused_for_s if pause_s else 0.0,
    )


def _start(lane: Lane, passage: Passage, rate: Rate, ticket: str, now: float) -> float:
    """When a request may leave at the earliest if all before it do so as early as they can."""
    times, start = list(lane.taken), now
    for one in _ahead(lane.queue, passage.urgent, ticket):
        start = _earliest(times, rate, one.messages, start)
        times.extend([start] * one.messages)
    return _earliest(times, rate, passage.messages, start)


def _ahead(queue: tuple[Waiting, ...], urgent: bool, ticket: str) -> tuple[Waiting, ...]:
    """Those before a place in the queue, which may have to be given first."""
    for index, one in enumerate(queue):
        if one.ticket == ticket or (urgent and not one.urgent):
            return queue[:index]
    return queue


def _earliest(times: list[float], rate: Rate, messages: int, not_before: float) -> float:
    """When so many messages may leave together after those.

    More than the rate ever allows get a time of their own, when nothing before them counts any more.
    """
    in_the_way = min(len(times), len(times) + messages - rate.most)
    return max(not_before, times[in_the_way - 1] + rate.within_s) if in_the_way > 0 else not_before


def _left(lane: Lane, passage: Passage, ticket: str, now: float) -> Lane:
    return replace(_gone(lane, ticket), taken=(*lane.taken, *[now] * passage.messages))


def _gone(lane: Lane, ticket: str) -> Lane:
    return replace(lane, queue=tuple(one for one in lane.queue if one.ticket != ticket))


def _queued(lane: Lane, place: Waiting) -> Lane:
    ahead = _ahead(lane.queue, place.urgent, place.ticket)
    behind = (one for one in lane.queue[len(ahead) :] if one.ticket != place.ticket)
    return replace(lane, queue=(*ahead, place, *behind))
