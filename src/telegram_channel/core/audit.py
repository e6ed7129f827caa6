"""The audit trail: every access change and every verdict, as a row that says who, what, when and how."""

from dataclasses import dataclass
from datetime import datetime

OPERATOR = "operator"
"""The actor of a change made in the terminal, where there is no sender id."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One thing that was done. Nothing a sender wrote is ever in it."""

    at: datetime
    actor: str
    """A sender id, `operator`, or `bridge` for what happened by itself."""
    action: str
    """A verb: `pair`, `allow`, `remove`, `role`, `policy`, `group_add`, `invite`, `verdict`, …"""
    subject: str
    """Whom or what it is about: a sender id, a chat id, a request id."""
    detail: str = ""
