"""What a session sends is remembered as its own, so that a reply to it finds its way back.

The chat as one session uses it: everything is passed on, and whatever arrived is noted a moment later, beside
the answer path. When that is not written down in time, a reply goes where any message from there would go.
"""

import logging
from collections.abc import Sequence

from telegram_channel.bridge.chat_view import ChatView
from telegram_channel.bridge.courier import Courier
from telegram_channel.core.ids import ChatId, MessageId, SessionId
from telegram_channel.core.outgoing import OutMessage, PartlySent, SendOutcome, Sent
from telegram_channel.errors import StateError
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

NOTED_AFTER_S = 0.02
"""What the answer itself has to store comes first; no person replies within this time."""


class OwnChat(ChatView):
    """`ports.Chat` in the name of one session."""

    def __init__(self, chat: Chat, store: Store, clock: Clock, courier: Courier, session: SessionId) -> None:
        super().__init__(chat)
        self._store = store
        self._clock = clock
        self._courier = courier
        self._session = session

    async def send(self, message: OutMessage) -> SendOutcome:
        """As the chat's own; what arrived is noted."""
        outcome = await self._chat.send(message)
        match outcome:
            case Sent(refs=refs) | PartlySent(refs=refs) if refs:
                self._courier.post(self._note(message.chat, refs))
            case _:
                pass
        return outcome

    async def _note(self, chat: ChatId, refs: Sequence[MessageId]) -> None:
        at = self._clock.now()
        await self._clock.sleep(NOTED_AFTER_S)
        try:
            await self._store.routes.note_sent(self._session, chat, refs, at)
        except StateError as error:
            _log.warning("whose message that was is not known: %s", error.explained())
