"""A tool call that names a chat proves that the session read what it was given of it; a sent reply answers it.

The client never acknowledges an event, so this is the only sign there is. What was given after the call
began proves nothing, nor does what another session was given.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from telegram_channel.core.ids import ChatId, SessionId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Move
from telegram_channel.errors import StateError
from telegram_channel.ports import Store

_log = logging.getLogger(__name__)


async def given_to(session: SessionId, store: Store, chat: ChatId, before: datetime) -> tuple[InboxEntry, ...]:
    """What the session was given of a chat up to `before`, and has not answered."""
    return tuple(
        entry
        for entry in await store.inbox.unanswered(chat)
        if entry.session in (None, session) and (entry.emitted_at is None or entry.emitted_at <= before)
    )


async def mark_read(store: Store, entries: Sequence[InboxEntry]) -> None:
    """Note that the session read what was unproven among `entries`."""
    unproven = [entry for entry in entries if entry.state is DeliveryState.EMITTED]
    await _advance(store, unproven, (DeliveryState.EMITTED,), DeliveryState.READ)


async def mark_answered(store: Store, entries: Sequence[InboxEntry]) -> None:
    """Note that a reply to `entries` arrived."""
    await _advance(store, entries, (DeliveryState.EMITTED, DeliveryState.READ), DeliveryState.ANSWERED)


async def _advance(
    store: Store, entries: Sequence[InboxEntry], only_from: tuple[DeliveryState, ...], state: DeliveryState
) -> None:
    """Move entries. A full disk must neither stop an answer nor make a sent one look like a failure."""
    if not entries:
        return
    try:
        await store.inbox.advance([Move(tuple(entry.entry for entry in entries), only_from, state)])
    except StateError as error:
        _log.warning("messages could not be marked as %s: %s", state.value, error)
