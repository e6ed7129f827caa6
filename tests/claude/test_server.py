"""The session side as a client sees it: handshake, tools, events, permission requests, and any kind of junk."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from telegram_channel.claude import wire
from telegram_channel.core.events import ChannelEvent
from telegram_channel.core.permission import Behavior, PermissionRequest
from telegram_channel.ports import ToolResult, ToolSpec
from tests.claude.client import (
    DISCOVER,
    INITIALIZED,
    LONG_ENOUGH_S,
    Client,
    RecordingListener,
    cancelling,
    connected,
    connected_to,
    initialize,
    request,
    tool_call,
)

REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]
EXPERIMENTAL: dict[str, dict[str, Any]] = {"claude/channel": {}, "claude/channel/permission": {}}
REQUEST = {"request_id": "abcde", "tool_name": "Bash", "description": "Run it", "input_preview": "{}"}


def permission_request(**changes: Any) -> dict[str, Any]:
    params = {**REQUEST, **changes}
    return {"jsonrpc": "2.0", "method": wire.PERMISSION_REQUEST_METHOD, "params": params}


def session_of(client: Client) -> Any:
    assert client.session is not None
    return client.session


# The handshake


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("discovers", [False, True], ids=["initialize-first", "discover-first"])
@pytest.mark.parametrize("pipelined", [False, True], ids=["step-by-step", "pipelined"])
async def test_the_channel_is_declared_to_every_client(revision: str, discovers: bool, pipelined: bool) -> None:
    """MUST C10: every client, whatever it asks first, is offered the handshake in which channels exist."""
    async with connected() as client:
        opening = [DISCOVER, initialize(revision)] if discovers else [initialize(revision)]
        if pipelined:
            await client.send(*opening, INITIALIZED, request(2, "tools/list"))
            first = await client.answer("discover-1") if discovers else None
            result = (await client.answer(1))["result"]
        else:
            first = None
            if discovers:
                await client.send(opening[0])
                first = await client.answer("discover-1")
            await client.send(opening[-1])
            result = (await client.answer(1))["result"]
            await client.send(INITIALIZED, request(2, "tools/list"))
        assert first is None or first["error"]["code"] == -32601
        assert result["capabilities"]["experimental"] == EXPERIMENTAL
        assert "tools" in result["capabilities"]
        assert result["serverInfo"] == {"name": "telegram", "version": "1.2.3"}
        assert result["instructions"] == "Answer with the reply tool."
        # The revision of per-request envelopes has no channels: the newest one with a handshake instead.
        assert result["protocolVersion"] == (revision if revision != "2026-07-28" else "2025-11-25")
        listed = (await client.answer(2))["result"]
        assert [tool["name"] for tool in listed["tools"]] == ["reply"]
        async with asyncio.timeout(LONG_ENOUGH_S):
            await client.listener.complete.wait()


async def test_nothing_is_begun_before_the_handshake_is_complete() -> None:
    """MUST C11: nothing happens before notifications/initialized."""
    async with connected() as client:
        await client.send(INITIALIZED)
        await client.ping()
        await client.send(initialize(), tool_call(2, "reply", text="early"), permission_request())
        answer = (await client.answer(2))["result"]
        await client.ping()
        assert answer["isError"]
        assert "handshake" in answer["content"][0]["text"]
        assert (client.listener.handshakes, client.listener.calls) == (0, [])
        assert client.listener.requests.empty()


async def test_a_handshake_is_completed_once() -> None:
    async with connected() as client:
        await client.shake_hands()
        await client.send(INITIALIZED, INITIALIZED)
        await client.ping()
        assert client.listener.handshakes == 1


# Tools


async def test_tools_are_listed_as_they_are_described() -> None:
    async with connected() as client:
        await client.shake_hands()
        await client.send(request(2, "tools/list"))
        schema = {"type": "object", "properties": {"text": {"type": "string"}}}
        assert (await client.answer(2))["result"] == {
            "tools": [{"name": "reply", "description": "Send a message.", "inputSchema": schema}]
        }


async def test_a_tool_call_reaches_the_listener_and_its_result_the_client() -> None:
    async with connected() as client:
        await client.shake_hands()
        await client.send(tool_call(2, "reply", text="hi"), request(3, "tools/call", name="not_listed"))
        assert (await client.answer(2))["result"] == {
            "content": [{"type": "text", "text": 'reply {"text": "hi"}'}],
            "isError": False,
        }
        assert (await client.answer(3))["result"]["content"][0]["text"] == "not_listed {}"


class Failing(RecordingListener):
    def tools(self) -> Sequence[ToolSpec]:
        raise RuntimeError("secret 123456:token")

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        raise RuntimeError("secret 123456:token")

    async def initialized(self) -> None:
        await super().initialized()
        raise RuntimeError("secret 123456:token")

    async def permission_requested(self, request: PermissionRequest) -> None:
        await super().permission_requested(request)
        raise RuntimeError("secret 123456:token")


async def test_an_error_in_the_bridge_never_reaches_the_client_verbatim() -> None:
    """MUST C12: the text of an unexpected error never reaches the model."""
    async with connected(Failing()) as client:
        await client.shake_hands()
        await client.send(tool_call(2, "reply"), request(3, "tools/list"), permission_request())
        called, listed = await client.answer(2), await client.answer(3)
        await client.ping()
        assert called["result"]["isError"]
        assert "RuntimeError" in called["result"]["content"][0]["text"]
        assert listed["result"] == {"tools": []}
        assert "123456" not in json.dumps([called, listed, client.unread])


class Slow(RecordingListener):
    """Its calls wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = asyncio.Event()
        self.let_go = asyncio.Event()
        self.carried_out = asyncio.Event()

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        self.entered.set()
        await self.let_go.wait()
        self.carried_out.set()
        return await super().call_tool(name, arguments)


