"""Who is shown more than answers: a chat that is let in and wished for it, as the store says at this moment."""

import asyncio
from dataclasses import dataclass

from telegram_channel.core.access import may_address
from telegram_channel.core.ids import ChatId, private_chat
from telegram_channel.core.wishes import Wishes
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import Clock, Store


@dataclass(frozen=True, slots=True)
class ShowingRules:
    """How often anything is shown; all in seconds."""

    private_every_s: float = 3.0
    """Between two edits of a progress message in a private chat."""
    group_every_s: float = 6.0
    """The same in a group, where a bot may say less."""
    draft_every_s: float = 1.0
    refresh_every_s: float = 30.0
    """How often the time on a progress message moves on when nothing else does."""
    leave_within_s: float = 0.04
    """How long whoever is told to end may take for a last edit."""


@dataclass(frozen=True, slots=True)
class Audience:
    """One chat that may be written to."""

    wishes: Wishes
    is_private: bool


async def audience_of(store: Store, chat: ChatId) -> Audience | None:
    """The chat and its wishes; None while it may not be written to, or nobody knows.

    Raises:
        StateUnreadable: the stored state is broken.
        StateTooNew: the same.
    """
    try:
        state = await store.access.read()
        if not may_address(state, chat):
            return None
        wishes = await store.wishes.of(chat)
    except StateUnwritable:
        return None
    return Audience(wishes, any(private_chat(sender) == chat for sender in state.senders))


async def news_or_after(news: asyncio.Event, clock: Clock, seconds: float | None) -> None:
    """Return when there is news or after so long, whatever comes first; None waits for news alone."""
    if seconds is None:
        await news.wait()
        return
    if seconds <= 0:
        return
    told, nap = asyncio.create_task(news.wait()), asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({told, nap}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        nap.cancel()
