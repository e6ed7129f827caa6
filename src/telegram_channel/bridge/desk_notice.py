"""When the terminal waits for something that cannot be answered from the phone, its owners are told, once.

A permission dialog whose card is in the chat is no such thing, so the card gets a moment to appear first.
"""

import logging
from collections.abc import Callable

from telegram_channel.core import notices
from telegram_channel.core.access import Role
from telegram_channel.core.hooks import AttentionWanted
from telegram_channel.core.ids import ChatId, SessionId, private_chat
from telegram_channel.core.outgoing import OutMessage, Refused
from telegram_channel.core.topics import ThreadFor, in_general
from telegram_channel.core.turns import PERMISSION, kind_of
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

_CARD_WITHIN_S = 2.0
"""The client shows the dialog and asks us for a card at the same time; only a slow disk comes in between."""


class DeskNotice:
    """Tells the owners of this session what its terminal waits for."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        clock: Clock,
        session: SessionId,
        project: str,
        *,
        must_not_leave: Callable[[str], bool],
        thread_for: ThreadFor = in_general,
    ) -> None:
        """`must_not_leave`: whether a text holds what nobody in a chat may see.

        `thread_for`: where in a chat the session says what nobody asked for.
        """
        self._store = store
        self._chat = chat
        self._clock = clock
        self._session = session
        self._project = project
        self._must_not_leave = must_not_leave
        self._thread_for = thread_for

    async def tell(self, call: AttentionWanted, *, still_new: Callable[[], bool]) -> None:
        """Write one line to each owner, unless a card does it already.

        `still_new` is asked last: False when it was said before, or does not hold any more.
        """
        if kind_of(call) == PERMISSION:
            if await self._is_relayed():  # looked at before as well: it may be answered while we wait
                return
            await self._clock.sleep(_CARD_WITHIN_S)
            if await self._is_relayed():
                return
        state = await self._store.access.read()
        owners = [private_chat(one.sender) for one in state.senders.values() if one.role is Role.OWNER]
        if not owners or not still_new():
            return
        for owner in owners:
            await self._write(owner, call)

    async def _is_relayed(self) -> bool:
        """Whether a card of this session waits for an answer."""
        return any(prompt.session == self._session for prompt in await self._store.prompts.open_prompts())

    async def _write(self, owner: ChatId, call: AttentionWanted) -> None:
        if await self._store.closed_chats.reason(owner) is not None:
            return
        text = "" if self._must_not_leave(call.text) else call.text
        words = notices.desk_waits(self._project, text)
        outcome = await self._chat.send(OutMessage(owner, words, self._thread_for(owner)))
        if isinstance(outcome, Refused):
            _log.warning("an owner could not be told that the terminal waits: %s", outcome.cause)
            if outcome.closed:
                await self._store.closed_chats.close(owner, outcome.cause)
