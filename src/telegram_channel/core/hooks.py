"""What the client tells us through its hooks, and what may be answered: values without any JSON.

A hook call is in-process and waited for: Claude does nothing meanwhile. So every answer but that to a
permission question is given at once. An answer can only ever hold something back or answer a question that
the client asked; it never starts anything.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from telegram_channel.core.permission import Suggestion


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool by the model. All of it is untrusted text."""

    tool: str
    """The tool's name, such as `Bash` or `mcp__server__tool`."""
    input: str
    """Its whole input as JSON text."""
    use: str = ""
    """The client's id of this call; empty where the hook names none."""
    agent: str = ""
    """The subagent that calls; empty for the main conversation."""

    def fields(self) -> Mapping[str, object]:
        """The input's fields; none when it is no JSON object."""
        try:
            value = json.loads(self.input)
        except (ValueError, RecursionError):
            value = None
        return MappingProxyType(value) if isinstance(value, dict) else MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PromptSubmitted:
    """A turn begins with this text: typed in the terminal, or channel events as `<channel …>` tags.

    Or it joins the turn in flight: then `turn` is that of the prompt before (seen: client 2.1.328).
    """

    prompt: str
    turn: str = ""
    """The client's id of the turn; empty where it names none."""

    @property
    def is_by_itself(self) -> bool:
        """Whether nobody asked: a task in the background has ended (seen: client 2.1.328)."""
        return self.prompt.lstrip().startswith("<task-notification>")


@dataclass(frozen=True, slots=True)
class ToolStarting:
    """The model wants to call a tool; nothing has happened yet. Never fires for what the operator types."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """A tool call is over: it ran (`ok`), failed, or was interrupted."""

    call: ToolCall
    ok: bool


@dataclass(frozen=True, slots=True)
class ToolDenied:
    """The client itself refused a tool call."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class PermissionAsked:
    """The terminal shows a permission dialog, with these further choices beside yes and no."""

    call: ToolCall
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The main conversation has nothing more to do."""

    last_words: str = ""
    """Claude's final text, in Markdown."""
    again: bool = False
    """Whether some hook has already made this turn go on after its end."""
    left_behind: int = 0
    """How many of its tasks still run in the background, as far as the client says."""


@dataclass(frozen=True, slots=True)
class TextShown:
    """A piece of Claude's text, as the terminal shows it while it is written."""

    message: str
    """The same for all pieces of one text."""
    index: int
    """0, 1, 2, … within the text."""
    delta: str
    final: bool


@dataclass(frozen=True, slots=True)
class AttentionWanted:
    """The terminal waits for somebody."""

    text: str
    kind: str = ""
    """What it waits for, such as `permission_prompt` or `idle_prompt`; empty where the client does not say."""


HookCall = (
    PromptSubmitted
    | ToolStarting
    | ToolEnded
    | ToolDenied
    | PermissionAsked
    | TurnEnded
    | TextShown
    | AttentionWanted
)


@dataclass(frozen=True, slots=True)
class NoObjection:
    """The client goes on as if there were no hook."""


@dataclass(frozen=True, slots=True)
class RefuseTool:
    """The call that is starting must not happen; `reason` is for the model."""

    reason: str
    ends_turn: bool = False
    """Whether the whole turn ends with it."""


@dataclass(frozen=True, slots=True)
class GrantPermission:
    """The dialog is answered with yes."""

    updates: tuple[str, ...] = ()
    """JSON text of those of the client's own suggestions that are accepted as well."""


@dataclass(frozen=True, slots=True)
class DenyPermission:
    """The dialog is answered with no; `message` is for the model."""

    message: str


HookAnswer = NoObjection | RefuseTool | GrantPermission | DenyPermission
