"""`python -m bench.fleet`: many sessions of one bot, whose processes are killed, started and stopped at random.

The trial: 10 sessions, 200 messages over topics, chosen sessions, replies and `/to`, and the process that polls
killed with -9 five times at moments that the seed decides. The soak (`--soak-s`): the same for minutes, with
processes that are killed, leave, come back and visit all the time, and a Telegram that is slow or fails.

What has to hold is checked from outside, without a look into the product's own records: everything that was
said arrives at the session it was meant for and at no other, in order; what arrives twice says that it may be
known (`redelivered`); replies are seen where they belong, as often as their session was told; a verdict is told
to whoever asked and to nobody else; after each kill another process polls. A session that ended is started again,
under its id or a new one in the same project (`--new-ids`), and gets what it missed. Nobody gives what was meant
for one session to another: when the bot offers that, people tell it to keep waiting, or nothing.

Exit code 0 when nothing was lost, misrouted, reordered or doubled without a mark; 1 otherwise.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence

from bench.effort import Effort
from bench.figures import Figure, Judged, NotMeasured
from bench.fleet_answers import tally
from bench.fleet_course import NEW_IDS_IN_SOAK, NEW_IDS_IN_TRIAL, Course, complaints, soak, trial
from bench.fleet_judge import Findings

SESSIONS, MESSAGES, KILLS = 10, 200, 5
TAKEOVER_TARGET_S = 2.0


def measure(effort: Effort) -> Iterator[Figure]:
    """One trial for the table of `python -m bench`."""
    sessions, messages = effort.times(SESSIONS, 3), effort.times(MESSAGES, 20)
    course, findings = asyncio.run(trial(sessions, messages, effort.times(KILLS, 1), 0, lambda _words: None))
    if course.trouble:
        raise NotMeasured("; ".join(course.trouble))
    for name, found in (
        ("lost", findings.lost),
        ("at the wrong session", findings.misrouted),
        ("out of order", findings.reordered),
        ("given twice without a mark", findings.doubled),
    ):
        title = f"{sessions} sessions, pollers killed -9: {name}"
        yield Figure(title, (float(len(found)),), "messages", 0, Judged.WORST, note=f"of {len(course.people.said)}")
    title = f"{sessions} sessions: kill -9 of the poller → poll of another"
    yield Figure(title, tuple(course.takeovers_s), "s", TAKEOVER_TARGET_S, Judged.WORST)


def summary(course: Course, findings: Findings) -> dict[str, str | int]:
    """What became of it, in rows."""
    people = course.people
    verdicts = [one for one in people.askings if one.took_s is not None]
    across = [1000 * one.took_s for one in verdicts if one.poller is not one.seat and one.took_s is not None]
    return {
        "messages": len(people.said),
        "lost": len(findings.lost),
        "misrouted": len(findings.misrouted),
        "out of order": len(findings.reordered),
        "given twice without a mark": len(findings.doubled),
        "given again and marked, as promised": findings.repeated,
        "marked, but new to the session": findings.marked,
        "came before what waited for a choice": findings.overtook,
        "answers in the wrong place, or not as often as told": len(
            people.wrong_answers(had_faults=course.faults > 0)
        ),
        "answers": tally(people.answers),
        "verdicts that went wrong": len(people.wrong_verdicts()),
        "verdicts: all, across processes": f"{len(verdicts)}, {len(across)}",
        "verdict across processes, ms: median, most": _spread(across),
        "kill -9: of the poller, of others; left": f"{course.killed_pollers}, {course.killed}; {course.left}",
        "came back under a new id": course.renewed,
        "takeover, s: median, most": _spread(course.takeovers_s),
        "takeovers later than 2 s": sum(one > TAKEOVER_TARGET_S for one in course.takeovers_s),
        "said to heard, ms: median, most": _spread([1000 * one for one in findings.delays_s]),
        "questions asked and answered": len(people.asked),
        "offers to other sessions, kept waiting": f"{people.offers}, {people.kept_waiting}",
        "refused, and its sender was told": len(people.refused()),
        "faults of Telegram": course.faults,
        "refused by Telegram for haste": sum(
            act.refusal.startswith("Too Many Requests") for act in course.fleet.telegram.acts
        ),
        "visitors": len(course.fleet.guests),
        "errors in the log of the processes": course.errors.total(),
    }


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f}, {max(values):.2f}" if values else "none"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the trial or the soak and print what became of it; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.fleet",
        description="Many sessions of one bot; processes that poll are killed with -9 at random moments.",
        epilog="Nothing may be lost, misrouted, reordered, or doubled without a mark: then the exit code is 0. "
        "The seed decides what is said, how, and after which messages processes are killed, as far as the "
        "speed of the machine has no part in it.",
    )
    parser.add_argument("--sessions", type=int, default=SESSIONS, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--messages", type=int, default=MESSAGES, metavar="N", help="of the trial")
    parser.add_argument(
        "--kills", type=int, default=KILLS, metavar="N", help="of the process that polls, in the trial"
    )
    parser.add_argument("--soak-s", type=float, metavar="S", help="no trial, but so many seconds of coming and going")
    parser.add_argument(
        "--new-ids",
        type=float,
        metavar="P",
        help="how often a session comes back under a new id: from 0, never, to 1, always "
        f"(default: {NEW_IDS_IN_SOAK:.2f}; in the trial {NEW_IDS_IN_TRIAL:g}, after early kills)",
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--json", action="store_true", help="one line of JSON at the end")
    chosen = parser.parse_args(argv)
    began_at = time.monotonic()

    def tell(words: str) -> None:
        print(f"{time.monotonic() - began_at:6.1f} s  {words}", flush=True)

    what = f"a soak of {chosen.soak_s:g} s" if chosen.soak_s else f"{chosen.messages} messages, {chosen.kills} kills"
    print(f"{chosen.sessions} sessions, {what}, --seed {chosen.seed}", flush=True)
    if chosen.soak_s:
        new_ids = NEW_IDS_IN_SOAK if chosen.new_ids is None else chosen.new_ids
        work = soak(chosen.sessions, chosen.soak_s, chosen.seed, tell, new_ids)
    else:
        new_ids = NEW_IDS_IN_TRIAL if chosen.new_ids is None else chosen.new_ids
        work = trial(chosen.sessions, chosen.messages, chosen.kills, chosen.seed, tell, new_ids)
    course, findings = asyncio.run(work)
    wrong = complaints(course, findings)
    for words, times in course.errors.most_common(10):
        print(f"logged {times} times: {words}")
    found = summary(course, findings)
    for name, value in found.items():
        print(f"{name:<54} {value}")
    print(f"{'load average':<54} {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if chosen.json:
        print(json.dumps(found | {"complaints": wrong}, ensure_ascii=False))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