async def test_a_cancelled_call_is_carried_out_and_not_answered() -> None:
    """MUST C13: a cancelled call does not interrupt a send under way."""
    listener = Slow()
    async with connected(listener) as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        await client.send(tool_call(2, "reply", text="once"))
        await listener.entered.wait()
        await client.send(cancelling(2))
        await client.ping()
        listener.let_go.set()
        await listener.carried_out.wait()
        await client.ping()
        assert listener.calls == [("reply", {"text": "once"})]
        assert not [message for message in client.unread if message.get("id") == 2]


async def test_a_call_under_way_goes_on_when_the_client_leaves() -> None:
    listener = Slow()
    async with connected(listener) as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        await client.send(tool_call(2, "reply"))
        await listener.entered.wait()
        client.hang_up()
        await client.stop.wait()
        listener.let_go.set()
        await listener.carried_out.wait()


async def test_a_slow_call_holds_up_no_other() -> None:
    listener = Slow()
    async with connected(listener) as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        await client.send(tool_call(2, "reply"))
        await listener.entered.wait()
        await client.send(request(3, "tools/list"))
        assert "result" in await client.answer(3)
        listener.let_go.set()
        assert "result" in await client.answer(2)


# Events and verdicts


async def test_the_session_is_ready_after_the_handshake_and_a_list_of_tools() -> None:
    """MUST C14: events are emitted only when the client has had the time to begin listening."""
    async with connected() as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.ping()
        ready = asyncio.create_task(session_of(client).ready())
        await client.shake_hands()
        await client.ping()
        assert not ready.done()
        await client.send(request(2, "tools/list"))
        await ready
        await session_of(client).emit(ChannelEvent("first", {}))
        assert (await client.receive())["id"] == 2
        assert (await client.receive())["params"]["content"] == "first"


async def test_a_client_that_never_lists_tools_is_ready_a_moment_later() -> None:
    async with connected(ready_after_s=0.0) as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        await session_of(client).ready()


async def test_events_and_verdicts_arrive_in_the_order_they_were_given() -> None:
    """MUST C15: the order of events and verdicts is kept."""
    async with connected() as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        session = session_of(client)
        for number in range(200):
            await session.emit(ChannelEvent(f"text {number}", {"chat_id": "1001", "message_id": str(number)}))
        await session.tell_verdict("abcde", Behavior.DENY)
        await session.emit(ChannelEvent("last", {}))
        await session.drained()
        got = [await client.receive() for _ in range(202)]
        assert [one["params"]["content"] for one in got[:200]] == [f"text {number}" for number in range(200)]
        assert got[7] == {
            "jsonrpc": "2.0",
            "method": "notifications/claude/channel",
            "params": {"content": "text 7", "meta": {"chat_id": "1001", "message_id": "7"}},
        }
        assert got[200] == {
            "jsonrpc": "2.0",
            "method": "notifications/claude/channel/permission",
            "params": {"request_id": "abcde", "behavior": "deny"},
        }
        assert got[201]["params"] == {"content": "last", "meta": {}}


