"""`python -m bench.crash`: kill -9 at random moments while 50 messages come in, again and again.

Each trial starts a server and kills it at a moment that the seed decides, between the start of the process
and the end of the bursts; what is said meanwhile is said to nobody. A second server then has to give the
session everything that the first one had not given, in order. What comes twice must say that it may be known
already (`redelivered`). All trials share one Telegram and one state directory, as the life of a bot does.

Exit code 0 when nothing was lost, doubled without a mark, or reordered; 1 otherwise.
"""

import argparse
import json
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.client import Client, Received
from bench.effort import Effort
from bench.figures import Figure, Judged, NotMeasured
from bench.stand import Stand

MESSAGES = 50
TRIALS = 100
_SPREAD_S = 0.35
"""Over how long the bursts of one trial are spread, and within which the server is killed."""
_START_S = (0.3, 1.0)
"""When a server is killed while it starts, counted from its spawn: from the imports to the first messages."""
_AFTERMATH_S = 0.15
"""What comes twice comes a little later."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of the messages of one trial."""

    number: int
    while_starting: bool
    before_the_kill: int
    """How many events the killed server had given."""
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    """Given again without a word that they may be known."""
    reordered: int
    """Neighbours in the wrong order, in what one server gave."""
    repeated: int
    """Given again, and marked: what has to be expected."""
    not_repeated: int
    """Given by the killed server, and not again by the next one although nothing proved that it was read."""
    marked: int
    """Marked, although the killed server had not got them into the pipe."""
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether everything was as promised."""
        return not (self.lost or self.doubled or self.reordered)


def trials(stand: Stand, count: int, seed: int) -> Iterator[Trial]:
    """Run so many trials; the same seed kills at the same moments."""
    for number in range(1, count + 1):
        yield _trial(stand, number, random.Random(f"{seed}/{number}"))  # noqa: S311 - moments, not secrets


def _trial(stand: Stand, number: int, chance: random.Random) -> Trial:
    began_at = time.monotonic()
    texts = [f"{number}: {one}" for one in range(1, MESSAGES + 1)]
    while_starting = chance.random() < 0.25
    if while_starting:
        cut = chance.randrange(MESSAGES + 1)
        _say(stand, texts[:cut])
        first = stand.start()
        killer = _killer(first, chance.uniform(*_START_S))
        _greeted_if_alive(first)
        _say(stand, texts[cut:])
    else:
        first = stand.poller()
        killer = _killer(first, chance.uniform(0, _SPREAD_S))
        for burst in _bursts(texts, chance):
            _say(stand, burst)
            time.sleep(chance.uniform(0, 2 * _SPREAD_S / 5))
    killer.join()
    first.kill()
    with stand.connect() as second:
        _await_all(second, texts)
        time.sleep(_AFTERMATH_S)
        # Whoever answers has read: the next trial begins with nothing owed.
        answer = second.answer(second.call("reply", chat_id=stand.ann.id, text=f"{number} done"))
        if answer.message["result"].get("isError"):
            raise NotMeasured(f"trial {number} could not be answered: {answer.message['result']}")
        second.hang_up()
        second.gone_at()
        return judged(number, while_starting, first.events, second.events, texts, time.monotonic() - began_at)


def _killer(client: Client, after_s: float) -> threading.Timer:
    timer = threading.Timer(after_s, client.process.kill)
    timer.start()
    return timer


def _greeted_if_alive(client: Client) -> None:
    try:
        client.shake_hands()
    except (NotMeasured, BrokenPipeError):
        return  # it was killed before


def _bursts(texts: Sequence[str], chance: random.Random) -> Iterator[Sequence[str]]:
    cuts = sorted(chance.sample(range(1, len(texts)), 4))
    for start, end in zip([0, *cuts], [*cuts, len(texts)], strict=True):
        yield texts[start:end]


def _say(stand: Stand, texts: Sequence[str]) -> None:
    for text in texts:
        stand.telegram.say(stand.ann, text)


def _await_all(second: Client, texts: Sequence[str]) -> None:
    """Wait until the second server has given everything, for nothing was proven: some anew, some again.

    A loss is found out by waiting in vain.
    """
    missing = set(texts)
    deadline = time.monotonic() + 8
    while missing and time.monotonic() < deadline:
        missing -= {event.text for event in second.events}
        time.sleep(0.01)


def judged(
    number: int,
    while_starting: bool,
    first: Sequence[Received],
    second: Sequence[Received],
    texts: Sequence[str],
    seconds: float,
) -> Trial:
    """What the two servers of a trial gave, held against what was said."""
    place = {text: at for at, text in enumerate(texts)}
    seen: set[str] = set()
    doubled: list[str] = []
    repeated = marked = 0
    for event in (*first, *second):
        text = event.text or ""
        if text in seen or text not in place:
            repeated += event.redelivered
            if not event.redelivered:
                doubled.append(text)
        elif event.redelivered:
            marked += 1
        seen.add(text)
    wrong = sum(
        place[one] > place[other]
        for given in (first, second)
        for one, other in _neighbours([event.text for event in given if event.text in place])
    )
    return Trial(
        *(number, while_starting, len(first)),
        lost=tuple(text for text in texts if text not in seen),
        doubled=tuple(doubled),
        reordered=wrong,
        repeated=repeated,
        not_repeated=len({event.text for event in first} & set(texts) - {event.text for event in second}),
        marked=marked,
        seconds=seconds,
    )


def _neighbours(texts: Sequence[str | None]) -> Iterator[tuple[str, str]]:
    return pairwise([text for text in texts if text is not None])


def measure(effort: Effort) -> Iterator[Figure]:
    """A few trials for the table of `python -m bench`; each sample is one trial."""
    with Stand() as stand:
        done = list(trials(stand, effort.times(10, 1), seed=0))
    counts: Sequence[tuple[str, Callable[[Trial], int]]] = (
        ("lost", lambda one: len(one.lost)),
        ("given twice without a mark", lambda one: len(one.doubled)),
        ("out of order", lambda one: one.reordered),
    )
    for name, count in counts:
        samples = tuple(float(count(one)) for one in done)
        yield Figure(f"kill -9 while {MESSAGES} messages come: {name}", samples, "messages", 0, Judged.WORST)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the trials and print what became of them; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.crash", description="kill -9 at random moments.")
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--json", action="store_true", help="one line of JSON at the end")
    chosen = parser.parse_args(argv)
    print(f"{chosen.trials} trials, {MESSAGES} messages each, --seed {chosen.seed}", flush=True)
    done: list[Trial] = []
    with Stand() as stand:
        for trial in trials(stand, chosen.trials, chosen.seed):
            done.append(trial)
            if not trial.is_good:
                print(f"trial {trial.number}: {trial}", flush=True)
            elif trial.number % 10 == 0:
                print(f"  {trial.number} done, the last in {trial.seconds:.1f} s", flush=True)
        unconfirmed = stand.telegram.bot()["pending"]
    found = _summary(done)
    for name, value in found.items():
        print(f"{name:<54} {value}")
    print(f"{'updates that Telegram was not told about in the end':<54} {unconfirmed}")
    if chosen.json:
        print(json.dumps(found, ensure_ascii=False))
    return 0 if all(trial.is_good for trial in done) and not unconfirmed else 1


def _summary(done: Sequence[Trial]) -> dict[str, int | str]:
    given = [trial.before_the_kill for trial in done]
    partly = sum(0 < one < MESSAGES for one in given)
    return {
        "messages": MESSAGES * len(done),
        "lost": sum(len(trial.lost) for trial in done),
        "given twice without a mark": sum(len(trial.doubled) for trial in done),
        "out of order": sum(trial.reordered for trial in done),
        "given again and marked, as promised": sum(trial.repeated for trial in done),
        "given before the kill, and not again": sum(trial.not_repeated for trial in done),
        "marked, but new to the session": sum(trial.marked for trial in done),
        "killed while starting": sum(trial.while_starting for trial in done),
        "killed when some, but not all were given": partly,
        "given before the kill: fewest, median, most": f"{min(given)}, {statistics.median(given):g}, {max(given)}",
        "seconds per trial: median, most": (
            f"{statistics.median(one.seconds for one in done):.2f}, {max(one.seconds for one in done):.2f}"
        ),
    }


if __name__ == "__main__":
    sys.exit(main())
