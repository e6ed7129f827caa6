"""How a trial and a soak go: what is done to processes, when, and what was seen of it."""

import asyncio
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from bench.figures import NotMeasured
from bench.fleet_judge import Findings, judged
from bench.fleet_people import People
from bench.fleet_world import Fleet, Life, Seat

_APART_S = (0.02, 0.25)
"""Between two messages of the trial, unless they are said in the same moment."""
_ALONE = 0.7
NEW_IDS_IN_TRIAL, NEW_IDS_IN_SOAK = 1.0, 1 / 3
"""How often a session that comes back does so under a new id; in the trial it can be only after early kills."""
_MESSAGES_TO_INHERIT = 120
"""Of the trial: in the ten seconds after which what a killed session left goes to its successor."""
_SETTLED_WITHIN_S = 45.0
_CARD_IN_BAD_WEATHER_S = 90.0
"""Several faults may hit one card, and the second time it is sent again a minute later."""
_SETTLED_IN_BAD_WEATHER_S = 130.0
_AFTERMATH_S = 0.5
"""What comes twice comes a little later."""

_DONE = 0.3
"""How often a fault strikes only after the call was carried out."""

Tell = Callable[[str], None]


@dataclass(slots=True, repr=False)
class Course:
    """What happened, beside what was said and heard; without a representation, for the reason that `People` has."""

    fleet: Fleet
    people: People
    tell: Tell
    new_ids: float = 0.0
    """How often a session that comes back does so under a new id: from 0, never, to 1, always."""
    takeovers_s: list[float] = field(default_factory=list)
    killed_pollers: int = 0
    killed: int = 0
    left: int = 0
    renewed: int = 0
    """How often one came back under a new id."""
    faults: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    """What the processes logged as errors, at the end."""
    trouble: list[str] = field(default_factory=list)
    """What had to happen and did not."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside everything else; what goes wrong in it is told at the end."""
        task = asyncio.create_task(self._watched(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # one that fails must not end the others
            self.trouble.append(str(error) if isinstance(error, NotMeasured) else repr(error))

    async def settled(self, patience_s: float = _SETTLED_WITHIN_S) -> None:
        """Wait until everything that was begun is done."""
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=patience_s)
            for task in left:
                self.trouble.append(f"{task.get_coro()} did not end")
                task.cancel()

    async def bring_back(self, seat: Seat, *, may_be_new: bool = True) -> None:
        """Start a session again, under its id or a new one, as chance has it."""
        anew = may_be_new and self.fleet.chance.random() < self.new_ids
        self.renewed += anew
        await self.fleet.start(seat, anew=anew)

    async def kill_the_poller(self, away_s: float, *, may_be_new: bool = True) -> None:
        """kill -9 of whoever polls; the session comes back after a while, and hears what it was told meanwhile."""
        await self.fleet.until(lambda: self.fleet.poller is not None, "a process that polls")
        poller = self.fleet.poller
        assert poller
        seat = poller.seat
        dead_at = await poller.kill()
        self.killed_pollers += 1
        before = len(self.people.said)
        if seat in self.fleet.seats:
            self.people.say(self.fleet.people["Ann"], "topic", seat, self.fleet.workshop)
        successor, took_s = await self.fleet.polled_by_another(seat, dead_at)
        self.takeovers_s.append(took_s)
        self.tell(
            f"kill -9 of {seat.name} #{poller.number}, which polled, after {before} messages: "
            f"{successor.name} polls {took_s:.2f} s later"
        )
        if seat in self.fleet.seats:
            await asyncio.sleep(max(0.0, away_s - took_s))
            await self.bring_back(seat, may_be_new=may_be_new)


async def trial(
    sessions: int, messages: int, kills: int, seed: int, tell: Tell, new_ids: float = NEW_IDS_IN_TRIAL
) -> tuple[Course, Findings]:
    """The trial, from the first process to the judgement.

    A session comes back under a new id only where its successor has inherited before the last message is said.
    """
    async with Fleet(sessions, seed) as fleet:
        course = await _begun(fleet, tell, new_ids)
        people, chance = course.people, fleet.chance
        moments = _moments(chance, range(len(people.said) + 5, messages - 5), kills)
        attending = asyncio.create_task(people.attend())
        asked = 0
        while len(people.said) < messages:
            if chance.random() < _ALONE:
                await asyncio.sleep(chance.uniform(*_APART_S))
            people.say_anything()
            if chance.random() < 0.2:
                course.begin(people.have_answered())
            if asked * messages < len(people.said) * sessions and asked < sessions:
                course.begin(people.have_asked(fleet.seats[asked]))
                asked += 1
            if len(people.said) in range(40, messages, 40):
                await people.choose_anew()
            if moments and len(people.said) >= moments[0]:
                moments.pop(0)
                may_be_new = len(people.said) <= messages - _MESSAGES_TO_INHERIT
                course.begin(course.kill_the_poller(chance.uniform(0.2, 2.5), may_be_new=may_be_new))
        findings = await _judgement(course)
        attending.cancel()
        _keep(course, findings)
        return course, findings


def _moments(chance: random.Random, span: range, kills: int) -> list[int]:
    """After which messages somebody is killed; one of them early enough for a successor, if the trial is so long."""
    early = range(span.start, max(span.start, span.stop - _MESSAGES_TO_INHERIT))
    first = chance.sample(early, min(kills, 1)) if early else []
    return sorted([*first, *chance.sample([one for one in span if one not in first], kills - len(first))])


async def _begun(fleet: Fleet, tell: Tell, new_ids: float) -> Course:
    people = People(fleet)
    began_at = time.monotonic()
    await fleet.start_all()
    topics = await fleet.have_topics()
    await people.choose_everywhere()
    tell(f"{len(fleet.seats)} sessions with {topics}, ready in {time.monotonic() - began_at:.1f} s")
    return Course(fleet, people, tell, new_ids)


def _keep(course: Course, findings: Findings) -> None:
    """Count the errors in the processes' log; the state outlives the trial when there is something to look into."""
    logs = sorted((course.fleet.directory / "state").glob("*.log*"), reverse=True)
    for line in (line for log in logs for line in log.read_text("utf-8", "replace").splitlines()):
        _, is_error, words = line.partition(" ERROR ")
        if is_error:
            course.errors[words] += 1
    wrong = complaints(course, findings)
    for line in wrong:
        course.tell(line)
    if wrong or course.errors:
        kept = Path(tempfile.mkdtemp(prefix="fleet-kept-"))
        shutil.copytree(course.fleet.directory / "state", kept / "state")
        rows: dict[str, Iterable[object]] = {
            "said": course.people.said,
            "heard": [one for life in course.fleet.everybody for one in life.heard],
            "lives": [life.summary() for life in course.fleet.everybody],
            "asked": course.people.questions(),
            "acts": [act.view() for act in course.fleet.telegram.acts],
        }
        for name, values in rows.items():
            lines = (json.dumps(one, default=_fields, ensure_ascii=False) for one in values)
            (kept / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        course.tell(f"something to look into: the state, and what was said, heard and done, is in {kept}")


def _fields(one: object) -> object:
    return asdict(one) if is_dataclass(one) and not isinstance(one, type) else str(one)


async def _judgement(course: Course) -> Findings:
    """Wait until everything has arrived, and for what comes twice; a loss is found out by waiting in vain."""
    people = course.people
    await course.settled()
    deadline = time.monotonic() + _SETTLED_WITHIN_S
    texts = {one.text for one in people.said}
    while time.monotonic() < deadline:
        heard_of = {one.text for life in course.fleet.everybody for one in life.heard}
        if texts <= {*heard_of, *people.refused()}:
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(_AFTERMATH_S)
    heard = [one for life in course.fleet.everybody for one in life.heard]
    return judged(people.said, heard, people.questions(), people.refused())


async def soak(
    sessions: int, duration_s: float, seed: int, tell: Tell, new_ids: float = NEW_IDS_IN_SOAK
) -> tuple[Course, Findings]:
    """Minutes of coming and going, in which Telegram fails at times."""
    async with Fleet(sessions, seed) as fleet:
        course = await _begun(fleet, tell, new_ids)
        course.people.card_within_s = _CARD_IN_BAD_WEATHER_S
        until = time.monotonic() + duration_s
        attending = asyncio.create_task(course.people.attend())
        await asyncio.gather(
            *(_talk(course, until), _churn(course, until), _visits(course, until), _weather(course, until))
        )
        fleet.faults.clear()
        await course.settled(_SETTLED_IN_BAD_WEATHER_S)
        for seat in fleet.seats:
            if seat.life is None:
                await fleet.start(seat)
        tell("everybody is back, and nothing fails any more")
        findings = await _judgement(course)
        attending.cancel()
        _keep(course, findings)
        return course, findings


async def _talk(course: Course, until: float) -> None:
    people, chance = course.people, course.fleet.chance
    said = 0
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(0.1, 1.2))
        for _ in range(1 if chance.random() < _ALONE else chance.randint(2, 6)):
            people.say_anything()
        if chance.random() < 0.15:
            course.begin(people.have_answered())
        if chance.random() < 0.03:
            course.begin(people.have_asked())
        if chance.random() < 0.01:
            course.begin(people.choose_anew())
        if len(people.said) - said >= 50:
            said = len(people.said)
            course.tell(f"  {said} messages, {course.killed_pollers + course.killed} kills, {course.left} left")


async def _churn(course: Course, until: float) -> None:
    """Somebody goes every few seconds, and comes back; at least three are always there."""
    fleet, chance = course.fleet, course.fleet.chance
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(2, 7))
        up = [seat for seat in fleet.seats if seat.life]
        if len(up) <= 3:
            continue
        away_s = chance.uniform(0.1, 4) if chance.random() < 0.85 else chance.uniform(11, 16)
        if chance.random() < 0.4:
            fleet.faults.clear()  # how soon another one polls is measured without them
            await course.kill_the_poller(away_s)
        else:
            course.begin(_away(course, chance.choice(up), away_s, kills=chance.random() < 0.5))


