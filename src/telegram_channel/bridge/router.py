"""Collects what says whom messages are for: one look at the store for a whole batch; `core.routing` decides.

Nothing is written here. A look grows old at once, so it is used for the batch it was made for and no longer;
a choice that is made in the middle of a batch counts from there on. Sessions and topics change so rarely that
whoever follows the store anyway keeps them at hand: as long as nothing has changed, they need not be read again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from telegram_channel.bridge.roster import Roster, about_session
from telegram_channel.core.access import AccessState, may_reach
from telegram_channel.core.ids import ChatId, MessageId, SenderId, SessionId, ThreadId
from telegram_channel.core.inbox import InboxEntry
from telegram_channel.core.messages import (
    ButtonPress,
    Deliverable,
    Inbound,
    InboundMessage,
    Place,
    ReactionChange,
)
from telegram_channel.core.routing import Member, Route, RoutingFacts, TopicBinding, Why, route
from telegram_channel.core.stranding import DEFAULT_RULES
from telegram_channel.core.succession import heirs
from telegram_channel.ports import SessionRecord, Store

K = TypeVar("K")
V = TypeVar("V")
_Message = tuple[ChatId, MessageId]


@dataclass(slots=True)
class Look:
    """What was known when a batch came."""

    records: tuple[SessionRecord, ...]
    """Every process that is listed."""
    living: tuple[SessionRecord, ...]
    members: tuple[Member, ...]
    """The living sessions that take messages, oldest first."""
    recent: tuple[Member, ...] = ()
    """Sessions that ended a moment ago and may come back."""
    ended: tuple[SessionRecord, ...] = ()
    """Sessions that took messages and have left the list, and when they did."""
    heirs: Mapping[SessionId, SessionId] = field(default_factory=dict)
    """Who stands now for sessions that have ended."""
    bound: Mapping[tuple[ChatId, ThreadId], SessionId] = field(default_factory=dict)
    chosen: dict[ChatId, SessionId] = field(default_factory=dict)
    """The choice of each chat."""
    authors: Mapping[_Message, SessionId] = field(default_factory=dict)
    """Whose messages of the bot those are that were answered, reacted to or pressed."""
    originals: Mapping[_Message, InboxEntry] = field(default_factory=dict)
    """What was said before and is corrected or reacted to now."""

    def choose(self, chat: ChatId, session: SessionId) -> None:
        """A person has just chosen: what comes later in the batch follows."""
        self.chosen[chat] = session

    def open_to(self, state: AccessState, sender: SenderId) -> tuple[Member, ...]:
        """The living sessions this person may write to."""
        return tuple(one for one in self.members if self.is_open(state, sender, one.session))

    def named(self, state: AccessState, sender: SenderId) -> tuple[Member, ...]:
        """The sessions this person may write to by name: also one that is being started again."""
        living = self.open_to(state, sender)
        taken = {one.label.casefold() for one in living}
        recent = (one for one in self.recent if one.label.casefold() not in taken)
        return (*living, *(one for one in recent if self.is_open(state, sender, one.session)))

    def is_open(self, state: AccessState, sender: SenderId, session: SessionId) -> bool:
        """Whether this person may write to a session, living or not."""
        about = about_session(session, self.members, (*self.ended, *self.records))
        return may_reach(state, sender, about.label, about.project, about.branch)

    def session_at(self, place: Place, answers: MessageId | None = None) -> SessionId | None:
        """The session that a place or the answered message means, living or not; None when neither means any."""
        bound = self.bound.get((place.chat, place.thread)) if place.thread else None
        return self._now(bound or (self.authors.get((place.chat, answers)) if answers else None))

    def _now(self, session: SessionId | None) -> SessionId | None:
        """Who stands now for a session that may have ended."""
        return self.heirs.get(session, session) if session else None

    def heir_of(self, entry: InboxEntry, state: AccessState) -> SessionId | None:
        """Which of the living gets what was for a session that has ended: none to whom its sender may not write.

        What was said in a topic is for whoever has that now.
        """
        place = entry.inbound.place
        owner = self.bound.get((place.chat, place.thread)) if place.thread and entry.why is Why.TOPIC else None
        living = {one.session for one in self.open_to(state, place.sender)}
        heir = self.heirs.get(entry.session) if entry.session else None
        return next((one for one in (owner, heir) if one in living and one != entry.session), None)

    def facts(self, state: AccessState, inbound: Deliverable, addressed: SessionId | None = None) -> RoutingFacts:
        """Everything that says whom one message is for."""
        place, sender = inbound.place, inbound.place.sender
        addressed = self._now(addressed)
        bound = self._now(self.bound.get((place.chat, place.thread)) if place.thread else None)
        author = self._now(self._author(inbound))
        chosen = self._now(self.chosen.get(place.chat))
        named = {one for one in (addressed, bound, author, chosen) if one}
        return RoutingFacts(
            members=self.open_to(state, sender),
            addressed=addressed,
            bound=bound,
            author=author,
            chosen=chosen,
            barred=frozenset(one for one in named if not self.is_open(state, sender, one)),
            recent=frozenset(one.session for one in self.recent),
        )

    def _author(self, inbound: Deliverable) -> SessionId | None:
        """Who wrote what is answered, as far as it ever took messages.

        A reaction to words of a session that is gone without an heir means nobody in particular.
        """
        answered = _answered(inbound)
        author = self.authors.get((inbound.place.chat, answered)) if answered else None
        if not isinstance(inbound, ReactionChange):
            took_messages = (one.session for one in (*self.living, *self.ended, *self.records) if one.receives)
            return author if author is not None and author in took_messages else None
        original = self.originals.get((inbound.place.chat, inbound.message))
        author = author or (original.session if original else None)
        there = {one.session for one in self.members}
        return author if self._now(author) in there else None

    def route(self, state: AccessState, inbound: Deliverable, addressed: SessionId | None = None) -> Route:
        """Whom one message is for."""
        return route(self.facts(state, inbound, addressed))


class Router:
    """Looks at sessions, topics, choices and authors."""

    def __init__(self, store: Store, roster: Roster, recent_s: float = DEFAULT_RULES.orphaned_after_s) -> None:
        """`recent_s`: how long a session that ended is expected to come back."""
        self._store = store
        self._roster = roster
        self._recent_s = recent_s
        self._at_hand: _Rare | None = None

    @property
    def roster(self) -> Roster:
        """Who lives."""
        return self._roster

    async def refresh(self) -> None:
        """Have sessions and topics at hand as they are now: to be called after changes of the store.

        Raises:
            StateError: they are not at hand any more.
        """
        self._at_hand = None
        self._at_hand = await self._rare()

    async def look(self, updates: Iterable[Inbound]) -> Look:
        """Everything that says whom these are for.

        Raises:
            StateError: nobody can tell.
        """
        said = [one for one in updates if isinstance(one, InboundMessage | ButtonPress | ReactionChange)]
        chats = {one.place.chat for one in said}
        answered = {(one.place.chat, message) for one in said if (message := _answered(one))}
        known = {(one.place.chat, one.message) for one in said if _is_about_a_message(one)}
        routes, inbox = self._store.routes, self._store.inbox
        # Together: each question alone would be one more wait for the store, before every message.
        rare, chosen, authors, originals = await asyncio.gather(
            self._as_of_now(),
            _each(chats, routes.chosen) if self._may_have_chosen() else _nothing(),
            _each(answered, lambda one: routes.author(*one)),
            _each(known, lambda one: inbox.find(*one)),
        )
        look = self._seen(rare)
        if chosen is None:
            chosen = await _each(chats, routes.chosen) if len(look.living) + len(look.recent) > 1 else {}
        look.chosen, look.authors, look.originals = chosen, authors, originals
        return look

    async def glance(self) -> Look:
        """Who is there, without a message to think of: choices, authors and originals are left out.

        Raises:
            StateError: nobody can tell.
        """
        return self._seen(await self._as_of_now())

    def _seen(self, rare: "_Rare") -> Look:
        roster = self._roster
        living = roster.living_of(rare.records)
        return Look(
            records=rare.records,
            living=living,
            members=roster.members_of(living),
            recent=self._recent(rare),
            ended=rare.ended,
            heirs=rare.heirs,
            bound=_bound(rare.bindings, living, rare.ended),
        )

    def _recent(self, rare: "_Rare") -> tuple[Member, ...]:
        """Who may come back: whoever has an heir need not."""
        recent = self._roster.recent_of(rare.records, rare.ended, self._recent_s)
        return tuple(one for one in recent if one.session not in rare.heirs)

    async def _as_of_now(self) -> "_Rare":
        """What is at hand, if nothing was changed since by any process; else it is read."""
        at_hand = self._at_hand
        if at_hand is not None and await self._store.wait_for_change(at_hand.version, 0) == at_hand.version:
            return at_hand
        return await self._rare()

    def _may_have_chosen(self) -> bool:
        """Whether a choice among sessions may mean anything."""
        if self._at_hand is None:
            return True
        living = self._roster.living_of(self._at_hand.records)
        return len(living) > 1 or bool(self._recent(self._at_hand))

    async def _rare(self) -> "_Rare":
        version = await self._store.wait_for_change(-1, 0)  # first: what changes meanwhile makes it old
        records, ended, bindings = await asyncio.gather(
            self._store.sessions.list(), self._store.sessions.ended(), self._store.routes.bindings()
        )
        line = heirs({one.record.session: one.heir for one in ended})
        return _Rare(version, records, tuple(one.record for one in ended), line, bindings)


@dataclass(frozen=True, slots=True)
class _Rare:
    """What changes rarely, as of a version of the store."""

    version: int
    records: tuple[SessionRecord, ...]
    ended: tuple[SessionRecord, ...]
    heirs: Mapping[SessionId, SessionId]
    bindings: tuple[TopicBinding, ...]


def _answered(inbound: Deliverable) -> MessageId | None:
    """The bot's message that this is an answer to, as far as it may be one."""
    match inbound:
        case InboundMessage(reply_to=reply_to):
            return reply_to.message if reply_to and reply_to.from_bot else None
        case ButtonPress() | ReactionChange():
            return inbound.message


