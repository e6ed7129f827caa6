"""Who is let in: the access book as a value, and the decisions that read it.

Everything fails closed. The empty state admits nobody; an unknown role, chat or policy admits nobody.
Changes made by the operator are in `bridge.admin`, pairing codes in `core.pairing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from telegram_channel.core.ids import ChatId, SenderId


class Role(StrEnum):
    """What a person may do. "May talk" is not "may approve"."""

    OWNER = "owner"
    """Talks, approves; the first person paired."""
    APPROVER = "approver"
    """Talks, approves."""
    SENDER = "sender"
    """Talks."""

    @property
    def may_approve(self) -> bool:
        """Whether permission prompts are shown to, and answered by, this role."""
        return self in (Role.OWNER, Role.APPROVER)


class Policy(StrEnum):
    """What happens to people the book does not know."""

    PAIRING = "pairing"
    """They get a code that the operator may accept."""
    ALLOWLIST = "allowlist"
    """They are ignored. An invitation still works."""
    CLOSED = "closed"
    """They are ignored, and so are invitations."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A person who was let in."""

    sender: SenderId
    role: Role
    name: str
    since: datetime
    by: str
    """How they came in: `pair`, `invite` or `allow`."""
    welcomed: bool = False
    """Whether the bot has greeted them."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group that was opted in. People on the allowlist may always talk there, `senders` as well."""

    chat: ChatId
    title: str
    since: datetime
    senders: frozenset[SenderId] = frozenset()
    mention_only: bool = True
    """Only what names the bot, answers it, or matches a pattern is for it."""
    patterns: tuple[str, ...] = ()
    """Words that call the bot as its @name does; compared as whole words, in any letter case."""


@dataclass(frozen=True, slots=True)
class PendingPairing:
    """A person who asked to come in. The code itself is never stored.

    Without `code_hash` the code is still owed: it is made, hashed and sent by housekeeping.
    """

    sender: SenderId
    name: str
    asked_at: datetime
    code_hash: str = field(default="", repr=False)
    salt: str = field(default="", repr=False)
    expires_at: datetime | None = None
    reminder_owed: bool = False
    reminded: bool = False


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time code that the operator made; whoever sends it with `/start` is let in as `role`."""

    code_hash: str = field(repr=False)
    salt: str = field(repr=False)
    role: Role
    made_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class WrongCodes:
    """Wrong codes since the last right one: what the lockout counts."""

    times: tuple[datetime, ...] = ()
    locked_until: datetime | None = None


def _no_senders() -> Mapping[SenderId, Sender]:
    return MappingProxyType({})


def _no_groups() -> Mapping[ChatId, Group]:
    return MappingProxyType({})


def _no_wrong_codes() -> Mapping[str, WrongCodes]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AccessState:
    """The whole book of one bot."""

    policy: Policy = Policy.PAIRING
    senders: Mapping[SenderId, Sender] = field(default_factory=_no_senders)
    groups: Mapping[ChatId, Group] = field(default_factory=_no_groups)
    pending: tuple[PendingPairing, ...] = ()
    invitations: tuple[Invitation, ...] = ()
    wrong_codes: Mapping[str, WrongCodes] = field(default_factory=_no_wrong_codes)
    """By who typed them: a sender id, or `operator`."""
