"""One message at a time, in both directions, on a bridge that is otherwise idle."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bench.client import Client, Received, now_s
from bench.disk import Disk
from bench.effort import Effort
from bench.figures import Figure, NotMeasured
from bench.stand import Stand
from bench.telegram import TOKEN, Person

TARGET_MS = 5.0
_APART_S = 0.3
"""Between two samples: the signs in the chat that a message causes are over by then."""


def measure(effort: Effort) -> Iterator[Figure]:
    """The floors first, then what stands on them."""
    apart_s = _APART_S / effort.times(1, 6)
    with Stand() as stand:
        yield _commit(stand.directory / "floor.db", effort.times(200, 10))
        yield asyncio.run(_round_trip(stand, effort.times(200, 10)))
        yield _long_poll(stand, effort.times(60, 3), apart_s)
        client = stand.poller()
        yield _events(stand, client, effort.times(80, 3), apart_s)
        yield _replies(stand, client, effort.times(50, 3), apart_s)


def _commit(path: Path, count: int) -> Figure:
    """A row of 1 kB in a database set up like ours, committed to the same disk as the state directory."""
    with Disk(path) as disk:
        return Figure("floor: one SQLite commit", tuple(disk.commit_ms() for _ in range(count)), "ms")


async def _round_trip(stand: Stand, count: int) -> Figure:
    """A call of getMe with the HTTP client that we use, over a connection that is open already."""
    samples = []
    async with httpx.AsyncClient(trust_env=False) as http:
        for _ in range(count):
            started_at = now_s()
            await http.post(f"{stand.telegram.base_url}/bot{TOKEN}/getMe")
            samples.append(1000 * (now_s() - started_at))
    return Figure("floor: one httpx round trip to the emulator", tuple(samples[1:]), "ms")


def _long_poll(stand: Stand, count: int, apart_s: float) -> Figure:
    """A bare socket in the server's place: what of the next figure is the emulator's and the machine's."""
    offset = 0
    samples = []
    address = urlsplit(stand.telegram.base_url)
    with (
        socket.create_connection((address.hostname, address.port or 0)) as connection,
        ThreadPoolExecutor(1) as thread,
    ):
        for number in range(count):
            path = f"/bot{TOKEN}/getUpdates?timeout=25&offset={offset}"
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
            answer = thread.submit(_answer, connection)
            time.sleep(apart_s)
            samples.append(stand.delay_ms(stand.ann, f"floor {number}", lambda answer=answer: answer.result()[0]))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            offset = answer.result()[1] + 1
        connection.sendall(f"POST /bot{TOKEN}/getUpdates?offset={offset} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        _answer(connection)
    return Figure("floor: update available → long poll of a bare socket", tuple(samples), "ms")


def _answer(connection: socket.socket) -> tuple[Received, int]:
    """When the answer was there, and the id of its last update (0 when it has none)."""
    body = connection.recv(1 << 16)
    at = now_s()
    updates = json.loads(body.partition(b"\r\n\r\n")[2])["result"]
    return Received(at, {}), updates[-1]["update_id"] if updates else 0


def _events(stand: Stand, client: Client, count: int, apart_s: float) -> Figure:
    """From the update being there to the event's last byte out of the pipe (`Stand.delay_ms`).

    Included, beside our own work: the emulator's answer to the long poll, two commits, and the wake-up of
    the reading thread.
    """
    stand.telegram.say(stand.ann, "warm up")
    client.event("warm up")
    samples = []
    for number in range(count):
        time.sleep(apart_s)
        text = f"message {number}"
        samples.append(stand.delay_ms(stand.ann, text, partial(client.event, text)))
    return Figure("update available → event on stdout", tuple(samples), "ms", TARGET_MS)


def _replies(stand: Stand, client: Client, count: int, apart_s: float) -> Figure:
    """From before `tools/call` is written to the last byte of sendMessage at the emulator.

    Each call answers a message that was given to the session before, as in life: that it was read is
    committed on the way. People take turns, so that nobody is written to faster than Telegram allows.
    """
    people = [stand.telegram.newcomer(f"Person {number}") for number in range(min(20, count))]
    stand.let_in(*people)
    samples = []
    for number in range(count):
        person = people[number % len(people)]
        stand.telegram.say(person, f"question {number}")
        client.event(f"question {number}")
        time.sleep(apart_s)
        before = len(stand.telegram.do("sent"))
        called_at = time.time()
        client.answer(client.call("reply", chat_id=person.id, text=f"answer **{number}**"))
        samples.append(1000 * (_arrival(stand, person, before) - called_at))
    return Figure("`reply` call → sendMessage on the wire", tuple(samples), "ms", TARGET_MS)


def _arrival(stand: Stand, person: Person, after: int) -> float:
    acts = stand.telegram.sent("sendMessage", after)
    if len(acts) != 1 or acts[0]["params"]["chat_id"] != person.id:
        raise NotMeasured(f"one answer was expected, not {len(acts)}")
    return float(acts[0]["at"])