async def test_events_wait_for_a_client_that_does_not_read() -> None:
    """MUST C16: an event is never dropped because the client reads slowly."""
    async with connected() as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        session = session_of(client)
        content = "x" * 100_000

        async def emit_all() -> None:
            for number in range(100):
                await session.emit(ChannelEvent(content, {"message_id": str(number)}))
            await session.drained()

        emitting = asyncio.create_task(emit_all())
        await asyncio.wait({emitting}, timeout=0.1)
        assert not emitting.done()
        got = [await client.notification(wire.EVENT_METHOD) for _ in range(100)]
        await emitting
        assert [one["meta"]["message_id"] for one in got] == [str(number) for number in range(100)]


async def test_an_event_for_a_client_that_is_gone_never_counts_as_written() -> None:
    client = Client(RecordingListener())
    client.stop_reading()
    async with connected_to(client), asyncio.timeout(LONG_ENOUGH_S):
        await client.send(initialize(), INITIALIZED)
        await client.stop.wait()
        session = session_of(client)
        waiting = {
            asyncio.create_task(session.drained()),
            asyncio.create_task(session.emit(ChannelEvent("too late", {}))),
            asyncio.create_task(session.tell_verdict("abcde", Behavior.ALLOW)),
        }
        done, _ = await asyncio.wait(waiting, timeout=0.05)
        assert not done
        for one in waiting:
            one.cancel()


# Permission requests


async def test_a_relayed_permission_request_reaches_the_listener() -> None:
    async with connected() as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        await client.send(permission_request(request_id="ABCDe"))
        got = await client.listener.requests.get()
        assert got == PermissionRequest("ABCDe", "Bash", "Run it", "{}")


@pytest.mark.parametrize(
    "params",
    [
        None,
        {},
        {**REQUEST, "request_id": "abcle"},
        {**REQUEST, "request_id": 5},
        {**REQUEST, "input_preview": {"a": 1}},
        {key: value for key, value in REQUEST.items() if key != "tool_name"},
    ],
)
async def test_a_malformed_permission_request_is_ignored(params: dict[str, Any] | None) -> None:
    """MUST C17: a malformed permission request is ignored."""
    async with connected() as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        message = {"jsonrpc": "2.0", "method": wire.PERMISSION_REQUEST_METHOD}
        await client.send(message if params is None else {**message, "params": params})
        await client.send(permission_request(request_id="vwxyz"))
        assert (await client.listener.requests.get()).request_id == "vwxyz"


# Junk

JUNK = {
    "text": b"hello?\n",
    "half a message": b'{"jsonrpc": "2.0", "id": 9\n',
    "no object": b"7\n",
    "null": b"null\n",
    "a batch": json.dumps([request(8, "ping"), request(9, "tools/list")]).encode() + b"\n",
    "an empty batch": b"[]\n",
    "another version": b'{"jsonrpc": "1.0", "id": 9, "method": "ping"}\n',
    "no method": b'{"jsonrpc": "2.0", "id": 9}\n',
    "an answer to nothing": b'{"jsonrpc": "2.0", "id": 99, "result": {}}\n',
    "an error to nothing": b'{"jsonrpc": "2.0", "id": null, "error": {"code": 1, "message": "x"}}\n',
    "bytes that are no UTF-8": b'{"jsonrpc": "2.0", "method": "\xff\xfe"}\n',
    "half a character": b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}\n',
    "zeros": b"\0" * 5000 + b"\n",
    "blank lines": b"\n\r\n   \n",
    "a byte order mark": b"\xef\xbb\xbf{}\n",
    "deep nesting": b"[" * 100_000 + b"\n",
    "a deep message": b'{"jsonrpc":"2.0","method":"x","params":' + b'{"a":' * 5000 + b"1" + b"}" * 5001 + b"\n",
    "a huge number": b'{"jsonrpc": "2.0", "id": ' + b"9" * 5000 + b', "method": "ping"}\n',
    "a huge line": b'{"jsonrpc": "2.0", "method": "x", "params": {"a": "' + b"y" * 3_000_000 + b'"}}\n',
    "an unknown notification": b'{"jsonrpc": "2.0", "method": "notifications/of/tomorrow", "params": {"a": 1}}\n',
    "cancelling nothing": b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77}}\n',
    "cancelling nonsense": b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[]}}\n',
    "progress of nothing": b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}\n',
}


