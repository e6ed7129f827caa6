"""What a bridge costs while nothing happens: processor time of the process that polls, and of a standby."""

import sys
import time
from collections.abc import Iterator

import psutil

from bench.client import Client
from bench.effort import Effort
from bench.figures import Figure
from bench.stand import Stand

TARGET_S = 0.1
_SETTLING_S = 6.0


def measure(effort: Effort) -> Iterator[Figure]:
    """User and system time of all threads, over an interval that is long enough for a poll and a heartbeat."""
    interval_s = effort.times(40, 2)
    with Stand() as stand:
        poller, standby = stand.poller(), stand.connect()
        time.sleep(effort.times(6, 1) * _SETTLING_S / 6)
        before = _processor_s(poller), _processor_s(standby)
        time.sleep(interval_s)
        used = _processor_s(poller) - before[0], _processor_s(standby) - before[1]
    for name, seconds in zip(("poller", "standby"), used, strict=True):
        note = f"{1000 * seconds:.1f} ms in {interval_s} s"
        yield Figure(f"idle CPU per minute, {name}", (60 * seconds / interval_s,), "s", TARGET_S, note=note)


def _processor_s(client: Client) -> float:
    """Processor time of a process so far; on Linux to the nanosecond, elsewhere to the tick."""
    pid = client.process.pid
    if sys.platform == "linux":
        # The clock of another process, as clock_getcpuclockid(3) makes its number.
        return time.clock_gettime((~pid << 3) | 2)
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
