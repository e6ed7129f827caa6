"""A Claude Code session as the server sees it: spawns `serve`, speaks MCP over its two pipes, plays no tricks.

The demo and the tests use it where the real client would be. It sends what client 2.1.328 sends, in the
same order (`server/discover` first), and keeps everything it receives.
"""

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

EVENT = "notifications/claude/channel"
REQUEST = "notifications/claude/channel/permission_request"
VERDICT = "notifications/claude/channel/permission"
REVISION = "2025-11-25"
_LONGEST_LINE_BYTES = 1 << 24
_PREFIX = "io.modelcontextprotocol/"
_CLIENT = {"name": "claude-code", "title": "Claude Code", "version": "2.1.328"}
_CAPABILITIES: Mapping[str, Any] = {"roots": {"listChanged": True}, "elicitation": {"form": {}, "url": {}}}

_HOOKS = Path(__file__).parents[3] / "hooks" / "hooks.json"
"""The plugin's own file: it lies beside `src` wherever the plugin is installed."""
_FIELD = re.compile(r"\$\{([\w.]+)\}")

SERVE = (sys.executable, "-m", "telegram_channel", "serve")
"""The production server, by the same interpreter."""


class SessionEnded(Exception):
    """The server is gone, or did not do what was waited for in time."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool call returned."""

    text: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """One channel event, as it came over the pipe."""

    content: str
    meta: Mapping[str, str]


