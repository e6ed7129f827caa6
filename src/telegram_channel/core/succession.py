"""Who takes over from a session that has ended: the first one of the same project that was started after it.

Quitting Claude Code and starting it again in the same project makes a new session. To whoever writes to it from
a phone it is the same one: the topic, what the chat chose, and replies to what the old one said are for the new
one. A session that was there before the other ended is another, and inherits nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from telegram_channel.core.ids import SessionId

CLOCKS_DIFFER = timedelta(seconds=2)
"""How much earlier a process may seem to have been started: the system counts from its boot, in whole seconds."""
MOST_ENDED = 100
"""Sessions of one bot that are remembered after their end."""


@dataclass(frozen=True, slots=True)
class Tenure:
    """When a session worked on what. Times are aware UTC."""

    session: SessionId
    project: str
    """Its project directory; absolute, empty when it is not known."""
    started_at: datetime
    ended_at: datetime | None = None
    """None: it lives."""


def heirs(ended: Iterable[Tenure], living: Iterable[Tenure]) -> Mapping[SessionId, SessionId]:
    """The living session that takes over from each of `ended`, for those that have one.

    A session without a known project has no successor and is nobody's. One that is among the living has not ended,
    whatever else is said of it.
    """
    here = sorted(living, key=lambda one: (one.started_at, one.session))
    alive = {one.session for one in here}
    found: dict[SessionId, SessionId] = {}
    for gone in ended:
        if gone.session in alive or not gone.project or gone.ended_at is None:
            continue
        for one in here:
            if one.project == gone.project and one.started_at >= gone.ended_at - CLOCKS_DIFFER:
                found[gone.session] = one.session
                break
    return found
