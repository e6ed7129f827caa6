"""The state of the bridge in one word and one sentence, and what the poll loop does after each outcome."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never


class BridgeState(StrEnum):
    """What one serve process is doing about its bot."""

    STARTING = "starting"
    UNCONFIGURED = "unconfigured"
    STANDBY = "standby"
    POLLING = "polling"
    RETRYING = "retrying"
    CONFLICT = "conflict"
    BAD_TOKEN = "bad_token"  # noqa: S105 - a state, not a token
    SESSION_SILENT = "session_silent"
    STATE_BROKEN = "state_broken"
    STOPPING = "stopping"

    @property
    def sentence(self) -> str:
        """What it means, for people."""
        return _SENTENCES[self]


_SENTENCES = {
    BridgeState.STARTING: "The server is starting and has not polled yet.",
    BridgeState.UNCONFIGURED: "There is no bot token.",
    BridgeState.STANDBY: "Another process polls this bot, or this session is no channel session; all tools work.",
    BridgeState.POLLING: "Messages are being received.",
    BridgeState.RETRYING: "The last poll failed and is being repeated.",
    BridgeState.CONFLICT: "Another program polls the same bot, or a webhook is set; trying again slowly.",
    BridgeState.BAD_TOKEN: "Telegram does not accept the bot token.",
    BridgeState.SESSION_SILENT: "Messages are received, but the session shows no sign of reading them.",
    BridgeState.STATE_BROKEN: "The stored state cannot be used, so nobody is let in.",
    BridgeState.STOPPING: "The server is stopping.",
}


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What the process that polls (or last polled) said about itself."""

    state: BridgeState
    pid: int
    at: datetime
    problem: str = ""
    """What is wrong and what to do, empty when nothing is."""
    bot_username: str = ""
    last_poll_ok_at: datetime | None = None
    """When a getUpdates call last completed: the only proof of health."""
    last_drained_at: datetime | None = None
    """When the platform last had nothing more for us: everything later arrived after that."""


@dataclass(frozen=True, slots=True)
class PollHealth:
    """What the poll loop knows about itself; `HealthReport` adds whose it is."""

    state: BridgeState = BridgeState.STARTING
    problem: str = ""
    """What is wrong and what to do, empty when nothing is."""
    bot_username: str = ""
    last_poll_ok_at: datetime | None = None
    """When a getUpdates call last completed."""
    last_drained_at: datetime | None = None
    """When one last brought everything there was."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A poll completed and what it brought is stored; `fresh` when it brought something new, or was the first."""

    fresh: bool
    took_s: float


@dataclass(frozen=True, slots=True)
class Conflicted:
    """Another poller or a webhook: 409."""


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """The platform does not know the token: 401 or 404."""


@dataclass(frozen=True, slots=True)
class Flooded:
    """The platform names the time to wait: 429."""

    retry_after_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Anything else between us and the platform; `hung` when not even the HTTP client gave up in time."""

    hung: bool = False


@dataclass(frozen=True, slots=True)
class Unstored:
    """What was fetched could not be stored; it is kept and stored again, and nothing is confirmed meanwhile.

    `broken` when time alone will not mend it: the stored state is unreadable or too new.
    """

    broken: bool = False


PollOutcome = Completed | Conflicted | TokenRefused | Flooded | Failed | Unstored

LEAST_SPACING_S = 1.0
"""Between the starts of two polls when the first brought nothing new: no server makes us spin."""
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
FIRST_CONFLICT_S = 5.0
LONGEST_CONFLICT_S = 60.0
TOKEN_RECHECK_S = 300.0
"""A refused token is tried again this seldom: it may be a fault of the server, and nothing else would tell."""
BROKEN_RECHECK_S = 2.0
"""Looking again costs nothing, and a repair must not have to wait: nothing is received meanwhile."""
REBUILD_AFTER_S = 120.0
"""So long without one completed poll, and the transport is thrown away and built anew."""


@dataclass(frozen=True, slots=True)
class PollState:
    """What the next decision depends on; times in seconds of a monotonic clock."""

    alive_s: float
    """When a poll last completed, or the transport was last built."""
    trouble: PollOutcome | None = None
    """The last outcome, unless it was a completed poll."""
    repeats: int = 0
    """How often in a row that kind of trouble has come."""


@dataclass(frozen=True, slots=True)
class PollStep:
    """What the poll loop does next."""

    state: PollState
    bridge: BridgeState
    wait_s: float
    rebuild: bool = False
    """Whether to build the transport anew before the next poll."""


def after(state: PollState, outcome: PollOutcome, now_s: float, jitter: float) -> PollStep:
    """What one poll means for the next; `jitter` between 0 and 1 keeps many processes from coming at once."""
    repeats = state.repeats + 1 if type(outcome) is type(state.trouble) else 1
    troubled = replace(state, trouble=outcome, repeats=repeats)
    match outcome:
        case Completed(fresh, took_s):
            wait_s = 0.0 if fresh else max(0.0, LEAST_SPACING_S - took_s)
            return PollStep(PollState(alive_s=now_s), BridgeState.POLLING, wait_s)
        case Conflicted():
            wait_s = _doubled(FIRST_CONFLICT_S, repeats, LONGEST_CONFLICT_S)
            return PollStep(troubled, BridgeState.CONFLICT, wait_s)
        case TokenRefused():
            return PollStep(troubled, BridgeState.BAD_TOKEN, TOKEN_RECHECK_S)
        case Flooded(retry_after_s):
            return PollStep(troubled, BridgeState.RETRYING, max(retry_after_s, LEAST_SPACING_S))
        case Failed(hung):
            rebuild = hung or now_s - state.alive_s >= REBUILD_AFTER_S
            if rebuild:
                troubled = replace(troubled, alive_s=now_s)
            return PollStep(troubled, BridgeState.RETRYING, _backoff(repeats, jitter), rebuild)
        case Unstored(broken):
            wait_s = BROKEN_RECHECK_S if broken else _backoff(repeats, jitter)
            return PollStep(troubled, BridgeState.STATE_BROKEN if broken else BridgeState.RETRYING, wait_s)
        case _:
            assert_never(outcome)


def _doubled(first_s: float, repeats: int, longest_s: float) -> float:
    return float(min(longest_s, first_s * 2 ** min(repeats - 1, 16)))


def _backoff(repeats: int, jitter: float) -> float:
    """Between half of the doubled pause and all of it."""
    return _doubled(FIRST_BACKOFF_S, repeats, LONGEST_BACKOFF_S) * (1 + jitter) / 2