async def _away(course: Course, seat: Seat, away_s: float, *, kills: bool) -> None:
    life = seat.life
    if life is None:
        return
    if kills:
        course.killed += 1
        await life.kill()
    else:
        course.left += 1
        await life.leave()
    if course.fleet.chance.random() < 0.5:
        course.people.say(course.fleet.people["Bob"], "topic", seat, course.fleet.workshop)
    await asyncio.sleep(away_s)
    await course.bring_back(seat)


async def _visits(course: Course, until: float) -> None:
    """Sessions that nobody means come and go: they must hear nothing."""
    chance, number = course.fleet.chance, 0
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(5, 20))
        number += 1
        course.begin(_visit(course, number, chance.uniform(3, 15), kills=chance.random() < 0.5))


async def _visit(course: Course, number: int, stays_s: float, *, kills: bool) -> None:
    visitor: Life = await course.fleet.start(await course.fleet.guest(number))
    await asyncio.sleep(stays_s)
    if visitor.is_up:  # it may have polled, and been killed for it
        await (visitor.kill() if kills else visitor.leave())


async def _weather(course: Course, until: float) -> None:
    """Telegram is slow, or fails, now and then; some of what it fails to answer it has done."""
    chance = course.fleet.chance
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(4, 15))
        trouble = chance.choice(("slow", "server_error", "bad_gateway", "drop"))
        method = chance.choice(("*", "getUpdates", "getUpdates", "sendMessage", "setMessageReaction"))
        course.fleet.faults.clear()
        course.fleet.faults.add(
            trouble, method, times=chance.randint(1, 4), seconds=chance.uniform(0.2, 2), after=chance.random() < _DONE
        )
        course.faults += 1


def complaints(course: Course, findings: Findings) -> list[str]:
    """Everything that was not as promised, one line each."""
    return [
        *(f"lost: {one}" for one in findings.lost),
        *(f"misrouted: {one}" for one in findings.misrouted),
        *(f"out of order: {one}" for one in findings.reordered),
        *(f"doubled: {one}" for one in findings.doubled),
        *(f"answer: {one}" for one in course.people.wrong_answers(had_faults=course.faults > 0)),
        *(f"verdict: {one}" for one in course.people.wrong_verdicts()),
        *(f"trouble: {one}" for one in course.trouble),
        *(f"Telegram complains: {one}" for one in dict.fromkeys(course.fleet.telegram.complaints)),
    ]
