"""A client that leaves at any moment, sends junk, or stops reading: the server ends at once and loses nothing."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
import pytest

from telegram_channel.demo.session import ScriptedSession
from tests.waiting import until
from tests.world import World

AT_ONCE_S = 1.5
"""Far more than it takes (`make bench` measures that), far less than a hang."""
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "claude-code", "version": "2"},
}

Moment = Callable[[World], Awaitable[ScriptedSession]]


async def _before_anything(world: World) -> ScriptedSession:
    return await world.starting()


async def _after_a_first_byte(world: World) -> ScriptedSession:
    session = await world.starting()
    await session.send_raw(b'{"jsonrpc": "2.0", "id": 1, "method": "init')
    return session


async def _right_after_initialize(world: World) -> ScriptedSession:
    session = await world.starting()
    await session.request("initialize", INITIALIZE)
    return session


async def _right_after_the_handshake(world: World) -> ScriptedSession:
    session = await world.starting()
    await session.handshake()
    return session


async def _during_a_young_poll(world: World) -> ScriptedSession:
    return await world.session()


async def _while_telegram_hangs(world: World) -> ScriptedSession:
    fault = world.emulator.faults.add("hang")
    session = await world.session(wait_polling=False)
    await world.until(lambda: fault.struck > 0, "a call that hangs")
    return session


async def _during_a_tool_call(world: World) -> ScriptedSession:
    ann = await world.friend("Ann")
    ann.say("hi")
    session = await world.session()
    await session.event("hi")
    fault = world.emulator.faults.add("hang", "sendMessage")
    arguments = {"chat_id": str(ann.person.id), "text": "this hangs"}
    await session.send({"id": 99, "method": "tools/call", "params": {"name": "reply", "arguments": arguments}})
    await world.until(lambda: fault.struck > 0, "the send that hangs")
    return session


MOMENTS = (
    _before_anything,
    _after_a_first_byte,
    _right_after_initialize,
    _right_after_the_handshake,
    _during_a_young_poll,
    _while_telegram_hangs,
    _during_a_tool_call,
)


async def _leaves(moment: Moment, how: signal.Signals | None) -> None:
    async with World() as world:
        session = await moment(world)
        if how is None:
            code = await session.end_input(AT_ONCE_S)
        else:
            session.process.send_signal(how)
            code = await session.exit_code(AT_ONCE_S)
        # A signal that comes before the program's first instruction ends it as the system sees fit.
        assert code == 0 or (how is not None and code == -how), moment.__name__
        assert session.stray == []
        assert b"Traceback" not in session.errors
        assert not world.shows_token(session.errors)


@pytest.mark.parametrize(
    ("how", "moments"),
    [(None, MOMENTS), (signal.SIGTERM, (_right_after_the_handshake, _while_telegram_hangs, _during_a_tool_call))],
    ids=["end of input", "SIGTERM"],
)
async def test_the_client_leaves_at_any_moment(how: signal.Signals | None, moments: tuple[Moment, ...]) -> None:
    """MUST C28: the end of input and every signal end the process, in every state."""
    turns = asyncio.Semaphore(2)

    async def take_turn(moment: Moment) -> None:
        async with turns:
            await _leaves(moment, how)

    async with asyncio.TaskGroup() as group:
        for moment in moments:
            group.create_task(take_turn(moment))


async def test_a_client_that_closes_the_pipe_it_should_read() -> None:
    """MUST C20: the server leaves when the client closes either pipe."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        _stdout_of(session).close()
        ann.say("into the void")
        assert await session.exit_code(AT_ONCE_S) == 0
        following = await world.session()
        await following.event("into the void")


