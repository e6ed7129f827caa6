"""The access book as plain data, for people and programs to read; never a code, hash or salt.

The shape is stable: keys are added, never renamed. Times are ISO 8601 in UTC.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from telegram_channel.core.access import AccessState, Group, PendingPairing, Role, Sender, locked_until
from telegram_channel.core.audit import AuditRow
from telegram_channel.core.scopes import in_order

_ORDER = tuple(Role)


def listing(state: AccessState, now: datetime) -> dict[str, Any]:
    """Who is in, which groups, who waits, and what is open; only what still counts at `now`."""
    people = sorted(state.senders.values(), key=lambda one: (_ORDER.index(one.role), one.since, one.sender))
    locked = {who: locked_until(state, who, now) for who in state.wrong_codes}
    return {
        "policy": state.policy.value,
        "senders": [_person(one) for one in people],
        "groups": [_group(one) for one in state.groups.values()],
        "pending": [_pending(one) for one in state.pending if one.is_live(now)],
        "invitations": [
            {
                "role": one.role.value,
                "made_at": _iso(one.made_at),
                "expires_at": _iso(one.expires_at),
                "only": in_order(one.only),
            }
            for one in state.invitations
            if now < one.expires_at
        ],
        "locked_out": [{"who": who, "until": _iso(until)} for who, until in locked.items() if until],
    }


def audit_listing(rows: Sequence[AuditRow]) -> list[dict[str, str]]:
    """The audit trail, in the order given."""
    return [
        {"at": _iso(row.at), "actor": row.actor, "action": row.action, "subject": row.subject, "detail": row.detail}
        for row in rows
    ]


def _person(one: Sender) -> dict[str, Any]:
    return {
        "id": one.sender,
        "role": one.role.value,
        "name": one.name,
        "since": _iso(one.since),
        "by": one.by,
        "welcomed": one.welcomed,
        "only": in_order(one.only),
    }


def _group(one: Group) -> dict[str, Any]:
    return {
        "id": one.chat,
        "title": one.title,
        "since": _iso(one.since),
        "senders": sorted(one.senders),
        "mention_only": one.mention_only,
        "patterns": list(one.patterns),
    }


def _pending(one: PendingPairing) -> dict[str, Any]:
    return {
        "id": one.sender,
        "name": one.name,
        "asked_at": _iso(one.asked_at),
        "expires_at": _iso(one.expires_at) if one.expires_at else None,
        "code_sent": one.sent,
    }


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
