"""What the in-memory store keeps for each bot: plain Python collections, changed between two awaits only."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from telegram_channel.core.access import AccessState
from telegram_channel.core.audit import AuditRow
from telegram_channel.core.health import HealthReport
from telegram_channel.core.ids import BotId, ChatId, EntryId, MessageId, PromptId, SessionId, ThreadId, UpdateId
from telegram_channel.core.inbox import InboxEntry, QuarantinedUpdate
from telegram_channel.core.orders import Order, OrderKind
from telegram_channel.core.pacing import LaneBook
from telegram_channel.core.permission import Prompt
from telegram_channel.core.routing import Question, TopicBinding
from telegram_channel.core.wishes import Wishes
from telegram_channel.ports import EndedSession, SessionRecord
from telegram_channel.storage.changes import ChangeFeed


@dataclass(slots=True)
class Tables:
    """What one bot has stored."""

    book: AccessState | None = None
    audit: list[AuditRow] = field(default_factory=list)
    cursor: UpdateId | None = None
    seen: dict[UpdateId, datetime] = field(default_factory=dict)
    inbox: dict[EntryId, InboxEntry] = field(default_factory=dict)
    quarantined: list[QuarantinedUpdate] = field(default_factory=list)
    prompts: dict[PromptId, Prompt] = field(default_factory=dict)
    sessions: dict[tuple[SessionId, int], SessionRecord] = field(default_factory=dict)
    began: dict[SessionId, datetime] = field(default_factory=dict)
    ended: dict[SessionId, EndedSession] = field(default_factory=dict)
    health: HealthReport | None = None
    orders: dict[tuple[SessionId, OrderKind], Order] = field(default_factory=dict)
    wishes: dict[ChatId, Wishes] = field(default_factory=dict)
    choices: dict[ChatId, SessionId] = field(default_factory=dict)
    topics: dict[tuple[ChatId, ThreadId], TopicBinding] = field(default_factory=dict)
    questions: dict[tuple[ChatId, ThreadId], Question] = field(default_factory=dict)
    authors: dict[tuple[ChatId, MessageId], tuple[SessionId, datetime]] = field(default_factory=dict)
    closed_chats: dict[ChatId, str] = field(default_factory=dict)
    lanes: LaneBook = field(default_factory=LaneBook)


class MemoryDatabase:
    """What the file is to the processes: the state of every bot, and who waits for a change of it."""

    def __init__(self) -> None:
        self.feeds: list[ChangeFeed] = []
        self.last_entry = 0
        self._bots: dict[BotId, Tables] = {}

    def of(self, bot: BotId) -> Tables:
        """The tables of one bot."""
        return self._bots.setdefault(bot, Tables())


class HoldsTables(Protocol):
    """What the parts need from the store they belong to."""

    database: MemoryDatabase
    now: Callable[[], datetime]

    @property
    def tables(self) -> Tables:
        """What every call goes through. Raises `StateError`."""

    def changed(self) -> None:
        """What every call that wrote something ends with."""


class Part:
    """One port of a memory store."""

    def __init__(self, store: HoldsTables) -> None:
        self._store = store

    @property
    def _tables(self) -> Tables:
        return self._store.tables
