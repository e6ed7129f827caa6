"""A text and a permission answer while downloads hang: they must not be slower than without.

As in `latency`: from the update being there to the last byte out of the pipe.
"""

import time
from collections.abc import Iterator
from functools import partial

from bench.client import Client
from bench.effort import Effort
from bench.figures import Figure
from bench.stand import Stand

TARGET_MS = 5.0
_PHOTOS = 12
"""More than are fetched at the same time: every place is taken."""
_APART_S = 0.3


def measure(effort: Effort) -> Iterator[Figure]:
    """The same twice, on one server: first with nothing in the way."""
    count = effort.times(30, 3)
    with Stand() as stand:
        client = stand.poller()
        free_texts, free_verdicts = _texts(stand, client, "free", count), _verdicts(stand, client, "a", count // 2)
        stand.telegram.hang("file")
        for number in range(_PHOTOS):
            stand.telegram.do("attach", **{"from": stand.ann.id}, kind="photo", caption=f"photo {number}")
        stand.telegram.until(lambda: stand.telegram.struck() >= 8, "downloads that hang")
        held_texts, held_verdicts = _texts(stand, client, "held", count), _verdicts(stand, client, "b", count // 2)
        hanging = stand.telegram.struck()
        stand.telegram.release()
        client.first(lambda one: one.text == f"photo {_PHOTOS - 1}", "the last photo")
    yield _compared("text behind hung photo downloads → event", held_texts, free_texts, hanging)
    yield _compared("permission answer behind them → verdict", held_verdicts, free_verdicts, hanging)


def _compared(name: str, held: tuple[float, ...], free: tuple[float, ...], hanging: int) -> Figure:
    without = Figure("", free, "ms").median
    figure = Figure(name, held, "ms", TARGET_MS)
    note = f"{figure.median - without:+.2f} ms against {without:.2f} ms with none; {hanging} downloads were hanging"
    return Figure(name, held, "ms", TARGET_MS, note=note)


def _texts(stand: Stand, client: Client, word: str, count: int) -> tuple[float, ...]:
    samples = []
    for number in range(count):
        time.sleep(_APART_S)
        text = f"{word} {number}"
        samples.append(stand.delay_ms(stand.ann, text, partial(client.event, text)))
    return tuple(samples)


def _verdicts(stand: Stand, client: Client, word: str, count: int) -> tuple[float, ...]:
    """`yes <id>` typed by an approver; the card was on the phone before."""
    samples = []
    for number in range(count):
        request = f"{word}{chr(97 + number // 10)}{chr(97 + number % 10)}xx"
        cards = len(stand.telegram.do("inbox", **{"from": stand.ann.id}))
        client.ask_permission(request)
        stand.telegram.until(
            lambda cards=cards: len(stand.telegram.do("inbox", **{"from": stand.ann.id})) > cards,  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            "a card",
        )
        time.sleep(_APART_S)
        samples.append(stand.delay_ms(stand.ann, f"yes {request}", partial(client.verdict, request)))
    return tuple(samples)
