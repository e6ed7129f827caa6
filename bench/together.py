"""Two sessions on one bot: how soon a standby takes over, and how what the poller hears reaches the other process.

`python -m bench.fleet` shows that nothing is lost meanwhile, with ten sessions.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

from bench.client import Client, Received, now_s
from bench.disk import Disk
from bench.effort import Effort
from bench.figures import Figure, Judged, NotMeasured
from bench.stand import Stand

TAKEOVER_TARGET_S = 2.0
ACROSS_TARGET_MS = 50.0
"""For everything that one process hears and another one is meant by."""


def measure(effort: Effort) -> Iterator[Figure]:
    """What crosses from one process to the other on one stand, the takeovers on another."""
    with Stand() as stand:
        stand.poller()
        standby = stand.connect()
        yield _verdicts(stand, standby, effort.times(30, 2))
        yield from _answers(stand, standby, effort.times(12, 2))
    with Stand() as stand:
        yield from _takeovers(stand, effort.times(8, 1))


def _takeovers(stand: Stand, count: int) -> Iterator[Figure]:
    """From before `kill -9` of the process that polls, with a message that is said as soon as it is dead.

    The other session is alone then, so the message is for it; a new standby starts after each takeover.
    """
    poller = stand.poller()
    polled, told = [], []
    for number in range(count):
        standby = stand.connect()
        time.sleep(1 + number * 0.07)  # not always at the same moment between two looks
        stand.telegram.until_polled()
        polls = int(stand.telegram.bot()["polls"])
        killed_at = now_s()
        poller.kill()
        text = f"after death {number}"
        stand.telegram.say(stand.ann, text)
        stand.telegram.until(lambda polls=polls: stand.telegram.bot()["polls"] > polls, "a poll of the standby")  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        polled.append(now_s() - killed_at)
        told.append(standby.event(text).at - killed_at)
        poller = standby
    for name, samples in (("its first poll", polled), ("event from the standby", told)):
        title = f"takeover: kill -9 of the poller → {name}"
        yield Figure(title, tuple(samples), "s", TAKEOVER_TARGET_S, Judged.WORST)


def _verdicts(stand: Stand, standby: Client, count: int) -> Figure:
    """The standby asks, the poller receives `yes <id>`: from the message to the standby's stdout."""
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
    return Figure("verdict received by the poller → told by a standby", tuple(samples), "ms", ACROSS_TARGET_MS)


def _answers(stand: Stand, standby: Client, count: int) -> Iterator[Figure]:
    """A button below the standby's message is pressed, then the message is answered: the poller hears of both.

    Each is stored durably before the standby is given it, so a disk that takes its time shows in both. What it
    takes is measured right before each sample: where a sample is far from the others, look there first.
    """
    with Disk(stand.directory / "floor.db") as disk:
        pressed, replied, stored = _pressed_and_replied(stand, standby, disk, count)
    yield Figure("floor: one SQLite commit, before each of the next", stored, "ms")
    yield Figure("button pressed → event from a standby", pressed, "ms", ACROSS_TARGET_MS)
    yield Figure("message for a standby → its event", replied, "ms", ACROSS_TARGET_MS)


def _pressed_and_replied(
    stand: Stand, standby: Client, disk: Disk, count: int
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    pressed, replied, stored = [], [], []
    for number in range(count):
        said = standby.call("reply", chat_id=stand.ann.id, text=f"question {number}", buttons=[[f"Button {number}"]])
        answer = standby.answer(said).message["result"]
        if answer.get("isError"):
            raise NotMeasured(f"the standby could not ask: {answer}")
        shown = stand.telegram.do("inbox", **{"from": stand.ann.id})[-1]["message_id"]
        time.sleep(0.3 + 0.037 * number)
        stored.append(disk.commit_ms())
        pressed.append(
            _delay_ms(
                stand,
                partial(
                    stand.telegram.do,
                    "press",
                    **{"from": stand.ann.id, "message_id": shown, "button": f"Button {number}"},
                ),
                partial(standby.event, f"Button {number}"),
            )
        )
        time.sleep(0.3)
        stored.append(disk.commit_ms())
        text = f"reply {number}"
        replied.append(
            _delay_ms(
                stand,
                partial(stand.telegram.do, "say", **{"from": stand.ann.id, "reply_to": shown, "text": text}),
                partial(standby.event, text),
            )
        )
    return tuple(pressed), tuple(replied), tuple(stored)


def _delay_ms(stand: Stand, act: Callable[[], object], arrival: Callable[[], Received]) -> float:
    """As `Stand.delay_ms`, for anything that a person does."""
    act()
    arrived_at = arrival().at + time.time() - now_s()
    return 1000 * (arrived_at - float(stand.telegram.bot()["newest_at"]))
