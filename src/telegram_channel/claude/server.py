"""The MCP server of one session; with `streams`, the only file that imports `mcp`.

It answers the `initialize` handshake and nothing newer. A client that first asks `server/discover` (MCP
revision 2026-07-28) is told "method not found" and falls back to `initialize`: only there do the
experimental capabilities exist that make this server a channel. `Server.run()` would accept discover, and
the channel could never register.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.runner import serve_connection
from mcp.shared.dispatcher import coerce_request_id
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp_types import CallToolRequestParams, PaginatedRequestParams, RequestId
from pydantic import BaseModel

from telegram_channel.claude import wire
from telegram_channel.claude.streams import Inbound, Outbound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from telegram_channel.claude.pipe import LineReader, LineWriter
    from telegram_channel.core.events import ChannelEvent
    from telegram_channel.core.ids import SessionId
    from telegram_channel.core.permission import Behavior
    from telegram_channel.ports import Session, SessionListener, ToolSpec

READY_AFTER_S = 1.0
"""A client may begin to listen a moment after the handshake: without a first tools/list, this long."""
FLUSH_S = 0.01
"""How long the end waits for a client that reads slowly."""

logger = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]
T = TypeVar("T")


class ClaudeSession:
    """The session of this process, outward: events and verdicts, in the order they were given.

    When the client is gone, what gives it something or waits for it never returns: nothing may count as
    given to a session that is not there any more, and the process is about to end.
    """

    def __init__(self, session: SessionId, connection: Connection, outbound: Outbound) -> None:
        self._id = session
        self._connection = connection
        self._outbound = outbound
        self._ready = asyncio.Event()

    @property
    def id(self) -> SessionId:
        """The client's own id of the session, or a random one where it gave none."""
        return self._id

    async def ready(self) -> None:
        """Return once events may be emitted: after the handshake, and the first tools/list or one second."""
        await self._ready.wait()

    async def emit(self, event: ChannelEvent) -> None:
        """Queue one event; waits while the client does not read and the queue is full."""
        await self._notify(wire.EVENT_METHOD, wire.event_params(event))

    async def drained(self) -> None:
        """Return once everything queued so far is in the client's pipe."""
        await self._outbound.drained()

    async def tell_verdict(self, request_id: str, behavior: Behavior) -> None:
        """Queue the answer to a permission request behind what is already queued."""
        await self._notify(wire.PERMISSION_METHOD, wire.verdict_params(request_id, behavior))

    async def _notify(self, method: str, params: dict[str, Any]) -> None:
        await self._connection.notify(method, params)
        if not self._outbound.is_open:
            await asyncio.get_running_loop().create_future()

    def mark_ready(self) -> None:
        """Let `ready` return; later calls change nothing."""
        self._ready.set()


class _Params(BaseModel):
    """Accepts any parameters and keeps none: the raw ones are read from the context.

    A plain model, because the SDK's own base for parameters renames keys and would lose `request_id`.
    """


