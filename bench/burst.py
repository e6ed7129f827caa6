"""A long absence: 2,000 messages wait at Telegram when the bridge begins to poll.

None may be lost, doubled or reordered; that is checked on what came out of the pipe, and again in the store.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import psutil

from bench.client import Client, Received, now_s
from bench.effort import Effort
from bench.figures import Figure, Judged, NotMeasured
from bench.stand import Stand

MESSAGES = 2000
TARGET_S = 1.0
TARGET_MB = 90.0
_SETTLED_S = 1.5


def measure(effort: Effort) -> Iterator[Figure]:
    """Several bursts, each with a new state directory and a new server."""
    taken: list[float] = []
    started: list[float] = []
    faults: list[float] = []
    fresh_mb: list[float] = []
    after_mb: list[float] = []
    count = effort.times(MESSAGES, 200)
    with Stand() as stand:
        for number in range(effort.times(5, 1)):
            if number:
                stand.forget()
            client = _server_before_its_first_fetch(stand)
            time.sleep(effort.times(3, 1) * _SETTLED_S / 3)
            fresh_mb.append(_resident_mb(client))
            seconds, faulty = _burst(stand, client, f"burst {number}", count)
            taken.append(seconds)
            time.sleep(effort.times(3, 1) * _SETTLED_S / 3)
            after_mb.append(_resident_mb(client))
            faults.append(faulty)
            client.kill()
        for number in range(effort.times(3, 1)):
            stand.forget()
            seconds, faulty = _backlog(stand, f"backlog {number}", count)
            started.append(seconds)
            faults.append(faulty)
    yield Figure(f"{count:,} queued: first getUpdates → all emitted and confirmed", tuple(taken), "s", TARGET_S)
    yield Figure(f"{count:,} queued while nothing ran: spawn → last event", tuple(started), "s")
    yield Figure("   of them lost, doubled or reordered", tuple(faults), "messages", 0, Judged.WORST)
    yield Figure("resident, started and idle", tuple(fresh_mb), "MB", TARGET_MB, Judged.WORST)
    yield Figure(f"resident after {count:,} messages", tuple(after_mb), "MB", TARGET_MB, Judged.WORST)


def _server_before_its_first_fetch(stand: Stand) -> Client:
    """A server whose first getUpdates is held at the emulator: everything is loaded, nothing was received."""
    stand.telegram.hang("getUpdates")
    client = stand.connect()
    stand.telegram.until(lambda: stand.telegram.struck() > 0, "the first getUpdates")
    return client


def _burst(stand: Stand, client: Client, text: str, count: int) -> tuple[float, int]:
    """Seconds, and how many messages were not as they should be.

    The clock starts before the first getUpdates is let through and stops when the last event is out of the
    pipe and the emulator knows that the last update is confirmed, whichever is later.
    """
    stand.telegram.say(stand.ann, text, count)
    lines = client.lines
    began_at = now_s()
    stand.telegram.release()
    client.until_lines(lines + count)
    stand.telegram.until(lambda: stand.telegram.bot()["pending"] == 0, "the last confirmation")
    confirmed_at = now_s()
    last_at = client.events[-1].at
    time.sleep(0.3)  # what comes twice comes a little later
    # The client is looked at now and then only, to leave both cores to what is measured; the confirmation
    # is noticed late for the same reason, unless the event was later still.
    ended_at = last_at if confirmed_at - last_at < 0.05 else confirmed_at
    return ended_at - began_at, wrong(client.events, text, count) + _unstored(stand, count)


def _backlog(stand: Stand, text: str, count: int) -> tuple[float, int]:
    stand.telegram.say(stand.ann, text, count)
    client = stand.connect()
    client.first(lambda one: one.text == f"{text} {count}", "the last event")
    time.sleep(0.3)
    seconds = client.events[-1].at - client.started_at
    client.kill()
    return seconds, wrong(client.events, text, count)


def wrong(events: Sequence[Received], text: str, count: int) -> int:
    """How many of the events are missing, there too often, or (when that is all) not in their order."""
    expected = Counter(f"{text} {number}" for number in range(1, count + 1))
    got = Counter(event.text or "" for event in events)
    differing = (expected - got).total() + (got - expected).total()
    in_order = [event.text for event in events] == list(expected)
    return differing or int(not in_order)


def _unstored(stand: Stand, count: int) -> int:
    """How many are not in the store as given to the session."""
    connection = sqlite3.connect(f"file:{stand.state_dir / 'state.db'}?mode=ro", uri=True)
    try:
        [emitted] = connection.execute("SELECT count(*) FROM inbox WHERE state = 'emitted'").fetchone()
    except sqlite3.Error as error:
        raise NotMeasured(f"the store could not be read: {error}") from error
    finally:
        connection.close()
    return abs(count - int(emitted))


def _resident_mb(client: Client) -> float:
    return psutil.Process(client.process.pid).memory_info().rss / 1e6
