"""What a bridge costs while nothing happens: processor time of the process that polls, and of the standbys beside it.

Each process wakes up for the heartbeats of all others, so a standby is measured among as many as a busy
developer has.
"""

import sys
import time
from collections.abc import Iterator

import psutil

from bench.client import Client
from bench.effort import Effort
from bench.figures import Figure, Judged
from bench.stand import Stand

TARGET_S = 0.1
SESSIONS = 10
_SETTLING_S = 6.0


def measure(effort: Effort) -> Iterator[Figure]:
    """User and system time of all threads, over an interval that is long enough for a poll and a heartbeat."""
    interval_s = effort.times(60, 2)
    sessions = effort.times(SESSIONS, 3)
    with Stand() as stand:
        clients = [stand.poller(), *(stand.connect() for _ in range(sessions - 1))]
        time.sleep(effort.times(6, 1) * _SETTLING_S / 6)
        before = [_processor_s(one) for one in clients]
        time.sleep(interval_s)
        used = [_processor_s(one) - at for one, at in zip(clients, before, strict=True)]
    for name, seconds in (("poller", used[:1]), (f"standby, one of {sessions - 1}", used[1:])):
        note = f"{1000 * sum(seconds) / len(seconds):.1f} ms in {interval_s} s on average"
        per_minute = tuple(60 * one / interval_s for one in seconds)
        yield Figure(f"idle CPU per minute, {name}", per_minute, "s", TARGET_S, Judged.WORST, note=note)


def _processor_s(client: Client) -> float:
    """Processor time of a process so far; on Linux to the nanosecond, elsewhere to the tick."""
    pid = client.process.pid
    if sys.platform == "linux":
        # The clock of another process, as clock_getcpuclockid(3) makes its number.
        return time.clock_gettime((~pid << 3) | 2)
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