class _Handlers:
    """What the SDK calls, turned into calls of the listener."""

    def __init__(self, session: ClaudeSession, listener: SessionListener, ready_after_s: float) -> None:
        self._session = session
        self._listener = listener
        self._ready_after_s = ready_after_s
        self._initialized = False
        self._running: set[asyncio.Future[Any]] = set()
        self._hooks: dict[RequestId | None, asyncio.Future[str]] = {}

    async def list_tools(self, _context: Context, _params: PaginatedRequestParams | None) -> dict[str, Any]:
        """Answer tools/list; from then on the client listens."""
        try:
            tools = [_listed(tool) for tool in self._listener.tools()]
        except Exception:
            logger.exception("The tools could not be listed.")
            tools = []
        if self._initialized:
            # After the answer has been queued: what is emitted from now on comes behind it.
            asyncio.get_running_loop().call_soon(self._session.mark_ready)
        return {"tools": tools}

    async def call_tool(self, context: Context, params: CallToolRequestParams) -> dict[str, Any]:
        """Answer tools/call, in a task of its own: a caller that goes away does not undo half a send."""
        # Loaded with the first call: before the handshake it would only cost time.
        from telegram_channel.claude import hooks

        if params.name == hooks.TOOL:
            if hooks.MODEL_CALL in ((context.params or {}).get("_meta") or {}):
                return _called(f"No such tool: {params.name}", is_error=True)
            return _called(await self._hook(context.request_id, params.arguments or {}), is_error=False)
        if not self._initialized:
            return _called("The handshake is not complete; try again.", is_error=True)
        return await asyncio.shield(self._start(self._carry_out(params)))

    async def initialized(self, context: Context, _params: _Params) -> None:
        """The client completed the handshake; a second time, or without `initialize`, means nothing."""
        if self._initialized or context.session.client_params is None:
            logger.warning("Ignored a notifications/initialized that completes no handshake.")
            return
        self._initialized = True
        asyncio.get_running_loop().call_later(self._ready_after_s, self._session.mark_ready)
        self._start(_quietly("initialized", self._listener.initialized()))

    async def permission_request(self, context: Context, _params: _Params) -> None:
        """The client relays a permission dialog."""
        try:
            request = wire.permission_request(context.params or {})
        except wire.Malformed as fault:
            logger.warning("Ignored a permission request: %s.", fault)
            return
        if self._initialized:
            self._start(_quietly("permission_requested", self._listener.permission_requested(request)))

    async def cancelled(self, context: Context, _params: _Params) -> None:
        """The client does not wait for an answer any more; only hook calls care."""
        request = (context.params or {}).get("requestId")
        if isinstance(request, str | int) and (hook := self._hooks.get(coerce_request_id(request))):
            hook.cancel()

    async def _hook(self, number: RequestId | None, arguments: Mapping[str, Any]) -> str:
        """Answer a hook call. Nothing that goes wrong with it is an error: it would be in Claude's way."""
        if not self._initialized:
            return ""
        hook = self._start(self._ask(arguments))
        key = None if number is None else coerce_request_id(number)
        self._hooks[key] = hook
        try:
            await asyncio.wait({hook})
        finally:
            # The client is gone, or has its answer: nobody is left to wait for one.
            hook.cancel()
            if self._hooks.get(key) is hook:
                del self._hooks[key]
        return "" if hook.cancelled() else hook.result()

    async def _ask(self, arguments: Mapping[str, Any]) -> str:
        from telegram_channel.claude.hooks import Malformed, hook_output, read_hook

        try:
            call = read_hook(arguments)
            return hook_output(call, await self._listener.hook_called(call))
        except Malformed as fault:
            logger.warning("Ignored a hook call: %s.", fault)
        except Exception:
            logger.exception("A hook call failed.")
        return ""

    async def _carry_out(self, params: CallToolRequestParams) -> dict[str, Any]:
        try:
            result = await self._listener.call_tool(params.name, params.arguments or {})
        except Exception as error:
            # The text of an error may hold anything, so the model is told its kind only.
            logger.exception("The tool %s failed.", params.name)
            return _called(f"The tool failed ({type(error).__name__}); the log says more.", is_error=True)
        return _called(result.text, is_error=result.is_error)

    def _start(self, work: Awaitable[T]) -> asyncio.Future[T]:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


async def serve(
    reader: LineReader,
    writer: LineWriter,
    attach: Callable[[Session], SessionListener],
    *,
    session: SessionId,
    version: str,
    instructions: str,
    stop: asyncio.Event,
    ready_after_s: float = READY_AFTER_S,
) -> None:
    """Serve one client until its input ends or `stop` is set; sets `stop` at the end, too.

    `attach` is given the session's outward side and returns the listener for the inward side; nothing of
    either is used before the client has completed the handshake, but for `tools()`. Tool calls that are
    under way when this returns go on: they end with the process.
    """
    outbound = Outbound(writer)
    dispatcher: JSONRPCDispatcher[Any] = JSONRPCDispatcher(
        Inbound(reader, outbound),
        outbound,
        inline_methods=frozenset({"initialize"}),
        # "signal": a cancelled call is not answered, but what it does is done; hook calls see to themselves.
        peer_cancel_mode="signal",
    )
    connection = Connection.for_loop(dispatcher)
    outward = ClaudeSession(session, connection, outbound)
    server = _server(_Handlers(outward, attach(outward), ready_after_s), version, instructions)
    options = server.create_initialization_options(experimental_capabilities=dict(wire.EXPERIMENTAL))
    running = asyncio.ensure_future(
        serve_connection(server, dispatcher, connection=connection, lifespan_state={}, init_options=options)
    )
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        outbound.close()
        running.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await asyncio.wait({running, stopping})
                await outbound.drained()
        writer.close()
    if running.done() and not running.cancelled():
        running.result()


def _server(handlers: _Handlers, version: str, instructions: str) -> Server[Any]:
    server: Server[Any] = Server(
        wire.SERVER_NAME,
        version=version,
        instructions=instructions,
        on_list_tools=handlers.list_tools,  # type: ignore[arg-type]  # the SDK takes a dict as well as its model
        on_call_tool=handlers.call_tool,  # type: ignore[arg-type]  # the same
    )
    # Spans for every message, with arguments in them: nobody asked for that.
    server.middleware.clear()
    server.add_notification_handler("notifications/initialized", _Params, handlers.initialized)
    server.add_notification_handler("notifications/cancelled", _Params, handlers.cancelled)
    server.add_notification_handler(wire.PERMISSION_REQUEST_METHOD, _Params, handlers.permission_request)
    return server


async def _quietly(name: str, call: Awaitable[None]) -> None:
    try:
        await call
    except Exception:
        logger.exception("The listener's %s failed.", name)


def _listed(tool: ToolSpec) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "inputSchema": dict(tool.input_schema)}


def _called(text: str, *, is_error: bool) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": wire.encodable(text)}], "isError": is_error}
