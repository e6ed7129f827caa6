"""What becomes of messages whose session died: nothing is lost, and what was meant for it goes to no other unasked.

A session that comes back within a moment under the same id (a restart) keeps its own, and its heir (see
`succession`) gets them at once. After that moment, what somebody meant for it in particular is offered to the
others or waits, as configured; everything else is routed anew. What a session was given without a sign of reading
is given once more, and never a third time.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from telegram_channel.core.ids import ChatId, EntryId, SessionId, ThreadId
from telegram_channel.core.inbox import DeliveryState, InboxEntry


@dataclass(frozen=True, slots=True)
class RoutingRules:
    """What happens to messages of a session that is not alive any more."""

    orphaned_after_s: float = 10
    """How long it may be gone before anything is done: a restart with the same id takes less."""
    stranded: Literal["offer", "wait"] = "offer"
    """What was meant for it: offered to the others by button, or kept until it comes back."""


DEFAULT_RULES = RoutingRules()

_UNFINISHED = (DeliveryState.STORED, DeliveryState.EMITTED)
_NO_ENDS: Mapping[SessionId, datetime] = MappingProxyType({})
_Lot = Literal["anew", "inherit", "offer", "wait", "notify", "give_up"]
_TO_BE_GIVEN: tuple[_Lot, ...] = ("anew", "inherit", "offer", "wait")


@dataclass(frozen=True, slots=True)
class StrandedPlan:
    """What is to be done now, in the order received, and when to look again.

    Every entry whose session was gone long enough is in exactly one of `anew`, `inherit`, `offer`, `wait`, `notify`
    and `give_up`; `back` says which of the first four must return to STORED as redelivered as well.
    """

    back: tuple[InboxEntry, ...] = ()
    """EMITTED without proof, once: back to STORED with `redelivered`, wherever else it is named here."""
    anew: tuple[InboxEntry, ...] = ()
    """Nobody meant that session in particular: routed as if it had just arrived."""
    inherit: tuple[InboxEntry, ...] = ()
    """For a session that has an heir, which gets it."""
    offer: tuple[InboxEntry, ...] = ()
    """The chat is asked who gets it; named in every plan until it was answered."""
    wait: tuple[InboxEntry, ...] = ()
    """Stays directed to its session: it is to wait for it, or nobody else is there."""
    notify: tuple[InboxEntry, ...] = ()
    """Given twice, without proof: the chat is told once."""
    give_up: tuple[InboxEntry, ...] = ()
    """The chat was told, and whoever might still prove that it was read is gone."""
    look_again_at: datetime | None = None
    """When the next session will have been gone long enough."""


def gone_since(
    before: Mapping[SessionId, datetime],
    entries: Iterable[InboxEntry],
    living: Collection[SessionId],
    now: datetime,
    ended: Mapping[SessionId, datetime] = _NO_ENDS,
) -> Mapping[SessionId, datetime]:
    """Since when each session that entries are for has been gone; whoever is back is forgotten.

    That is since it was first seen to be, or since it `ended`, where that is known.
    """
    missing = (one.session for one in entries if one.session and one.session not in living)
    return {session: min(before.get(session, now), ended.get(session, now)) for session in missing}


def restrand(
    entries: Sequence[InboxEntry],
    living: Collection[SessionId],
    now: datetime,
    gone: Mapping[SessionId, datetime],
    rules: RoutingRules = DEFAULT_RULES,
    *,
    kept: Collection[EntryId] = (),
    heir_of: Callable[[InboxEntry], SessionId | None] = lambda _: None,
) -> StrandedPlan:
    """Sort the entries in STORED and EMITTED whose session is not among `living` by what they need.

    `gone` says since when a session has been missing (see `gone_since`); one it does not name is missing since
    `now`. `kept` are entries for which a person chose to keep waiting; `heir_of` says which of the living gets an
    entry instead of the session it was for, which has ended. Entries that are for nobody yet, for a living session,
    or in any other state are nobody's business here. Times are aware UTC.
    """
    lots: defaultdict[_Lot, list[InboxEntry]] = defaultdict(list)
    back: list[InboxEntry] = []
    waits: list[datetime] = []
    for entry in entries:
        if not entry.session or entry.session in living or entry.state not in _UNFINISHED:
            continue
        since = gone.get(entry.session, now)
        until = since + timedelta(seconds=rules.orphaned_after_s)
        has_heir = heir_of(entry) is not None
        if since <= now < until and not has_heir:  # before `since`, the clock was set back: nobody waits for that
            waits.append(until)
            continue
        someone_lives, is_kept = bool(living), entry.entry in kept
        lot = _lot(entry, rules, someone_lives=someone_lives, is_kept=is_kept, has_heir=has_heir)
        lots[lot].append(entry)
        if lot in _TO_BE_GIVEN and entry.state is DeliveryState.EMITTED:
            back.append(entry)
    return StrandedPlan(
        back=tuple(back),
        anew=tuple(lots["anew"]),
        inherit=tuple(lots["inherit"]),
        offer=tuple(lots["offer"]),
        wait=tuple(lots["wait"]),
        notify=tuple(lots["notify"]),
        give_up=tuple(lots["give_up"]),
        look_again_at=min(waits, default=None),
    )


def _lot(entry: InboxEntry, rules: RoutingRules, *, someone_lives: bool, is_kept: bool, has_heir: bool) -> _Lot:
    if entry.state is DeliveryState.EMITTED and (entry.noticed or entry.redelivered):
        return "give_up" if entry.noticed else "notify"
    if not someone_lives:
        return "wait"
    if has_heir:
        return "inherit"
    if entry.why is None or not entry.why.is_meant:
        return "anew"
    return "wait" if is_kept or rules.stranded == "wait" else "offer"


def by_place(
    entries: Iterable[InboxEntry],
) -> Mapping[tuple[ChatId, ThreadId | None], tuple[InboxEntry, ...]]:
    """Entries by the chat and topic they came from, in the order received: one question is asked in each."""
    places: dict[tuple[ChatId, ThreadId | None], tuple[InboxEntry, ...]] = {}
    for entry in entries:
        place = entry.chat, entry.inbound.place.thread
        places[place] = (*places.get(place, ()), entry)
    return places
