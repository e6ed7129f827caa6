"""A turn that begins with a message, or a tool call that names its chat, proves that it was read; a reply answers it.

The client never acknowledges an event, so these are the only signs there are. What was given after the call
began proves nothing, nor does what another session was given.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from telegram_channel.core.ids import ChatId, EntryId, MessageId, SessionId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Move
from telegram_channel.core.joining import continues
from telegram_channel.errors import StateError
from telegram_channel.ports import Clock, Store

_log = logging.getLogger(__name__)

_PATIENCE_S = 2.0
"""A session can be quicker than the store: so long an event may be on its way to EMITTED when it is read."""
_LOOK_EVERY_S = 0.05


async def given_to(session: SessionId, store: Store, chat: ChatId, before: datetime) -> tuple[InboxEntry, ...]:
    """What the session was given of a chat up to `before`, and has not answered."""
    return tuple(
        entry
        for entry in await store.inbox.unanswered(chat)
        if entry.session in (None, session) and (entry.emitted_at is None or entry.emitted_at <= before)
    )


async def begun_with(
    session: SessionId, store: Store, clock: Clock, tags: Sequence[tuple[ChatId, MessageId]]
) -> tuple[InboxEntry, ...]:
    """What the session was given of the messages that a prompt names, each with all parts of its event.

    Messages that it was not given, and those that are answered already, are left out. Waits up to two seconds
    for one that is being given at this moment.
    """
    chats: dict[ChatId, list[MessageId]] = {}
    for chat, message in tags:
        chats.setdefault(chat, []).append(message)
    found: list[InboxEntry] = []
    for chat, messages in chats.items():
        found.extend(_named(await _given_by_now(session, store, clock, chat, messages), messages))
    return tuple(found)


async def _given_by_now(
    session: SessionId, store: Store, clock: Clock, chat: ChatId, messages: Sequence[MessageId]
) -> list[InboxEntry]:
    deadline_s = clock.monotonic() + _PATIENCE_S
    while True:
        given = [entry for entry in await store.inbox.unanswered(chat) if entry.session == session]
        missing = set(messages) - {entry.message for entry in given}
        if clock.monotonic() >= deadline_s or not await _are_being_given(store, chat, missing):
            return given
        await clock.sleep(_LOOK_EVERY_S)


async def _are_being_given(store: Store, chat: ChatId, messages: set[MessageId]) -> bool:
    """Whether one of them was begun to be written to a session, and is not known to be EMITTED yet."""
    for message in messages:
        entry = await store.inbox.find(chat, message)
        if entry and entry.state is DeliveryState.STORED and entry.emitted_at is not None:
            return True
    return False


def _named(given: Sequence[InboxEntry], messages: Sequence[MessageId]) -> list[InboxEntry]:
    """The entries behind the messages. One that was said and edited has two, and the session gets them in order."""
    named: dict[EntryId, InboxEntry] = {}
    for message in messages:
        candidates = [entry for entry in given if entry.message == message and entry.entry not in named]
        unproven = [entry for entry in candidates if entry.state is DeliveryState.EMITTED]
        for first in (unproven or candidates)[:1]:
            named |= {entry.entry: entry for entry in (first, *_further_parts(first, given))}
    return list(named.values())


def _further_parts(first: InboxEntry, given: Sequence[InboxEntry]) -> list[InboxEntry]:
    """What went to the session in the same event, which bears the id of its first part only."""
    parts = [first]
    for entry in given:
        if entry.entry <= first.entry or entry.inbound.place.sender != first.inbound.place.sender:
            continue
        if entry.emitted_at != first.emitted_at or not continues(parts[-1], entry):
            break
        parts.append(entry)
    return parts[1:]


async def mark_read(store: Store, entries: Sequence[InboxEntry]) -> None:
    """Note that the session read what was unproven among `entries`, without waiting for the disk.

    After a loss of power the session that read it is gone, and was perhaps never answered for.
    """
    unproven = [entry for entry in entries if entry.state is DeliveryState.EMITTED]
    await _advance(store, unproven, (DeliveryState.EMITTED,), DeliveryState.READ, durable=False)


async def mark_begun_with(store: Store, entries: Sequence[InboxEntry]) -> None:
    """Note that the session read `entries`, and that the chat shows it: "stored" need not be said any more."""
    states = (DeliveryState.EMITTED, DeliveryState.READ)
    await _advance(store, entries, states, DeliveryState.READ, acknowledged=True)


async def mark_answered(store: Store, entries: Sequence[InboxEntry]) -> None:
    """Note that a reply to `entries` arrived."""
    await _advance(store, entries, (DeliveryState.EMITTED, DeliveryState.READ), DeliveryState.ANSWERED)


async def _advance(
    store: Store,
    entries: Sequence[InboxEntry],
    only_from: tuple[DeliveryState, ...],
    state: DeliveryState,
    *,
    acknowledged: bool | None = None,
    durable: bool = True,
) -> None:
    """Move entries. A full disk must neither stop an answer nor make a sent one look like a failure."""
    if not entries:
        return
    move = Move(tuple(entry.entry for entry in entries), only_from, state, acknowledged=acknowledged)
    try:
        await store.inbox.advance([move], durable=durable)
    except StateError as error:
        _log.warning("messages could not be marked as %s: %s", state.value, error)
