"""The Claude Code session of this process: outward what it is given, inward what it calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from telegram_channel.core.events import ChannelEvent
from telegram_channel.core.hooks import HookAnswer, HookCall
from telegram_channel.core.ids import SessionId
from telegram_channel.core.permission import Behavior, PermissionRequest


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it."""

    name: str
    description: str
    input_schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call returns to the model."""

    text: str
    is_error: bool = False


class Session(Protocol):
    """The Claude Code session of this process, outward."""

    @property
    def id(self) -> SessionId: ...

    async def ready(self) -> None:
        """Return once events may be emitted: after the handshake, and the first tools/list or one second."""

    async def emit(self, event: ChannelEvent) -> None:
        """Queue one event for the session, in order."""

    async def drained(self) -> None:
        """Return once everything queued so far was taken by the client's pipe.

        Waits as long as the client does not read. Until then an event is not EMITTED.
        """

    async def tell_verdict(self, request_id: str, behavior: Behavior) -> None:
        """Answer a permission request, ahead of nothing and behind nothing that was queued."""


class SessionListener(Protocol):
    """The bridge, as the session side calls it. Nothing here raises."""

    def tools(self) -> Sequence[ToolSpec]:
        """The listed tools."""

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Carry out a tool call; any failure is a result with `is_error`."""

    async def initialized(self) -> None:
        """The handshake is complete: from now on there may be side effects."""

    async def permission_requested(self, request: PermissionRequest) -> None:
        """The client shows a permission dialog and relays it."""

    async def hook_called(self, call: HookCall) -> HookAnswer:
        """A hook of the client tells something and waits for the answer; any failure is `NoObjection`.

        Answered at once, but for `PermissionAsked`, which may wait for a person. The task is cancelled when
        the client does not wait for the answer any more.
        """