def _is_about_a_message(inbound: Deliverable) -> bool:
    """Whether it changes something that a person said before."""
    return isinstance(inbound, ReactionChange) or (isinstance(inbound, InboundMessage) and inbound.edited)


def _bound(
    bindings: Sequence[TopicBinding], living: Sequence[SessionRecord], ended: Sequence[SessionRecord]
) -> dict[tuple[ChatId, ThreadId], SessionId]:
    """Whose topics those are. One that was given back is whose it will be in a moment, or else still means the last
    session of its project."""
    bound = {(one.chat, one.thread): one.session for one in bindings if one.session}
    for one in bindings:
        if one.session is None and one.project:
            served = {session for (chat, _), session in bound.items() if chat == one.chat}
            waiting = (peer.session for peer in living if peer.project == one.project and peer.session not in served)
            before = (peer.session for peer in reversed(ended) if peer.project == one.project)
            if (means := next(waiting, None) or next(before, None)) is not None:
                bound[one.chat, one.thread] = means
    return bound


async def _nothing() -> None:
    return None


async def _each(keys: Iterable[K], find: Callable[[K], Awaitable[V | None]]) -> dict[K, V]:
    """What is found of each, without those of which nothing is."""
    asked = tuple(keys)
    found = await asyncio.gather(*(find(one) for one in asked))
    return {key: value for key, value in zip(asked, found, strict=True) if value is not None}
