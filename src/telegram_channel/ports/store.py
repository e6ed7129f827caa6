"""Everything persisted for one bot. Processes meet only here.

Any method of a stored port may raise `StateUnreadable`, `StateTooNew` or `StateUnwritable`; after
`StateUnwritable` nothing was changed and the same call may be repeated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from telegram_channel.core.access import AccessState
from telegram_channel.core.audit import AuditRow
from telegram_channel.core.health import HealthReport
from telegram_channel.core.ids import BotId, ChatId, MessageId, PromptId, SessionId, ThreadId, UpdateId
from telegram_channel.core.inbox import Counts, InboxEntry, Intake, Move, QuarantinedUpdate
from telegram_channel.core.orders import Order, OrderKind
from telegram_channel.core.permission import Card, Closing, Details, Prompt, Settlement, Verdict
from telegram_channel.core.routing import Question, TopicBinding
from telegram_channel.core.wishes import Wishes
from telegram_channel.ports.pace import Pace

T = TypeVar("T")
Change = Callable[[AccessState], tuple[AccessState, T, Sequence[AuditRow]]]
"""A pure change of the access book: the new state, a result, and the audit rows that belong to it."""


class AccessBook(Protocol):
    """The persisted allowlist of one bot."""

    async def read(self) -> AccessState:
        """The state as of now."""

    async def transact(self, change: Change[T]) -> T:
        """Apply `change` atomically and store its audit rows in the same step.

        `change` may run more than once, with different states; only its last run counts. When it raises,
        nothing is stored. A change that returns the same state and no rows writes nothing.
        """

    async def claim(self) -> bool:
        """Take over the unclaimed book, atomically; False when there is none or this bot has its own.

        The unclaimed book is that of `BotId("")`: an operator wrote it before any bot was known. A bot
        without a book of its own reads it, and its first write claims it as well.
        """


class Inbox(Protocol):
    """Messages between "received" and "answered"."""

    async def cursor(self) -> UpdateId | None:
        """The last update that was stored, None before the first."""

    async def unseen(self, updates: Sequence[UpdateId]) -> frozenset[UpdateId]:
        """Those of `updates` that were never ingested."""

    async def ingest(self, intake: Intake, cursor: UpdateId | None) -> None:
        """Store entries, quarantined updates and seen ids, and move the cursor, in one durable step.

        An entry or quarantined update whose id was seen before is ignored. When this returns, everything
        survives kill -9 and power loss.
        """

    async def due(self, limit: int = 200, session: SessionId | None = None) -> tuple[InboxEntry, ...]:
        """Entries in STORED, in the order they were received; with `session`, only those directed to it."""

    async def undirected(self, limit: int = 200) -> tuple[InboxEntry, ...]:
        """Entries in STORED that are directed to no session, in the order they were received."""

    async def unproven(self, session: SessionId | None = None) -> tuple[InboxEntry, ...]:
        """Entries in EMITTED, in the order they were received; with `session`, only those it was given."""

    async def unanswered(self, chat: ChatId) -> tuple[InboxEntry, ...]:
        """Entries of a chat in EMITTED or READ, in the order they were received."""

    async def awaiting(self, since: datetime) -> tuple[InboxEntry, ...]:
        """Entries in EMITTED or READ that were emitted at or after `since`, in the order received."""

    async def to_fetch(self, limit: int = 50) -> tuple[InboxEntry, ...]:
        """Entries that wait for a download, in the order they were received."""

    async def unacknowledged(self, limit: int = 50) -> tuple[InboxEntry, ...]:
        """Entries without 👀 in the chat, in the order they were received."""

    async def advance(self, moves: Sequence[Move], *, durable: bool = True) -> int:
        """Apply moves in one step; returns how many entries changed.

        A move touches only entries that are in one of its `only_from` states and, where it names `held_by`, are
        directed to that session. The step survives kill -9, and
        power loss as well unless `durable` is False, which is quicker.
        """

    async def find(self, chat: ChatId, message: MessageId) -> InboxEntry | None:
        """The newest entry of this message of the chat."""

    async def counts(self) -> Counts:
        """How many entries are in which state."""

    async def quarantined(self, limit: int = 20) -> tuple[QuarantinedUpdate, ...]:
        """The newest updates nobody understood."""

    async def prune(self, before: datetime) -> int:
        """Forget final entries, quarantined updates and seen ids from before; returns how many."""


class PromptBook(Protocol):
    """Permission prompts of all sessions of one bot."""

    async def open(self, prompt: Prompt) -> None:
        """Store a new prompt. An open one of the same session with the same request id is replaced."""

    async def get(self, prompt: PromptId) -> Prompt | None:
        """One prompt, whatever its state."""

    async def find(self, request_id: str) -> Prompt | None:
        """The prompt with the client's id (compared in lower case): an open one first, else the newest."""

    async def add_cards(self, prompt: PromptId, cards: Sequence[Card]) -> None:
        """Remember copies of the card that were sent."""

    async def enrich(self, prompt: PromptId, details: Details) -> Prompt | None:
        """Add what the hook said to an open prompt that has no details; returns it as it is now.

        None when there is no such prompt. A prompt that is closed, or has details, stays as it is.
        """

    async def settle(self, prompt: PromptId, verdict: Verdict) -> Settlement:
        """Compare-and-set: exactly one verdict per prompt is `Decided`, and audited in the same step.

        The same verdict (same person, way and time) settled again is `Decided` again, so that a repeated
        update changes nothing.
        """

    async def close(self, prompt: PromptId, closing: Closing) -> bool:
        """Close an open prompt without a verdict; False if it was not open."""

    async def untold(self, session: SessionId | None = None) -> tuple[Prompt, ...]:
        """Decided prompts whose verdict was not written to their session yet: of one session, or of all."""

    async def mark_told(self, prompt: PromptId) -> None:
        """The verdict was written to the session."""

    async def uncleared(self) -> tuple[Prompt, ...]:
        """Prompts that are not open and whose cards still show buttons."""

    async def mark_cleared(self, prompt: PromptId) -> None:
        """Every copy of the card shows the outcome."""

    async def open_prompts(self) -> tuple[Prompt, ...]:
        """Everything that still takes an answer, oldest first."""

    async def prune(self, before: datetime) -> int:
        """Forget prompts that were asked before and about which nothing is owed; returns how many."""


