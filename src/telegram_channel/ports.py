"""What the flows need from the outside, as Protocols with their guarantees.

Adapters implement them (`storage`, `tg`, `claude`), `app` brings both together. Everything is async and
everything that is stored is keyed by the bot id, so that the same shapes fit one file on one machine or
a server shared by several.

Any method of a stored port may raise `StateUnreadable`, `StateTooNew` or `StateUnwritable`; after
`StateUnwritable` nothing was changed and the same call may be repeated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from telegram_channel.core.access import AccessState
from telegram_channel.core.audit import AuditRow
from telegram_channel.core.events import ChannelEvent
from telegram_channel.core.health import HealthReport
from telegram_channel.core.ids import (
    BotId,
    ChatId,
    FileRef,
    MessageId,
    PressId,
    PromptId,
    SessionId,
    ThreadId,
    UpdateId,
)
from telegram_channel.core.inbox import Counts, InboxEntry, Intake, Move, QuarantinedUpdate
from telegram_channel.core.outgoing import BotIdentity, ButtonRows, DownloadOutcome, OutMessage, SendOutcome
from telegram_channel.core.permission import (
    Behavior,
    Card,
    Closing,
    PermissionRequest,
    Prompt,
    Settlement,
    Verdict,
)
from telegram_channel.core.text import Body

T = TypeVar("T")
Change = Callable[[AccessState], tuple[AccessState, T, Sequence[AuditRow]]]
"""A pure change of the access book: the new state, a result, and the audit rows that belong to it."""


class Clock(Protocol):
    """Time, so that tests can own it."""

    def now(self) -> datetime:
        """Wall time, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


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

    async def due(self, limit: int = 200) -> tuple[InboxEntry, ...]:
        """Entries in STORED, in the order they were received."""

    async def unproven(self) -> tuple[InboxEntry, ...]:
        """Entries in EMITTED, in the order they were received."""

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

        A move touches only entries that are in one of its `only_from` states. The step survives kill -9, and
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

    async def settle(self, prompt: PromptId, verdict: Verdict) -> Settlement:
        """Compare-and-set: exactly one verdict per prompt is `Decided`, and audited in the same step.

        The same verdict (same person, way and time) settled again is `Decided` again, so that a repeated
        update changes nothing.
        """

    async def close(self, prompt: PromptId, closing: Closing) -> bool:
        """Close an open prompt without a verdict; False if it was not open."""

    async def untold(self, session: SessionId) -> tuple[Prompt, ...]:
        """Decided prompts of this session whose verdict was not written to it yet."""

    async def mark_told(self, prompt: PromptId) -> None:
        """The verdict was written to the session."""

    async def uncleared(self) -> tuple[Prompt, ...]:
        """Prompts that are not open and whose cards still show buttons."""

    async def mark_cleared(self, prompt: PromptId) -> None:
        """Every copy of the card shows the outcome."""

    async def open_prompts(self) -> tuple[Prompt, ...]:
        """Everything that still takes an answer, oldest first."""

    async def adopt(self, from_session: SessionId, by: SessionId) -> int:
        """Hand a dead session's open and untold prompts to another; returns how many."""

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


class Sessions(Protocol):
    """The serve processes that are alive, or were until a moment ago."""

    async def register(self, record: SessionRecord) -> None:
        """Add or replace this process (same session and pid)."""

    async def heartbeat(self, session: SessionId, pid: int, at: datetime) -> None:
        """Say that the process is alive."""

    async def leave(self, session: SessionId, pid: int) -> None:
        """Forget the process."""

    async def list(self) -> tuple[SessionRecord, ...]:
        """Everybody registered, oldest first; the dead among them are the reader's to recognise."""


class HealthBoard(Protocol):
    """The last word of the process that polls."""

    async def publish(self, report: HealthReport) -> None:
        """Replace the report."""

    async def latest(self) -> HealthReport | None:
        """The newest report of any process."""


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
    def closed_chats(self) -> ClosedChats: ...

    async def wait_for_change(self, seen: int, timeout_s: float) -> int:
        """Return the version as soon as it is not `seen`, or after `timeout_s` whatever it is.

        The version changes with every commit: at once for one of this process, within half a second for
        one of another. Start with `seen=-1` to get the present version. No change is ever missed.
        """

    async def close(self) -> None:
        """Let go of everything; safe to call twice."""


class Lease(Protocol):
    """The right to poll one bot, held by at most one process, released by the kernel on any death."""

    def acquire(self) -> bool:
        """Try once, without waiting. True again and again while held."""

    def release(self) -> None:
        """Give it up; safe when not held."""

    def is_held_elsewhere(self) -> bool:
        """Whether another process holds it at this moment."""


class Chat(Protocol):
    """The chat platform, outward. Order per chat is kept; one slow chat never delays another."""

    async def identity(self) -> BotIdentity:
        """Who the bot is. Raises `ChatError`."""

    async def send(self, message: OutMessage) -> SendOutcome:
        """Send one answer, in as many platform messages as it needs; never raises `ChatError`."""

    async def edit(
        self, chat: ChatId, message: MessageId, body: Body | None, buttons: ButtonRows = ()
    ) -> SendOutcome:
        """Replace text and buttons of a message of the bot; `body=None` replaces the buttons only.

        A newer edit of the same message that has not left yet replaces an older one. "Nothing changed" is
        `Sent`. The text must fit one message: what does not fit is `Refused`.
        """

    async def react(self, chat: ChatId, message: MessageId, emoji: str | None) -> SendOutcome:
        """Set or clear the bot's reaction; an emoji the platform does not allow is `Refused`."""

    async def typing(self, chat: ChatId, thread: ThreadId | None = None) -> None:
        """Show "typing" for about five seconds. A failure is nobody's business."""

    async def answer_press(self, press: PressId, text: str = "", *, alert: bool = False) -> None:
        """Acknowledge a button press with a short text. A failure is nobody's business."""

    async def download(self, file: FileRef, to: Path) -> DownloadOutcome:
        """Fetch a file to `to` (whole or not at all). Never raises `ChatError`."""

    async def announce_commands(self, commands: Mapping[str, str]) -> None:
        """Offer these bot commands (name → description) in the phone's menu. A failure is nobody's business."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it."""

    name: str
    description: str
    input_schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call returns to the model."""

    text: str
    is_error: bool = False


class Session(Protocol):
    """The Claude Code session of this process, outward."""

    @property
    def id(self) -> SessionId: ...

    async def ready(self) -> None:
        """Return once events may be emitted: after the handshake, and the first tools/list or one second."""

    async def emit(self, event: ChannelEvent) -> None:
        """Queue one event for the session, in order."""

    async def drained(self) -> None:
        """Return once everything queued so far was taken by the client's pipe.

        Waits as long as the client does not read. Until then an event is not EMITTED.
        """

    async def tell_verdict(self, request_id: str, behavior: Behavior) -> None:
        """Answer a permission request, ahead of nothing and behind nothing that was queued."""


class SessionListener(Protocol):
    """The bridge, as the session side calls it. Nothing here raises."""

    def tools(self) -> Sequence[ToolSpec]:
        """The listed tools."""

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Carry out a tool call; any failure is a result with `is_error`."""

    async def initialized(self) -> None:
        """The handshake is complete: from now on there may be side effects."""

    async def permission_requested(self, request: PermissionRequest) -> None:
        """The client shows a permission dialog and relays it."""
