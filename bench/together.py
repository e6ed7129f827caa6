"""Two sessions on one bot: how soon a standby takes over, and how a verdict reaches the process that asked."""

import time
from collections.abc import Iterator
from functools import partial

from bench.client import now_s
from bench.effort import Effort
from bench.figures import Figure, Judged
from bench.stand import Stand

TAKEOVER_TARGET_S = 2.0
VERDICT_TARGET_MS = 500.0


def measure(effort: Effort) -> Iterator[Figure]:
    """Both on the same stand; after each takeover a new standby is started."""
    with Stand() as stand:
        yield _verdicts(stand, effort.times(20, 2))
    with Stand() as stand:
        yield _takeovers(stand, effort.times(8, 1))


def _takeovers(stand: Stand, count: int) -> Figure:
    """From before `kill -9` of the process that polls to an event, out of the standby, for a message sent then."""
    poller = stand.poller()
    samples = []
    for number in range(count):
        standby = stand.connect()
        time.sleep(1 + number * 0.07)  # not always at the same moment between two looks
        killed_at = now_s()
        poller.process.kill()
        stand.telegram.say(stand.ann, f"after death {number}")
        samples.append(standby.event(f"after death {number}").at - killed_at)
        poller = standby
    return Figure(
        "takeover: kill -9 of the poller → event from the standby",
        tuple(samples),
        "s",
        TAKEOVER_TARGET_S,
        Judged.WORST,
    )


def _verdicts(stand: Stand, count: int) -> Figure:
    """The standby asks, the poller receives `yes <id>`: from the message to the standby's stdout."""
    stand.poller()
    standby = stand.connect()
    samples = []
    for number in range(count):
        request = f"v{chr(97 + number // 10)}{chr(97 + number % 10)}xx"
        cards = len(stand.telegram.do("inbox", **{"from": stand.ann.id}))
        standby.ask_permission(request)
        stand.telegram.until(
            lambda cards=cards: len(stand.telegram.do("inbox", **{"from": stand.ann.id})) > cards,  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            "a card",
        )
        time.sleep(0.1 + 0.037 * (number % 13))
        samples.append(stand.delay_ms(stand.ann, f"yes {request}", partial(standby.verdict, request)))
    return Figure("verdict received by the poller → told by a standby", tuple(samples), "ms", VERDICT_TARGET_MS)