class AuditTrail(Protocol):
    """Who did what, when."""

    async def rows(self, limit: int = 100) -> tuple[AuditRow, ...]:
        """The newest rows, oldest of them first."""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One serve process, as the others see it."""

    session: SessionId
    pid: int
    started_at: datetime
    last_seen_at: datetime
    name: str
    """The project directory's last part."""
    is_channel: bool
    """Whether there is evidence that the client was started with us as a channel."""
    receives: bool = True
    """Whether it takes messages: a channel session, or one that was told to."""
    project: str = ""
    """The project directory; absolute, empty when it is not known."""
    branch: str = ""
    """The git branch of the project, empty when there is none."""


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that has left."""

    record: SessionRecord
    """The process of it that left last; `last_seen_at` says when."""
    heir: SessionId | None
    """The session that has taken over from it."""


class Sessions(Protocol):
    """The serve processes that are alive, or were until a moment ago."""

    async def register(self, record: SessionRecord) -> None:
        """Add or replace this process (same session and pid).

        Where it takes messages, its session has not ended, if it ever had. One that was never there before takes
        over from those that have ended without a heir, as `core.succession` says, in the same step: it is their
        heir from now on, and what chats had chosen of them is their choice.
        """

    async def heartbeat(self, session: SessionId, pid: int, at: datetime) -> None:
        """Say that the process is alive."""

    async def leave(self, session: SessionId, pid: int, at: datetime) -> None:
        """Take the process off the list; one that is not listed changes nothing.

        With the last process of a session that took messages, the session has ended: see `ended`. Somebody who
        takes over from it is its heir in the same step.
        """

    async def list(self) -> tuple[SessionRecord, ...]:
        """Everybody registered, oldest first; the dead among them are the reader's to recognise."""

    async def ended(self) -> tuple[EndedSession, ...]:
        """The hundred sessions that took messages and left last, each once, in the order in which they did."""


class HealthBoard(Protocol):
    """The last word of the process that polls."""

    async def publish(self, report: HealthReport) -> None:
        """Replace the report."""

    async def latest(self) -> HealthReport | None:
        """The newest report of any process."""


