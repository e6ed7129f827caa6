"""The emulator over a real socket: HTTP as clients write it, the control surface, and a quick end."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from telegram_channel.demo.botapi_wire import ControlPath, FilePath, MethodPath, OtherPath, read_path
from telegram_channel.demo.http import Emulator
from tests.demo.desk import TOKEN, Desk
from tests.waiting import until

LIMIT_S = 10


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def emulator(desk: Desk) -> AsyncIterator[Emulator]:
    async with Emulator(desk.api, now=lambda: desk.now) as running:
        yield running


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=emulator.base_url, timeout=LIMIT_S, trust_env=False) as made:
        yield made


def method(name: str) -> str:
    return f"/bot{TOKEN}/{name}"


async def raw(emulator: Emulator, data: bytes, *, answers: int = 1) -> list[tuple[int, bytes]]:
    """Write bytes, read so many answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    got: list[tuple[int, bytes]] = []
    try:
        writer.write(data)
        async with asyncio.timeout(LIMIT_S):
            for _ in range(answers):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = head.split("\r\n")
                length = next((int(line[15:]) for line in lines if line.startswith("Content-Length:")), 0)
                got.append((int(lines[0].split(" ")[1]), await reader.readexactly(length)))
    finally:
        writer.close()
        await writer.wait_closed()
    return got


# HTTP


@pytest.mark.parametrize("way", ["query", "form", "json", "multipart"])
async def test_values_are_taken_from_wherever_they_stand(client: httpx.AsyncClient, desk: Desk, way: str) -> None:
    values: dict[str, Any] = {"chat_id": desk.ada.id, "text": "a+b & ü 😀"}
    entities = [{"type": "bold", "offset": 0, "length": 3}]
    packed = {**values, "entities": json.dumps(entities)}
    match way:
        case "query":
            answer = await client.get(method("sendMessage"), params=packed)
        case "form":
            answer = await client.post(method("sendMessage"), data=packed)
        case "json":
            answer = await client.post(method("sendMessage"), json={**values, "entities": entities})
        case _:
            answer = await client.post(method("sendMessage"), data=packed, files={"unused": ("x.txt", b"x")})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert desk.phone.inbox()[-1].text == "a+b & ü 😀"
    assert desk.phone.inbox()[-1].entities == entities
    assert desk.api.complaints == []


async def test_a_multipart_upload_keeps_every_byte(client: httpx.AsyncClient, desk: Desk) -> None:
    content = bytes(range(256)) * 40 + b"\r\n--nearly a boundary\r\n\r\n"

    answer = await client.post(
        method("sendDocument"), data={"chat_id": desk.ada.id}, files={"document": ('a "b".bin', content)}
    )

    stored = desk.phone.inbox()[-1].file
    assert answer.status_code == 200
    assert stored
    assert (stored.name, stored.content) == ('a "b".bin', content)


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("application/json", b"{", "can't parse JSON object"),
        ("application/json", b"[]", "object expected as request body"),
        ("application/x-www-form-urlencoded", b"text=\xff", "strings must be encoded in UTF-8"),
        ("multipart/form-data", b"x", "can't find boundary of multipart/form-data"),
        ("multipart/form-data; boundary=b", b"--b\r\n", "multipart/form-data is incomplete"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--", "a part of multipart/form-data has no name"),
    ],
)
async def test_a_body_that_is_not_what_it_says_is_refused(
    client: httpx.AsyncClient, kind: str, body: bytes, words: str
) -> None:
    answer = await client.post(method("getMe"), content=body, headers={"content-type": kind})

    assert (answer.status_code, answer.json()["description"]) == (400, f"Bad Request: {words}")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/bot12:abcd/getMe", MethodPath("12:abcd", "getMe")),
        ("/bot12%3Aabcd/getMe", MethodPath("12:abcd", "getMe")),
        ("/file/bot12:abcd/photos/file_1.jpg", FilePath("12:abcd", "photos/file_1.jpg")),
        ("/control/say", ControlPath("say")),
        ("/bot12/getMe", OtherPath("/bot12/getMe")),
        ("/bot12:abcd/", OtherPath("/bot12:abcd/")),
        ("/", OtherPath("/")),
    ],
)
def test_paths_are_told_apart(path: str, target: object) -> None:
    assert read_path(path) == target


async def test_anything_else_is_not_found(client: httpx.AsyncClient) -> None:
    for path in ("/", "/bot1/getMe", "/favicon.ico", f"/file/bot{TOKEN}/photos/file_77.jpg"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["description"]) == (404, "Not Found")


