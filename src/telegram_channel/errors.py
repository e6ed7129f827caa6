"""Everything this program raises on purpose, classed by what the caller should do.

ChannelError                    has a sentence for people (`str`) and a `remedy`: what to do next
├── ConfigurationError          a setting is missing or wrong; a person mends it, a retry does not
│   └── NoToken                 no bot token was given
├── StateError                  the state directory cannot be used; nothing is admitted meanwhile
│   ├── StateUnreadable         corrupt, or not ours: never an open door
│   ├── StateTooNew             written by a newer version of this program
│   └── StateUnwritable         disk full, read-only, no permission: may pass; retry later
├── ChatError                   the chat platform refused or failed
│   ├── BadToken                401 or 404 for the bot itself: stop polling until it is replaced
│   ├── PollingConflict         409: another poller or a webhook; back off, never fight
│   ├── FloodWait               429: wait `retry_after_s`, then the same call may be repeated
│   ├── ChatClosed              403, or the chat is gone: do not write there until it writes to us
│   ├── ChatMoved               the group became a supergroup with another id
│   ├── BadRequest              400: the same call will fail again
│   │   └── TopicGone           the topic was deleted or is closed; the chat itself is fine
│   ├── Unreachable             the request was certainly not carried out: safe to repeat
│   └── Ambiguous               it may have been carried out: never repeat a send blindly
├── AccessError                 an operator's change to the access book cannot be made
└── ToolError                   a tool call cannot be carried out; the text is for the model

A message never contains the token: whoever builds one from foreign text redacts it first.
"""

from typing import TypeVar, cast

E = TypeVar("E", bound=BaseException)


class ChannelError(Exception):
    """The base: `str()` is one sentence that says what happened, `remedy` one that says what to do."""

    default_remedy = ""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy or self.default_remedy

    def explained(self) -> str:
        """The message followed by the remedy, for people."""
        return f"{self} {self.remedy}".strip()


class ConfigurationError(ChannelError):
    """A setting is missing or wrong."""


class NoToken(ConfigurationError):
    """No bot token was given."""

    default_remedy = (
        "Create a bot with @BotFather, then run `telegram-channel configure` in a terminal, "
        "or set the token in the plugin's options and restart the session."
    )


class StateError(ChannelError):
    """The state directory cannot be used."""


class StateUnreadable(StateError):
    """Stored state is corrupt or not ours."""

    default_remedy = "Nobody is admitted until it is repaired: move the file away or restore a copy."


class StateTooNew(StateError):
    """Stored state was written by a newer version."""

    default_remedy = "Update the plugin, or point TELEGRAM_STATE_DIR at another directory."


class StateUnwritable(StateError):
    """Stored state cannot be changed right now: disk full, read-only, locked for too long."""

    default_remedy = "Free some space or make the state directory writable; nothing was lost, work goes on then."


class ChatError(ChannelError):
    """The chat platform refused or failed."""


class BadToken(ChatError):
    """The platform does not know this token."""

    default_remedy = (
        "Run `telegram-channel configure` with the current token from @BotFather; it is picked up by itself. "
        "Where the token comes from the environment or the plugin's options, change it there and restart the session."
    )


class PollingConflict(ChatError):
    """Another program polls the same bot, or a webhook is set."""

    default_remedy = "Stop the other program that uses this bot, or give this one a bot of its own."


class FloodWait(ChatError):
    """Too many requests; the same call may be repeated after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ChatClosed(ChatError):
    """The bot was blocked, removed, or the chat is gone."""

    default_remedy = "The other side has to write to the bot, or add it to the group, again."


class ChatMoved(ChatError):
    """The group became a supergroup; `new_chat` is its id now."""

    def __init__(self, message: str, new_chat: str) -> None:
        super().__init__(message)
        self.new_chat = new_chat


class BadRequest(ChatError):
    """The call is wrong; repeating it fails again."""


class TopicGone(BadRequest):
    """The topic does not exist any more, or is closed for the bot; the rest of the chat is not concerned."""


class Unreachable(ChatError):
    """The request was certainly not carried out; repeating it is safe."""


class Ambiguous(ChatError):
    """The request may have been carried out; repeating a send could double it."""


class AccessError(ChannelError):
    """An operator's change to the access book cannot be made."""


class ToolError(ChannelError):
    """A tool call cannot be carried out; the text tells the model what to do instead."""


def first_of(fault: BaseException, kind: type[E]) -> E | None:
    """The first error of a kind in a fault, which may be a group of errors; None when there is none."""
    if isinstance(fault, kind):
        return fault
    if isinstance(fault, BaseExceptionGroup):
        members = cast("BaseExceptionGroup[BaseException]", fault).exceptions
        return next((found for one in members if (found := first_of(one, kind)) is not None), None)
    return None