class OrderBook(Protocol):
    """Orders from the chat that stand, of all sessions of one bot."""

    async def give(self, order: Order) -> None:
        """Let an order stand, audited in the same step; it replaces one of its kind for the same session.

        The same order (same person, place and time) given again changes nothing, whether answered or not.
        """

    async def standing(self, session: SessionId) -> tuple[Order, ...]:
        """What stands for this session and for every session, oldest first."""

    async def mark_answered(self, order: Order) -> None:
        """The chat was told what came of exactly this order; one that was replaced or lifted stays so."""

    async def lift(self, kind: OrderKind, session: SessionId, by: str, at: datetime) -> Order | None:
        """End an order, audited in the same step; returns it, None when none stood. `by` is for the audit."""

    async def prune(self, before: datetime) -> int:
        """Forget orders of kind STOP given before, never a PAUSE; returns how many."""


class RouteBook(Protocol):
    """Which sessions chats, topics and messages belong to, of one bot."""

    async def chosen(self, chat: ChatId) -> SessionId | None:
        """The session a chat has chosen."""

    async def choose(self, chat: ChatId, session: SessionId | None) -> None:
        """Remember a chat's choice; None takes it back. The same choice writes nothing."""

    async def bindings(self) -> tuple[TopicBinding, ...]:
        """Every topic that belongs to a project, oldest first."""

    async def bind(self, binding: TopicBinding) -> None:
        """Add or replace the binding of a topic (same chat and thread). The same binding writes nothing."""

    async def take_topic(self, chat: ChatId, project: str, session: SessionId) -> TopicBinding | None:
        """Let a session have a topic of its project in this chat that no session has; atomic.

        Its own, if it has one already. None when there is none to be had: then one may be made.
        """

    async def unbind(self, chat: ChatId, thread: ThreadId) -> None:
        """Forget a topic that is gone."""

    async def note_sent(self, session: SessionId, chat: ChatId, messages: Sequence[MessageId], at: datetime) -> None:
        """Remember whose messages of the bot these are. Survives kill -9, perhaps not a loss of power."""

    async def author(self, chat: ChatId, message: MessageId) -> SessionId | None:
        """Whose message of the bot this is, as far as it is remembered."""

    async def ask(self, question: Question) -> bool:
        """Remember a question; False when one stands for the same chat and thread already."""

    async def questions(self) -> tuple[Question, ...]:
        """Every question that stands, oldest first."""

    async def settle_question(self, chat: ChatId, thread: ThreadId | None) -> Question | None:
        """End a question; returns it, None when there was none."""

    async def prune(self, before: datetime) -> int:
        """Forget whose messages those sent before are; returns how many."""


class WishBook(Protocol):
    """What each chat asked to be shown."""

    async def of(self, chat: ChatId) -> Wishes:
        """The wishes of a chat; none when it never said any."""

    async def keep(self, chat: ChatId, wishes: Wishes) -> None:
        """Replace the wishes of a chat."""


class ClosedChats(Protocol):
    """Chats that cannot be written to."""

    async def close(self, chat: ChatId, reason: str) -> None:
        """Remember that the platform refused this chat."""

    async def reopen(self, chat: ChatId) -> None:
        """Somebody wrote from there: it can be written to again. Writes nothing when it was not closed."""

    async def reason(self, chat: ChatId) -> str | None:
        """Why the chat is closed, None when it is open."""


class Store(Protocol):
    """Everything persisted for one bot. Processes meet only here."""

    @property
    def bot(self) -> BotId:
        """Whose state this is."""

    @property
    def access(self) -> AccessBook: ...

    @property
    def inbox(self) -> Inbox: ...

    @property
    def prompts(self) -> PromptBook: ...

    @property
    def audit(self) -> AuditTrail: ...

    @property
    def sessions(self) -> Sessions: ...

    @property
    def health(self) -> HealthBoard: ...

    @property
    def orders(self) -> OrderBook: ...

    @property
    def wishes(self) -> WishBook: ...

    @property
    def routes(self) -> RouteBook: ...

    @property
    def closed_chats(self) -> ClosedChats: ...

    @property
    def pace(self) -> Pace:
        """The limits of the platform. A message that leaves is no change of the store."""

    async def wait_for_change(self, seen: int, timeout_s: float) -> int:
        """Return the version as soon as it is not `seen`, or after `timeout_s` whatever it is.

        The version changes with every commit: at once for one of this process, within a tenth of a second for one
        of this process that was not `durable` and for one of another, and within about two when its writer could
        not announce it (it was killed right after the commit, may not write beside the database, or is another
        program).
        Start with `seen=-1` to get the present version. No change is ever missed.
        """

    async def close(self) -> None:
        """Let go of everything; safe to call twice."""
