"""Where an answer goes: beside the message it answers, else beside what waits, else where the session talks."""

from dataclasses import dataclass

from telegram_channel.core.ids import ThreadId
from telegram_channel.core.inbox import InboxEntry


@dataclass(frozen=True, slots=True)
class Entered:
    """What is known of a chat when an answer to it begins."""

    waiting: tuple[InboxEntry, ...]
    """What this session was given of it and has not answered."""
    original: InboxEntry | None
    """The message that is answered visibly."""
    usual: ThreadId | None = None
    """Where the session talks in this chat when it answers nothing."""

    @property
    def thread(self) -> ThreadId | None:
        """The topic of the message that is answered, else of the latest that waits, else the usual one."""
        latest = self.original or (self.waiting[-1] if self.waiting else None)
        return latest.inbound.place.thread if latest else self.usual

    @property
    def answered_by_reply(self) -> tuple[InboxEntry, ...]:
        """Everything that waits in the topic the answer goes to."""
        return tuple(entry for entry in self.waiting if entry.inbound.place.thread == self.thread)