async def test_a_call_with_half_a_character_is_carried_out() -> None:
    """MUST C22: text that has no UTF-8 is repaired, not refused."""
    async with connected() as client:
        await client.shake_hands()
        call = json.dumps(tool_call(2, "reply", text="cut \ud83d")).encode() + b"\n"
        assert b"\\ud83d" in call
        await client.send_raw(call)
        assert not (await client.answer(2))["result"]["isError"]


@pytest.mark.parametrize("junk", list(JUNK.values()), ids=list(JUNK))
@pytest.mark.parametrize("shaken", [False, True], ids=["before-the-handshake", "after-it"])
async def test_junk_ends_no_session(junk: bytes, shaken: bool) -> None:
    """MUST C18: junk on stdin is skipped and the session goes on."""
    async with connected() as client:
        if shaken:
            await client.shake_hands()
        await client.send_raw(junk + junk)
        if not shaken:
            await client.shake_hands()
        await client.send(tool_call(2, "reply", text="still here"))
        assert not (await client.answer(2))["result"]["isError"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("tomorrow/method", {}, -32601),
        ("resources/list", {}, -32601),
        ("server/discover", {}, -32601),
        ("tools/call", {}, -32602),
        ("tools/call", {"name": 5}, -32602),
        ("tools/call", {"name": "reply", "arguments": "text"}, -32602),
    ],
)
async def test_a_request_that_cannot_be_served_is_answered_with_its_error(
    method: str, params: dict[str, Any], code: int
) -> None:
    async with connected() as client:
        await client.shake_hands()
        await client.send({"jsonrpc": "2.0", "id": 5, "method": method, "params": params})
        assert (await client.answer(5))["error"]["code"] == code
        assert client.listener.calls == []


async def test_a_text_with_half_a_character_is_repaired_on_its_way_to_the_model() -> None:
    class Surrogate(RecordingListener):
        async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
            return ToolResult("a\ud800b")

    async with connected(Surrogate()) as client:
        await client.shake_hands()
        await client.send(tool_call(2, "reply"))
        assert (await client.answer(2))["result"]["content"][0]["text"] == "a\N{REPLACEMENT CHARACTER}b"


# The end


async def test_what_was_asked_before_the_end_of_input_is_answered() -> None:
    """MUST C19: lines that came before the end of input are answered."""
    async with connected() as client:
        await client.send(initialize(), INITIALIZED, request(2, "tools/list"))
        client.hang_up()
        assert "result" in await client.answer(1)
        assert "result" in await client.answer(2)


async def test_serving_ends_when_the_client_closes_the_pipe_it_reads_from() -> None:
    """MUST C20: the server leaves when the client closes either pipe."""
    client = Client(RecordingListener())
    client.stop_reading()
    async with connected_to(client), asyncio.timeout(LONG_ENOUGH_S):
        await client.send(initialize())
        await client.stop.wait()


async def test_serving_ends_at_once_when_it_is_stopped_although_the_client_does_not_read() -> None:
    """MUST C21: a client that does not read holds up no exit."""
    async with connected() as client, asyncio.timeout(LONG_ENOUGH_S):
        await client.shake_hands()
        emitting = asyncio.create_task(session_of(client).emit(ChannelEvent("y" * 3_000_000, {})))
        more = asyncio.create_task(session_of(client).emit(ChannelEvent("z" * 3_000_000, {})))
        await asyncio.wait({more}, timeout=0.05)
        assert emitting.done()
        await client.send(tool_call(2, "reply"))
        more.cancel()
    # Leaving `connected` waits for the server, bounded: it would not return otherwise.
