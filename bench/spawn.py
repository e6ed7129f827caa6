"""How soon a new process answers `initialize`, and then lists its tools.

From just before the process is made to the moment at which the answer came out of the pipe. The floors say
what of it belongs to Python and to a plain import of the SDK.
"""

import subprocess
import sys
from collections.abc import Iterator

import psutil

from bench.client import Client, now_s
from bench.effort import Effort
from bench.figures import Figure
from bench.stand import Stand, clean_environment

TARGET_MS = 380.0
SDK = "import mcp.server.lowlevel.server, mcp.shared.jsonrpc_dispatcher"


def measure(effort: Effort) -> Iterator[Figure]:
    """The floors, then the server as the newest clients and as older ones begin with it."""
    count = effort.times(11, 2)
    yield Figure("floor: Python that does nothing", _run_ms("pass", count), "ms")
    yield Figure("floor: a plain import of the SDK, and nothing else", _run_ms(SDK, count), "ms")
    with Stand() as stand:
        stand.start().initialize()  # the first start of all compiles
        for name, discover in (("discover first", True), ("initialize at once", False)):
            replies, lists, resident = [], [], []
            for _ in range(count):
                client = stand.start()
                replied = client.initialize(discover=discover)
                replies.append(1000 * (replied.at - client.started_at))
                resident.append(psutil.Process(client.process.pid).memory_info().rss / 1e6)
                lists.append(_list_ms(client))
                client.kill()
            yield Figure(f"spawn → initialize reply, {name}", tuple(replies), "ms", TARGET_MS)
            yield Figure(f"initialized → first tools/list, {name}", tuple(lists), "ms")
            yield Figure(f"resident at the initialize reply, {name}", tuple(resident), "MB")


def _list_ms(client: Client) -> float:
    """Completing the handshake is what lets the server load the rest."""
    asked_at = now_s()
    client.send(method="notifications/initialized")
    return 1000 * (client.request("tools/list", {}).at - asked_at)


def _run_ms(code: str, count: int) -> tuple[float, ...]:
    """An interpreter that runs `code`, from before it is made until it is gone; the first one compiles."""
    samples = []
    for _ in range(count + 1):
        started_at = now_s()
        subprocess.run([sys.executable, "-c", code], env=clean_environment(), check=True)
        samples.append(1000 * (now_s() - started_at))
    return tuple(samples[1:])
