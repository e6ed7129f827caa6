"""The bench measures what it says: its judgement on made-up facts, and one measurement on the real processes."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bench.__main__ import MEASUREMENTS
from bench.burst import wrong
from bench.client import EVENT, Received
from bench.crash import judged
from bench.figures import Figure, Judged, failed_row, row

ROOT = Path(__file__).parents[1]
TEXTS = ["1: 1", "1: 2", "1: 3"]


def bench(*arguments: str) -> str:
    """What `python -m bench` prints; it must be able to measure."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def events(*texts: str) -> list[Received]:
    """Events as they come out of the pipe; a star in front marks one that may be known."""
    return [
        Received(
            0.0,
            {
                "method": EVENT,
                "params": {
                    "content": text.removeprefix("*"),
                    "meta": {"redelivered": "true"} if text.startswith("*") else {},
                },
            },
        )
        for text in texts
    ]


def test_everything_that_can_be_measured_is_listed() -> None:
    assert [line.split()[0] for line in bench("--list").splitlines()] == list(MEASUREMENTS)


def test_a_quick_measurement_of_the_real_processes_has_every_figure() -> None:
    report = json.loads(bench("--quick", "--only", "latency", "--json", "-"))
    assert report["failures"] == {}
    figures = {one["name"]: one for one in report["figures"]}
    assert "update available → event on stdout" in figures
    assert "`reply` call → sendMessage on the wire" in figures
    assert all(0 < one["min"] <= one["median"] <= one["max"] for one in figures.values())


def test_what_cannot_be_measured_is_said_and_is_a_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from bench import __main__ as command
    from bench.effort import Effort
    from bench.figures import NotMeasured

    def in_vain(_effort: Effort) -> Iterator[Figure]:
        yield Figure("something", (1.0,), "ms", 5)
        raise NotMeasured("nothing came")

    report = tmp_path / "report.json"
    code = command.main(["--json", str(report)], {"in_vain": (in_vain, "never works")})
    assert code == 1
    assert failed_row("in_vain", "nothing came") in capsys.readouterr().out
    assert json.loads(report.read_text("utf-8"))["failures"] == {"in_vain": "nothing came"}


@pytest.mark.parametrize(
    ("samples", "judge", "met"),
    [
        ((4.0, 4.5, 90.0), Judged.MEDIAN, True),
        ((4.0, 5.5, 6.0), Judged.MEDIAN, False),
        ((4.0, 4.5, 90.0), Judged.WORST, False),
        ((5.0,), Judged.WORST, True),
    ],
)
def test_a_figure_is_held_against_its_target(samples: tuple[float, ...], judge: Judged, met: bool) -> None:
    figure = Figure("a row", samples, "ms", 5.0, judge)
    assert figure.met is met
    assert ("✓" if met else "✗") in row(figure)
    assert Figure("a floor", samples, "ms").met is None


@pytest.mark.parametrize(
    ("first", "second", "lost", "doubled", "reordered", "repeated"),
    [
        (["1: 1"], ["*1: 1", "1: 2", "1: 3"], 0, 0, 0, 1),
        ([], TEXTS, 0, 0, 0, 0),
        (["1: 1"], ["1: 3"], 1, 0, 0, 0),
        (["1: 1", "1: 2"], ["1: 2", "1: 3"], 0, 1, 0, 0),
        ([], ["1: 2", "1: 1", "1: 3"], 0, 0, 1, 0),
        ([], [*TEXTS, "0: 7"], 0, 1, 0, 0),
        ([], [*TEXTS, "*0: 7"], 0, 0, 0, 1),
    ],
)
def test_losses_doubles_and_disorder_are_seen(
    first: Sequence[str], second: Sequence[str], lost: int, doubled: int, reordered: int, repeated: int
) -> None:
    trial = judged(1, False, events(*first), events(*second), TEXTS, 1.0)
    found = (len(trial.lost), len(trial.doubled), trial.reordered, trial.repeated)
    assert found == (lost, doubled, reordered, repeated)
    assert trial.is_good is (lost == doubled == reordered == 0)


@pytest.mark.parametrize(
    ("texts", "count"),
    [
        (["b 1", "b 2", "b 3"], 0),
        (["b 1", "b 3"], 1),
        (["b 1", "b 2", "b 2", "b 3"], 1),
        (["b 2", "b 1", "b 3"], 1),
        (["b 1", "b 1", "b 3"], 2),
        ([], 3),
    ],
)
def test_a_burst_that_is_not_as_it_was_said_is_seen(texts: Sequence[str], count: int) -> None:
    assert wrong(events(*texts), "b", 3) == count