def hook_calls(event: str, fields: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """What the client calls at an event, as hooks.json says: tools, and arguments with every `${field}` filled in.

    Strings stay as they are, everything else becomes JSON text, and what is missing an empty string.
    """
    groups = json.loads(_HOOKS.read_text("utf-8"))["hooks"].get(event, [])

    def value(path: str) -> str:
        found: Any = {"hook_event_name": event, **fields}
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        if found is None or isinstance(found, str):
            return found or ""
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"))

    return [
        (hook["tool"], {name: _FIELD.sub(lambda one: value(one[1]), given) for name, given in hook["input"].items()})
        for group in groups
        for hook in group["hooks"]
    ]


class ScriptedSession:
    """One server process and the conversation with it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.received: list[dict[str, Any]] = []
        """Every message of the server, in order."""
        self.stray: list[bytes] = []
        """Every line on stdout that is no message."""
        self.errors = b""
        """What the server wrote to stderr."""
        self._news = asyncio.Condition()
        self._ended = False
        self._next_id = 0
        self._reading = asyncio.create_task(self._read())
        self._reading_errors = asyncio.create_task(self._read_errors())

    @classmethod
    async def start(cls, env: Mapping[str, str], command: Sequence[str] = SERVE, cwd: Path | None = None) -> Self:
        """Spawn a server; nothing is said to it yet."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            limit=_LONGEST_LINE_BYTES,
        )
        return cls(process)

    @classmethod
    async def connected(cls, env: Mapping[str, str], command: Sequence[str] = SERVE, cwd: Path | None = None) -> Self:
        """Spawn a server, shake hands and list its tools, as the client does."""
        session = await cls.start(env, command, cwd)
        await session.handshake()
        await session.tools()
        return session

    async def handshake(self, *, discover: bool = True) -> dict[str, Any]:
        """Connect; returns the result of `initialize`."""
        if discover:
            meta = {
                f"{_PREFIX}protocolVersion": "2026-07-28",
                f"{_PREFIX}clientInfo": _CLIENT,
                f"{_PREFIX}clientCapabilities": _CAPABILITIES,
            }
            answer = await self.request("server/discover", {"_meta": meta})
            if "error" not in answer:
                raise SessionEnded("the server accepted server/discover, so the channel could never register")
        answer = await self.request(
            "initialize", {"protocolVersion": REVISION, "clientInfo": _CLIENT, "capabilities": _CAPABILITIES}
        )
        if "result" not in answer:
            raise SessionEnded(f"the server refused to initialize: {answer}")
        await self.send({"method": "notifications/initialized"})
        result: dict[str, Any] = answer["result"]
        return result

    async def tools(self) -> list[dict[str, Any]]:
        """The listed tools."""
        answer = await self.request("tools/list", {})
        tools: list[dict[str, Any]] = answer["result"]["tools"]
        return tools

    async def call(self, tool: str, /, timeout_s: float = 20, **arguments: Any) -> ToolAnswer:
        """Call a tool, as the model does."""
        answer = await self.request("tools/call", {"name": tool, "arguments": arguments}, timeout_s)
        if "error" in answer:
            return ToolAnswer(str(answer["error"].get("message")), is_error=True)
        result = answer["result"]
        return ToolAnswer("\n".join(part.get("text", "") for part in result["content"]), bool(result.get("isError")))

    async def hook(self, event: str, /, timeout_s: float = 20, **fields: Any) -> dict[str, Any] | None:
        """Reach an event, as the client does; returns the hook's output, None when it has nothing to say.

        `fields` are those of the hook's own JSON, such as `tool_name` and `tool_input` (a dict).
        """
        return await self.hook_answer(await self.begin_hook(event, **fields), timeout_s)

    async def begin_hook(self, event: str, /, **fields: Any) -> int:
        """The same without waiting; returns the number of the call, for `hook_answer` and `cancel`.

        Raises:
            SessionEnded: the plugin has no hook for this event.
        """
        calls = hook_calls(event, fields)
        if len(calls) != 1:
            raise SessionEnded(f"hooks.json has {len(calls)} hooks for {event}, not one")
        tool, arguments = calls[0]
        return await self.begin("tools/call", {"name": tool, "arguments": arguments})

    async def hook_answer(self, number: int, timeout_s: float = 20) -> dict[str, Any] | None:
        """Wait for the output of a hook that was begun.

        Raises:
            SessionEnded: it did not come in time, or is an error, which a hook's answer must never be.
        """
        answer = await self.answer(number, timeout_s)
        result = answer.get("result")
        if result is None or result.get("isError"):
            raise SessionEnded(f"a hook was answered with an error: {answer}")
        text = "".join(part["text"] for part in result["content"])
        output: dict[str, Any] | None = json.loads(text) if text else None
        return output

    def answered(self, number: int) -> bool:
        """Whether the answer to a request has come."""
        return any(one.get("id") == number and "method" not in one for one in self.received)

    async def cancel(self, number: int) -> None:
        """Wait no longer for the answer to a request, and say so."""
        await self.send({"method": "notifications/cancelled", "params": {"requestId": number}})

    async def ask_permission(
        self, request_id: str, tool: str, description: str, tool_input: Mapping[str, Any]
    ) -> None:
        """Relay a permission dialog, as the client does."""
        params = {
            "request_id": request_id,
            "tool_name": tool,
            "description": description,
            "input_preview": json.dumps(tool_input, ensure_ascii=False),
        }
        await self.send({"method": REQUEST, "params": params})

    def verdicts(self, request_id: str) -> list[str]:
        """Every verdict that came for a request, in order."""
        return [
            message["params"]["behavior"]
            for message in self.received
            if message.get("method") == VERDICT and message["params"]["request_id"] == request_id
        ]

    async def verdict(self, request_id: str, timeout_s: float = 10) -> str:
        """The first verdict for a request."""
        await self.until(lambda: bool(self.verdicts(request_id)), timeout_s, f"a verdict for {request_id}")
        return self.verdicts(request_id)[0]

    def events(self) -> list[ReceivedEvent]:
        """Every event so far, in order."""
        return [
            ReceivedEvent(message["params"]["content"], message["params"]["meta"])
            for message in self.received
            if message.get("method") == EVENT
        ]

    async def event(self, text: str, timeout_s: float = 10, *, number: int = 1) -> ReceivedEvent:
        """The first event whose content contains `text`, or the `number`-th."""

        def found() -> list[ReceivedEvent]:
            return [event for event in self.events() if text in event.content]

        await self.until(lambda: len(found()) >= number, timeout_s, f"event {number} with {text!r}")
        return found()[number - 1]

    async def until(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Wait until something was received that makes `condition` true.

        Raises:
            SessionEnded: it never came, or the server is gone.
        """
        try:
            async with asyncio.timeout(timeout_s), self._news:
                await self._news.wait_for(lambda: condition() or self._ended)
        except TimeoutError:
            raise SessionEnded(f"{what} did not come within {timeout_s} s\n{self._last_words()}") from None
        if not condition():
            raise SessionEnded(f"the server ended before {what}\n{self._last_words()}")

    async def request(self, method: str, params: Mapping[str, Any], timeout_s: float = 20) -> dict[str, Any]:
        """Send a request; returns the whole answer message."""
        return await self.answer(await self.begin(method, params), timeout_s, method)

    async def begin(self, method: str, params: Mapping[str, Any]) -> int:
        """Send a request; returns its number."""
        number, self._next_id = self._next_id, self._next_id + 1
        await self.send({"id": number, "method": method, "params": params})
        return number

    async def answer(self, number: int, timeout_s: float = 20, what: str = "a request") -> dict[str, Any]:
        """Wait for the whole answer message to a request."""
        await self.until(lambda: self.answered(number), timeout_s, f"an answer to {what}")
        return next(one for one in self.received if one.get("id") == number and "method" not in one)

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send one message; a server that is gone is found out by whoever waits for an answer."""
        await self.send_raw(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        stdin = self.process.stdin
        with contextlib.suppress(ConnectionError, RuntimeError):
            if stdin:
                stdin.write(data)
                await stdin.drain()

    async def end_input(self, timeout_s: float = 5) -> int:
        """Close the server's stdin, as when the client is gone, and wait for its exit code."""
        if self.process.stdin:
            self.process.stdin.close()
        return await self.exit_code(timeout_s)

    async def exit_code(self, timeout_s: float = 5) -> int:
        """Wait for the server's end."""
        try:
            return await asyncio.wait_for(self.process.wait(), timeout_s)
        except TimeoutError:
            raise SessionEnded(f"the server is still there after {timeout_s} s\n{self._last_words()}") from None

    async def kill(self) -> None:
        """kill -9, and read what is left in the pipes."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await asyncio.wait({self._reading, self._reading_errors}, timeout=2)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            try:
                await self.end_input(2)
            except SessionEnded:
                await self.kill()
        for task in (self._reading, self._reading_errors):
            task.cancel()

    async def _read(self) -> None:
        stdout = self.process.stdout
        while stdout and (line := await stdout.readline()):
            try:
                message = json.loads(line)
            except ValueError:
                message = None
            async with self._news:
                if isinstance(message, dict) and message.get("jsonrpc") == "2.0":
                    self.received.append(message)
                else:
                    self.stray.append(line)
                self._news.notify_all()
        async with self._news:
            self._ended = True
            self._news.notify_all()

    async def _read_errors(self) -> None:
        stderr = self.process.stderr
        while stderr and (chunk := await stderr.read(4096)):
            self.errors += chunk

    def _last_words(self) -> str:
        return self.errors.decode("utf-8", "replace")[-2000:]
