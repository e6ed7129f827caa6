"""How soon the process is gone after the client closes stdin or sends a signal, in every state it can be in.

From before the signal (or the close) to the moment at which the kernel reports the end of the process.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping

from bench.client import Client, now_s
from bench.effort import Effort
from bench.figures import Figure, Judged
from bench.stand import Stand

TARGET_MS = 100.0
_FULL_PIPE_BYTES = 60_000
"""A pipe of Linux holds 64 KiB; the writing thread waits when less than one line is free."""

WAYS: Mapping[str, Callable[[Client], None]] = {
    "EOF": Client.hang_up,
    "SIGINT": lambda client: client.signal(signal.SIGINT),
    "SIGTERM": lambda client: client.signal(signal.SIGTERM),
}


def measure(effort: Effort) -> Iterator[Figure]:
    """Every state in every way, several times."""
    states: Mapping[str, Callable[[Stand], Client]] = {
        "while importing": _importing,
        "before the handshake": _before_the_handshake,
        "idle, a young poll": Stand.poller,
        "the API hangs": _api_hangs,
        "the client does not read": _unread,
    }
    with Stand() as stand:
        for state, enter in states.items():
            samples = []
            for end in WAYS.values():
                for _ in range(effort.times(4, 1)):
                    samples.append(_exit_ms(enter(stand), end))
                    stand.telegram.release()
                    stand.forget()
            yield Figure(f"exit: {state}", tuple(samples), "ms", TARGET_MS, Judged.WORST)


def _exit_ms(client: Client, end: Callable[[Client], None]) -> float:
    ended_at = now_s()
    end(client)
    return 1000 * (client.gone_at() - ended_at)


def _importing(stand: Stand) -> Client:
    client = stand.start()
    time.sleep(0.15)
    return client


def _before_the_handshake(stand: Stand) -> Client:
    client = stand.start()
    client.initialize()
    return client


def _api_hangs(stand: Stand) -> Client:
    stand.telegram.hang("*")
    client = stand.connect()
    stand.telegram.until(lambda: stand.telegram.struck() > 0, "a call that hangs")
    return client


def _unread(stand: Stand) -> Client:
    """More than the pipe and the queue behind it hold, for a client that looks away."""
    client = stand.poller()
    client.stop_reading()
    stand.telegram.say(stand.ann, "x" * 3000, 600)
    stand.telegram.until(lambda: client.unread_bytes() > _FULL_PIPE_BYTES, "a full pipe")
    time.sleep(0.3)
    return client
