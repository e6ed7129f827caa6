"""Which stored entries go to the session together, and when: albums and split pastes become one event.

Nothing else waits: an entry without a reason to wait goes at once, past those that do. What waits is
(1) an entry whose own file is still being fetched, (2) an album that may not be complete, (3) a text so
long that the phone probably cut it in two. A later message of the same sender in the same chat completes
both (2) and (3), so order within one person's words is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telegram_channel.core.inbox import FetchState, InboxEntry
from telegram_channel.core.messages import InboundMessage
from telegram_channel.core.text import utf16_len

MOST_ALBUM_PARTS = 10
"""An album has at most ten parts (source: Bot API, `sendMediaGroup`)."""
SPLIT_PART_UNITS = 3_500
"""Phones cut a long paste at the last good place before 4,096 UTF-16 units: such parts are at least this long."""


@dataclass(frozen=True, slots=True)
class JoiningRules:
    """How long anything may wait."""

    quiet_s: float = 0.8
    """An album or split paste is complete when nothing was added for this long."""
    same_paste_s: float = 3.0
    """Parts of one paste are sent at most this far apart."""
    fetch_wait_s: float = 20.0
    """A message waits this long for its own file, then goes without."""


DEFAULT_RULES = JoiningRules()


@dataclass(frozen=True, slots=True)
class Parcel:
    """Entries that become one event, in order; never empty."""

    entries: tuple[InboxEntry, ...]


@dataclass(frozen=True, slots=True)
class Assembly:
    """What can go now, in order, and when to look again for the rest."""

    ready: tuple[Parcel, ...]
    look_again_at: datetime | None


def assemble(entries: Sequence[InboxEntry], now: datetime, rules: JoiningRules) -> Assembly:
    """Group stored entries (oldest first) into parcels and say which may go at `now`."""
    groups = _groups(entries, rules)
    ready: list[Parcel] = []
    waits: list[datetime] = []
    for group, complete in groups:
        until = _waits_until(group, complete, rules)
        clock_was_set_back = group[0].stored_at > now  # nobody waits an hour for a part that came long ago
        if until <= now or clock_was_set_back:
            ready.append(Parcel(tuple(group)))
        else:
            waits.append(until)
    return Assembly(tuple(ready), min(waits, default=None))


def _groups(entries: Sequence[InboxEntry], rules: JoiningRules) -> list[tuple[list[InboxEntry], bool]]:
    """Runs of entries that belong together, each with whether something later completes it."""
    groups: list[list[InboxEntry]] = []
    complete: list[bool] = []
    open_group: dict[tuple[str, str], int] = {}
    for entry in entries:
        speaker = (entry.chat, entry.inbound.place.sender)
        index = open_group.get(speaker)
        if index is not None and continues(groups[index][-1], entry, rules):
            groups[index].append(entry)
            continue
        if index is not None:
            complete[index] = True
        open_group[speaker] = len(groups)
        groups.append([entry])
        complete.append(False)
    return list(zip(groups, complete, strict=True))


def continues(before: InboxEntry, entry: InboxEntry, rules: JoiningRules = DEFAULT_RULES) -> bool:
    """Whether `entry`, said by the same person in the same chat, is the next part of what `before` began."""
    first, then = before.inbound, entry.inbound
    if not isinstance(first, InboundMessage) or not isinstance(then, InboundMessage):
        return False
    if first.edited or then.edited or before.may_be_known != entry.may_be_known:
        return False
    if first.album or then.album:
        return first.album == then.album
    return (
        _may_be_cut(before)
        and not (first.attachment or then.attachment or then.reply_to or then.forwarded_from or first.forwarded_from)
        and then.place.thread == first.place.thread
        and then.sent_at - first.sent_at <= timedelta(seconds=rules.same_paste_s)
    )


def _may_be_cut(entry: InboxEntry) -> bool:
    message = entry.inbound
    return (
        isinstance(message, InboundMessage)
        and not message.attachment
        and not message.edited
        and utf16_len(message.text) >= SPLIT_PART_UNITS
    )


def _waits_until(group: list[InboxEntry], complete: bool, rules: JoiningRules) -> datetime:
    """The moment from which the group may go, whatever happens to it meanwhile."""
    until = group[0].stored_at
    last = group[-1]
    album = isinstance(last.inbound, InboundMessage) and last.inbound.album is not None
    unfinished = (album and len(group) < MOST_ALBUM_PARTS) or _may_be_cut(last)
    if unfinished and not complete and not last.may_be_known:
        until = last.stored_at + timedelta(seconds=rules.quiet_s)
    for entry in group:
        if entry.fetch.state is FetchState.WANTED:
            until = max(until, entry.stored_at + timedelta(seconds=rules.fetch_wait_s))
    return until
