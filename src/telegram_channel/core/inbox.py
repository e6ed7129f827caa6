"""Messages on their way to the session: their states and the moves between them.

STORED → EMITTED → READ → ANSWERED. EMITTED → STORED at most once, after a new handshake or without
proof of reading. → EXPIRED when it can no longer be delivered, QUARANTINED when it twice could not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from telegram_channel.core.ids import ChatId, EntryId, FileRef, MessageId, SessionId, UpdateId
from telegram_channel.core.messages import Deliverable
from telegram_channel.core.routing import Why


class DeliveryState(StrEnum):
    """How far a message got. Each state is backed by a fact, never by a hope."""

    STORED = "stored"
    """Committed to disk; the session has not been given it (again)."""
    EMITTED = "emitted"
    """Written to the session, which never acknowledges: nothing is proven."""
    READ = "read"
    """The session did something that shows it read it."""
    ANSWERED = "answered"
    """A reply to the chat was sent after it was read."""
    EXPIRED = "expired"
    """Given up: the chat was told, or whoever wrote it was put out meanwhile."""
    QUARANTINED = "quarantined"
    """Could not be turned into an event twice; kept and reported."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self in (DeliveryState.ANSWERED, DeliveryState.EXPIRED, DeliveryState.QUARANTINED)


class FetchState(StrEnum):
    """How far the download beside the queue got."""

    NONE = "none"
    """There is nothing to fetch."""
    WANTED = "wanted"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Fetch:
    """The download that belongs to an entry; `path` when DONE, `cause` when FAILED."""

    state: FetchState = FetchState.NONE
    file: FileRef | None = None
    path: str = ""
    cause: str = ""
    slow: bool = False
    """Whether it took so long that later messages may have gone first."""


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """One message in the inbox, with everything delivery needs to know about it."""

    entry: EntryId
    """0 until the store gives it its position."""
    update: UpdateId
    chat: ChatId
    message: MessageId
    inbound: Deliverable
    stored_at: datetime
    state: DeliveryState = DeliveryState.STORED
    session: SessionId | None = None
    """Whom it is for, or was given to last; None: nobody has been chosen yet."""
    emitted_at: datetime | None = None
    """When it was last written to a session; in STORED, when that was last begun."""
    redelivered: bool = False
    """Whether its one redelivery is used up."""
    noticed: bool = False
    """Whether the chat was told that nobody seems to read it."""
    acknowledged: bool = False
    """Whether the chat shows 👀 for it."""
    fetch: Fetch = Fetch()
    why: Why | None = None
    """Why it is for that session."""

    @property
    def may_be_known(self) -> bool:
        """Whether a session may have been given it before: then the event says so."""
        return self.redelivered or (self.state is DeliveryState.STORED and self.emitted_at is not None)


def _no_facts() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Move:
    """A change to entries, applied by the store only where `only_from` and `held_by` still hold.

    None leaves a field as it is; the session `routing.NOBODY` takes the session away. Without `session`, an entry
    stays with whoever has it.
    """

    entries: tuple[EntryId, ...]
    only_from: tuple[DeliveryState, ...]
    state: DeliveryState | None = None
    session: SessionId | None = None
    emitted_at: datetime | None = None
    redelivered: bool | None = None
    noticed: bool | None = None
    acknowledged: bool | None = None
    fetch: Fetch | None = None
    why: Why | None = None
    held_by: SessionId | None = None
    """Whom an entry has to be directed to at that moment: this session, with `routing.NOBODY` none; None: anybody."""


@dataclass(frozen=True, slots=True)
class QuarantinedUpdate:
    """An update nobody understood, as `status` reports it."""

    update: UpdateId
    reason: str
    at: datetime
    content: str
    """The raw update of an admitted sender, or the skeleton of anybody else's."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What one batch means: stored in one step together with the cursor."""

    entries: tuple[InboxEntry, ...] = ()
    quarantined: tuple[QuarantinedUpdate, ...] = ()
    seen: tuple[UpdateId, ...] = ()
    """Every update of the batch, so that a second copy is dropped by equality."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entries are in which state; quarantined updates are counted in with their state."""

    by_state: Mapping[DeliveryState, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def queued(self) -> int:
        """Waiting to be given to a session."""
        return self.by_state.get(DeliveryState.STORED, 0)


@dataclass(frozen=True, slots=True)
class RedeliveryRules:
    """When silence of the session means something."""

    redeliver_after_s: float = 300
    """How long an event may stay without proof of reading while the session does nothing else."""
    give_up_after_s: float = 24 * 3600
    """How long after the notice an event without proof counts as lost."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """What to do about events nobody seems to have read, and when to look again."""

    redeliver: tuple[InboxEntry, ...]
    notify: tuple[InboxEntry, ...]
    give_up: tuple[InboxEntry, ...]
    look_again_at: datetime | None


def overdue(
    unproven: Sequence[InboxEntry], now: datetime, active_at: datetime | None, rules: RedeliveryRules
) -> Overdue:
    """Sort unproven entries by what they need: one redelivery, then one notice, then nothing more.

    `active_at` is when the session last did anything we could see: as long as it is at work, an event
    may simply wait for its turn. Times are aware UTC.
    """
    redeliver: list[InboxEntry] = []
    notify: list[InboxEntry] = []
    give_up: list[InboxEntry] = []
    waits: list[datetime] = []
    for entry in unproven:
        if entry.noticed:
            until = (entry.emitted_at or entry.stored_at) + timedelta(seconds=rules.give_up_after_s)
            target = give_up
        else:
            since = max(entry.emitted_at or entry.stored_at, active_at or entry.stored_at)
            until = since + timedelta(seconds=rules.redeliver_after_s)
            target = notify if entry.redelivered else redeliver
        if until <= now:
            target.append(entry)
        else:
            waits.append(until)
    return Overdue(tuple(redeliver), tuple(notify), tuple(give_up), min(waits, default=None))


def orphaned(unproven: Sequence[InboxEntry]) -> tuple[tuple[InboxEntry, ...], tuple[InboxEntry, ...]]:
    """Split what an earlier process had emitted: (to be given again, already given twice)."""
    again = tuple(entry for entry in unproven if not entry.redelivered)
    twice = tuple(entry for entry in unproven if entry.redelivered)
    return again, twice
