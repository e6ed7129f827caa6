"""The state of the bridge in one word and one sentence, and what the poll loop does after each outcome."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
