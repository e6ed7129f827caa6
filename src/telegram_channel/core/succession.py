"""Who takes over from a session that has ended: the next one of the same project.

Quitting Claude Code and starting it again in the same project makes a new session. To whoever writes to it from
a phone it is the same one: the topic, what the chat chose, and replies to what the old one said are for the new
one. A session that was there before the other ended is another, and inherits nothing, also when its server is
started anew. Who has taken over from whom is decided once, and remembered.
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
class Begun:
    """A session, what it works on, and since when."""

    session: SessionId
    project: str
    """Its project directory; absolute, empty when it is not known."""
    at: datetime
    """When its first process was started; aware UTC."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A session, what it worked on, and until when."""

    session: SessionId
    project: str
    """Its project directory; absolute, empty when it is not known."""
    at: datetime
    """When its last process left; aware UTC."""


def takes_over(new: Begun, gone: Ended) -> bool:
    """Whether a session may take over from one that has ended. Of no known project, none does."""
    return (
        new.session != gone.session
        and bool(gone.project)
        and new.project == gone.project
        and new.at >= gone.at - CLOCKS_DIFFER
    )


def heir_of(gone: Ended, living: Iterable[Begun]) -> SessionId | None:
    """Who takes over from a session that ends: of those that may, whoever began first."""
    may = sorted((one.at, one.session) for one in living if takes_over(one, gone))
    return may[0][1] if may else None


def heirs(ended: Mapping[SessionId, SessionId | None]) -> Mapping[SessionId, SessionId]:
    """Who stands now for each session that has ended and has a heir: the last of the line, living or not.

    `ended` are the heirs of all sessions that have ended, as they were decided.
    """
    found: dict[SessionId, SessionId] = {}
    for gone in ended:
        line = [gone]
        while (heir := ended.get(line[-1])) is not None and heir not in line:
            line.append(heir)
        if len(line) > 1:
            found[gone] = line[-1]
    return found