_JUNK = (
    b"\xff\xfe\x00 binary \x00\n",
    b'{"half": \n',
    b'[]\n[1, 2]\n5\n"text"\nnull\ntrue\n\n   \n\r\n',
    b'{"jsonrpc": "1.0", "id": 70, "method": "tools/list"}\n',
    b'{"jsonrpc": "2.0"}\n{"jsonrpc": "2.0", "id": {}, "method": "tools/list"}\n{"id": 71, "method": "tools/list"}\n',
    b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n',
    b'{"jsonrpc": "2.0", "id": 72, "result": {}}\n{"jsonrpc": "2.0", "id": 73, "error": {}}\n',
    b'{"jsonrpc": "2.0", "id": 74, "method": "tools/list", "params": '
    + b'{"a":' * 3000
    + b"1"
    + b"}" * 3000
    + b"}\n",
    b"x" * 5_000_000 + b"\n",
    b'{"jsonrpc": "2.0", "method": "notifications/junk", "params": {"x": "' + b"y" * 5_000_000 + b'"}}\n',
    b"z" * 20_000_000 + b"\n",
)


async def test_junk_on_stdin_ends_no_session() -> None:
    """MUST C18: junk on stdin is skipped and the session goes on."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.starting()
        for junk in _JUNK:
            await session.send_raw(junk)
        await session.handshake()
        await session.tools()
        for junk in _JUNK:
            await session.send_raw(junk)
        wrong: list[Any] = [
            *({}, {"name": 5}, {"name": "reply"}, {"name": "reply", "arguments": {"chat_id": None}}),
            *({"name": "nope", "arguments": {}}, {"name": "reply", "arguments": {"chat_id": [], "text": {}}}),
        ]
        for params in wrong:
            answer = await session.request("tools/call", params)
            assert "error" in answer or answer["result"]["isError"]
        for params in ({"request_id": 5}, [1], "text"):
            await session.send({"method": "notifications/claude/channel/permission_request", "params": params})
        ann.say("still there?")
        await session.event("still there?")
        assert session.stray == []
        assert await session.end_input(AT_ONCE_S) == 0


def _stdout_of(session: ScriptedSession) -> asyncio.ReadTransport:
    """The pipe itself: asyncio's own reader never stops reading it, and has no public way to make it stop."""
    transport = session.process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]  # as said above
    assert isinstance(transport, asyncio.ReadTransport)
    return transport


@pytest.mark.parametrize(("how", "count"), [("end of input", 2000), ("SIGTERM", 300), ("SIGKILL", 300)])
async def test_a_client_that_stops_reading(how: str, count: int) -> None:
    """MUST C21: a client that does not read holds up no exit.

    MUST C16: an event is never dropped because the client reads slowly.
    MUST D21: every repeat says that it may be one, also after a crash in the middle of a write.
    """
    texts = [f"message {number} {'x' * 800}" for number in range(1, count + 1)]
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        pipe = _stdout_of(session)
        pipe.pause_reading()
        for text in texts:
            ann.say(text)
        await world.until(lambda: world.bot.queue.pending == (), "everything stored and confirmed")
        ended = asyncio.create_task(_ended(session.process.pid))
        match how:
            case "end of input":
                assert session.process.stdin
                session.process.stdin.close()
            case "SIGTERM":
                session.process.terminate()
            case _:
                session.process.kill()
        await asyncio.wait_for(ended, AT_ONCE_S)
        pipe.resume_reading()
        await session.kill()
        in_the_pipe = {event.content for event in session.events()}
        assert 0 < len(in_the_pipe) < len(texts)
        following = await world.session()
        await following.event(texts[-1])
        assert [event.content for event in following.events()] == [
            text for text in texts if text in _heard(following)
        ]
        assert _heard(following) | in_the_pipe == set(texts)
        repeats = {event.content: event.meta.get("redelivered") for event in following.events()}
        assert all(repeats[text] == "true" for text in in_the_pipe if text in repeats)
        assert "redelivered" not in following.events()[-1].meta


def _heard(session: ScriptedSession) -> set[str]:
    return {event.content for event in session.events()}


async def _ended(pid: int) -> None:
    """Return when a child has ended. asyncio itself says so only when its pipes are read to their end."""
    await until(lambda: _is_gone(pid), f"the end of {pid}", patience_s=30)


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
