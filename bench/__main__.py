"""`python -m bench`: measure, and print a table (or JSON).

Exit code 0 when everything could be measured, whatever the figures are; 1 when something could not.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from bench import beside, burst, crash, fleet, hooks, idle, latency, leaving, spawn, together
from bench.effort import Effort
from bench.figures import HEADING, Figure, NotMeasured, failed_row, row

Measurement = Callable[[Effort], Iterator[Figure]]

MEASUREMENTS: Mapping[str, tuple[Measurement, str]] = {
    "spawn": (spawn.measure, "start of the process → initialize reply, with floors"),
    "latency": (latency.measure, "message → event, reply → sendMessage, with floors"),
    "hooks": (hooks.measure, "hook calls of the client → answers, with their floor"),
    "beside": (beside.measure, "text and permission answer while downloads hang"),
    "burst": (burst.measure, "2,000 queued messages; memory before and after"),
    "leaving": (leaving.measure, "exit after EOF, SIGINT and SIGTERM in every state"),
    "together": (together.measure, "takeover after kill -9, verdict across processes"),
    "crash": (crash.measure, "a few kills at random moments (`python -m bench.crash` makes a hundred)"),
    "fleet": (fleet.measure, "ten sessions, two hundred messages, pollers killed with -9 (`python -m bench.fleet`)"),
    "idle": (idle.measure, "processor time of poller and standby while nothing happens"),
}
"""What can be asked for."""


def main(
    argv: Sequence[str] | None = None, measurements: Mapping[str, tuple[Measurement, str]] = MEASUREMENTS
) -> int:
    """Measure what was asked for; returns the exit code."""
    chosen = _parser(measurements).parse_args(argv)
    if chosen.list:
        for name, (_, sentence) in measurements.items():
            print(f"{name:<10} {sentence}")
        return 0
    # With JSON on stdout the table goes where it disturbs nobody.
    table = sys.stderr if chosen.json == "-" else sys.stdout
    print(_machine(), HEADING, sep="\n", file=table, flush=True)
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    for name in chosen.only or measurements:
        try:
            for figure in measurements[name][0](Effort(quick=chosen.quick)):
                figures.append(figure)
                print(row(figure), file=table, flush=True)
        except Exception as error:  # one that fails must not keep the others from being taken
            failures[name] = str(error) if isinstance(error, NotMeasured) else repr(error)
            print(failed_row(name, failures[name]), file=table, flush=True)
    print(f"load average afterwards: {_load()}", file=table)
    if chosen.json:
        report = {"machine": _machine(), "figures": [one.as_json() for one in figures], "failures": failures}
        text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
        if chosen.json == "-":
            sys.stdout.write(text)
        else:
            Path(chosen.json).write_text(text, "utf-8")
    return 1 if failures else 0


def _parser(measurements: Collection[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="How quick and how small the bridge is.")
    parser.add_argument("--only", nargs="+", choices=list(measurements), metavar="NAME", help="only these")
    parser.add_argument("--quick", action="store_true", help="few samples: shows that it works, not how well")
    parser.add_argument("--json", metavar="FILE", help="write the figures there; - is stdout")
    parser.add_argument("--list", action="store_true", help="say what there is to measure")
    return parser


def _machine() -> str:
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, load average {_load()}"
    )


def _load() -> str:
    return " ".join(f"{one:.2f}" for one in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    sys.exit(main())