async def test_requests_in_one_packet_are_answered_in_order(emulator: Emulator) -> None:
    one = f"GET {method('getMe')} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    two = f"POST {method('sendLove')} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode()

    assert [status for status, _ in await raw(emulator, one + two + one, answers=3)] == [200, 404, 200]


async def test_a_client_that_asks_first_is_told_to_continue(emulator: Emulator, desk: Desk) -> None:
    body = f"chat_id={desk.ada.id}&text=big".encode()
    head = f"POST {method('sendMessage')} HTTP/1.1\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    async with asyncio.timeout(LIMIT_S):
        writer.write(head.encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
    assert desk.phone.inbox()[-1].text == "big"


@pytest.mark.parametrize("head", [b"HTTP/1.0\r\n\r\n", b"HTTP/1.1\r\nConnection: close\r\n\r\n"])
async def test_a_client_that_wants_one_answer_gets_it_and_the_end(emulator: Emulator, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    async with asyncio.timeout(LIMIT_S):
        writer.write(f"GET {method('getMe')} ".encode() + head)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / SPDY/1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
    ],
)
async def test_what_is_not_http_is_refused(emulator: Emulator, data: bytes, status: int) -> None:
    assert [code for code, _ in await raw(emulator, data)] == [status]


async def test_a_caller_who_hangs_up_leaves_the_queue_to_others(emulator: Emulator, desk: Desk) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    writer.write(f"GET {method('getUpdates')}?timeout=30 HTTP/1.1\r\n\r\n".encode())
    await until(lambda: desk.bot.queue.is_waited_for)

    writer.close()
    await writer.wait_closed()

    await until(lambda: not desk.bot.queue.is_waited_for)


async def test_it_ends_at_once_with_polls_waiting_and_hangs_hanging() -> None:
    desk = Desk()
    emulator = Emulator(desk.api, now=lambda: desk.now)
    await emulator.start()
    hang = emulator.faults.add("hang", "getMe")
    async with httpx.AsyncClient(base_url=emulator.base_url, timeout=LIMIT_S, trust_env=False) as client:
        waiting = [
            asyncio.ensure_future(client.get(method("getUpdates"), params={"timeout": 50})),
            asyncio.ensure_future(client.get(method("getMe"))),
            asyncio.ensure_future(client.get("/control/sent", params={"wait": "50"})),
        ]
        await until(lambda: desk.bot.queue.is_waited_for and hang.struck == 1 and len(desk.api.world.listeners) == 1)

        async with asyncio.timeout(0.5):
            await emulator.stop()

        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(outcome, httpx.TransportError) for outcome in outcomes)
    assert (emulator.connections, desk.api.world.listeners) == (set(), [])
    assert not desk.bot.queue.is_waited_for


async def test_it_can_start_again_where_it_was(desk: Desk) -> None:
    async with Emulator(desk.api) as first:
        port = first.port
    async with Emulator(desk.api, port=port) as second:
        assert second.base_url == f"http://127.0.0.1:{port}"
        assert [status for status, _ in await raw(second, f"GET {method('getMe')} HTTP/1.1\r\n\r\n".encode())] == [
            200
        ]
    with pytest.raises(RuntimeError):
        _ = second.base_url


# In a process of its own


async def started(*arguments: str) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "telegram_channel.demo.http",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    async with asyncio.timeout(LIMIT_S):
        ready = json.loads(await process.stdout.readline())
    return process, ready


@pytest.mark.parametrize("end", ["stdin", "sigterm"])
async def test_a_process_of_its_own_serves_until_it_is_told_to_stop(end: str) -> None:
    process, ready = await started("--person", "Ada", "--person", "Bob")
    async with httpx.AsyncClient(base_url=ready["base_url"], timeout=LIMIT_S, trust_env=False) as client:
        me = await client.get(f"/bot{ready['token']}/getMe")
        assert me.json()["result"]["id"] == ready["bot"]
        poll = asyncio.ensure_future(client.get(f"/bot{ready['token']}/getUpdates?timeout=50"))
        await client.post("/control/say", data={"from": "Bob", "text": "hi"})
        assert len((await poll).json()["result"]) == 1

    if end == "stdin":
        assert process.stdin
        process.stdin.close()
    else:
        process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(LIMIT_S):
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert [person["first_name"] for person in ready["people"]] == ["Ada", "Bob"]
