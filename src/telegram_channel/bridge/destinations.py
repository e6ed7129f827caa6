"""Whom each message that is stored is for: what belongs together goes to one session.

The parts of an album or of a paste that the phone cut follow the first one, a correction follows what it
corrects. Everything else is routed by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from telegram_channel.bridge.router import Look
from telegram_channel.core.access import AccessState
from telegram_channel.core.ids import ChatId, EntryId, SenderId, SessionId, UpdateId
from telegram_channel.core.inbox import DeliveryState, Fetch, FetchState, InboxEntry
from telegram_channel.core.joining import continues
from telegram_channel.core.messages import AttachmentKind, Deliverable, InboundMessage
from telegram_channel.core.routing import Barred, Directed, NobodyThere, Stranded, Undecided

_MOST_SPEAKERS = 200
"""Of so many people in so many chats it is remembered what they said last."""


class Destinations:
    """Finds the session of each message, and remembers what people said last: the rest of it may follow."""

    def __init__(self) -> None:
        self._spoke: dict[tuple[ChatId, SenderId], InboxEntry] = {}

    def learn(self, entries: Iterable[InboxEntry]) -> None:
        """Remember what somebody else stored, in the order it was received."""
        for entry in sorted(entries, key=lambda one: one.entry):
            if isinstance(entry.inbound, InboundMessage):
                # As it was when it came: what continues it is compared with that.
                self.remember(replace(entry, state=DeliveryState.STORED, emitted_at=None, redelivered=False))

    def remember(self, entry: InboxEntry) -> None:
        """Somebody said this, and it is for the bot."""
        speaker = (entry.chat, entry.inbound.place.sender)
        self._spoke.pop(speaker, None)
        self._spoke[speaker] = entry
        if len(self._spoke) > _MOST_SPEAKERS:
            del self._spoke[next(iter(self._spoke))]

    def begun_by(self, entry: InboxEntry) -> InboxEntry | None:
        """What the entry is the next part of."""
        before = self._spoke.get((entry.chat, entry.inbound.place.sender))
        return before if before is not None and continues(before, entry) else None

    def destined(
        self,
        entry: InboxEntry,
        earlier: Sequence[InboxEntry],
        look: Look,
        state: AccessState,
        addressed: SessionId | None = None,
    ) -> InboxEntry | None:
        """The entry with whom it is for, as far as anybody can tell; None when that is not open to its sender.

        `earlier`: what came in the same batch. `addressed`: the session that `/to` names.
        """
        before = self._belongs_to(entry, earlier, look, addressed)
        if before is not None and before.session is not None:
            session = look.heirs.get(before.session, before.session)
            if not look.is_open(state, entry.inbound.place.sender, session):
                return None  # it was closed to them since
            return replace(entry, session=session, why=before.why)
        match look.route(state, entry.inbound, addressed):
            case Directed(session=session, why=why) | Stranded(session=session, why=why):
                return replace(entry, session=session, why=why)
            case Undecided() | NobodyThere():
                return entry
            case Barred():
                return None

    def _belongs_to(
        self, entry: InboxEntry, earlier: Sequence[InboxEntry], look: Look, addressed: SessionId | None
    ) -> InboxEntry | None:
        if isinstance(entry.inbound, InboundMessage) and entry.inbound.edited:
            same_batch = (one for one in reversed(earlier) if _is_same_message(one, entry))
            return next(same_batch, None) or look.originals.get((entry.chat, entry.message))
        return self.begun_by(entry) if addressed is None else None


def _is_same_message(one: InboxEntry, other: InboxEntry) -> bool:
    return (one.chat, one.message) == (other.chat, other.message) and isinstance(one.inbound, InboundMessage)


def entry_of(inbound: Deliverable, now: datetime) -> InboxEntry:
    """The inbox entry of something that was admitted; a photo waits for its own file."""
    attachment = inbound.attachment if isinstance(inbound, InboundMessage) else None
    is_photo = attachment is not None and attachment.kind is AttachmentKind.PHOTO
    fetch = Fetch(FetchState.WANTED, attachment.file) if attachment and is_photo else Fetch()
    return InboxEntry(
        EntryId(0), UpdateId(inbound.update), inbound.place.chat, inbound.message, inbound, now, fetch=fetch
    )
