"""Who lives: the sessions that take messages and whose process runs, under the names that people call them by.

Whether a process runs is asked of the system, which costs more than reading the list; so an answer is good
for a second. That a process has ended stays true until it is heard of again: the clock by which it was told may
have been wrong. One that was killed did not leave the list; once it is gone for good, it is taken off.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from telegram_channel.core.ids import SessionId
from telegram_channel.core.routing import Member
from telegram_channel.core.session_names import Named, labels, members
from telegram_channel.core.succession import Begun, Ended, takes_over
from telegram_channel.ports import Clock, SessionRecord, Store

ALIVE_FOR_S = 1.0
"""How long a process that was seen to run is believed to run."""
_SILENT_S = 240.0
"""Who has not been heard of for so long, and was not seen running, ended then and not when that was noticed: two
beats of a living process."""
_NOTICED_WITHIN_S = 15.0
"""How long before it was noticed a process may have ended that nobody had seen running before."""
_MOST_REMEMBERED = 200
"""Processes, and names of sessions that have ended."""

_Process = tuple[SessionId, int, datetime]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class About:
    """What a session is called and where it works, each empty where it is not known."""

    label: str = ""
    project: str = ""
    branch: str = ""


def about_session(session: SessionId, living: Sequence[Member], records: Sequence[SessionRecord]) -> About:
    """What is known of one session, whether it lives or not."""
    record = next((one for one in reversed(records) if one.session == session), None)
    label = next((one.label for one in living if one.session == session), "")
    return About(label or record.name, record.project, record.branch) if record else About(label)


class Roster:
    """The living sessions of one bot."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        is_alive: Callable[[SessionRecord], bool],
        own: SessionRecord | None = None,
    ) -> None:
        """`own`: this very process, which lives whatever the list says."""
        self._store = store
        self._clock = clock
        self._is_alive = is_alive
        self._own = own
        self._seen_alive_s: dict[_Process, float] = {}
        self._ended: dict[_Process, datetime] = {}
        """Who has ended, and when each had been heard of last."""
        self._noticed_s: dict[_Process, float] = {}
        """When it was noticed that they had (monotonic seconds)."""
        self._alive_until_s: dict[_Process, float] = {}
        """When they were seen running last, where they were."""
        self._anew_since_s = -math.inf
        self._called: dict[SessionId, str] = {}
        """What sessions were called last: they are spoken of after their end."""

    async def living(self) -> tuple[SessionRecord, ...]:
        """The processes that take messages, oldest first; two of one session are both named."""
        return self.living_of(await self._store.sessions.list())

    def living_of(self, records: Sequence[SessionRecord]) -> tuple[SessionRecord, ...]:
        """Those of the list that take messages and run."""
        own = self._own
        living = [one for one in records if one.receives and self._runs(one)]
        if own is not None and own.receives and not any(_process(one) == _process(own) for one in living):
            living = sorted((*living, own), key=lambda one: one.started_at)
        return tuple(living)

    async def members(self) -> tuple[Member, ...]:
        """The living sessions under their labels, oldest first."""
        return self.members_of(await self.living())

    def recent_of(
        self, records: Sequence[SessionRecord], ended: Sequence[SessionRecord], within_s: float
    ) -> tuple[Member, ...]:
        """Sessions that ended less than `within_s` ago, as far as was noticed, and may come back.

        `records` are the listed processes, `ended` the sessions that have left the list.
        """
        now, now_s = self._clock.now(), self._clock.monotonic()
        since = now - timedelta(seconds=within_s)
        left = [one for one in ended if since < one.last_seen_at <= now]
        since_s = now_s - within_s
        killed = [one for one in records if one.receives and self._noticed_s.get(_process(one), since_s) > since_s]
        if not left and not killed:
            return ()
        living = self.living_of(records)
        self.members_of(living)
        there = {one.session for one in living}
        gone = {one.session: one for one in (*left, *killed) if one.session not in there}
        return tuple(
            Member(session, self._called_last(session, living, (one,)), one.project) for session, one in gone.items()
        )

    def look_anew(self) -> None:
        """Ask of everybody again whether they run: somebody has just ended, as whoever takes over polling knows."""
        self._anew_since_s = self._clock.monotonic()

    async def retire(self, records: Sequence[SessionRecord], after_s: float) -> bool:
        """Take off the list whoever was killed more than `after_s` ago, as far as was noticed; whether anybody was.

        It need not be waited for that one comes back which was followed by the next of its project.

        Raises:
            StateError: some may be listed still.
        """
        now, now_s = self._clock.now(), self._clock.monotonic()
        living = self.living_of(records)
        retired = False
        for one in records:
            if self._runs(one):
                continue
            noticed_s = self._noticed_s.get(_process(one), now_s)
            alive_s = self._alive_until_s.get(_process(one), noticed_s - _NOTICED_WITHIN_S)
            ended_at = max(one.last_seen_at, now - timedelta(seconds=now_s - alive_s))
            if now_s - noticed_s >= after_s or any(_follows(next_one, one, ended_at) for next_one in living):
                await self._store.sessions.leave(one.session, one.pid, ended_at)
                retired = True
        return retired

    def members_of(self, living: Sequence[SessionRecord]) -> tuple[Member, ...]:
        """The same, of processes that are known to live."""
        found = members(_named(one) for one in living)
        for one in found:
            self._called.pop(one.session, None)
            self._called[one.session] = one.label
        _limit(self._called)
        return found

    async def label_of(self, session: SessionId) -> str:
        """What people call a session, or called it when it lived; empty when nobody knows."""
        return self.last_label(session, await self._store.sessions.list())

    def last_label(self, session: SessionId, records: Sequence[SessionRecord]) -> str:
        """The same, with the list at hand."""
        living = self.living_of(records)
        self.members_of(living)
        return self._called_last(session, living, [one for one in records if one.session == session])

    def _called_last(
        self, session: SessionId, living: Sequence[SessionRecord], known: Sequence[SessionRecord]
    ) -> str:
        """The same, after the living were given their labels; one that another has by now says that it is old."""
        if (label := self._called.get(session)) is not None:
            others = {self._called[one.session] for one in living if one.session != session}
            return f"{label} (earlier)" if label in others else label
        # It never took messages, or ended before anybody looked; beside those that live, it gets a name of its own.
        return labels(_named(one) for one in (*living, *known)).get(session, "")

    def _runs(self, record: SessionRecord) -> bool:
        process = _process(record)
        if self._own is not None and process == _process(self._own):
            return True
        if self._ended.get(process) == record.last_seen_at:
            return False
        now_s = self._clock.monotonic()
        seen_s = self._seen_alive_s.get(process)
        if seen_s is not None and seen_s >= self._anew_since_s and now_s - seen_s < ALIVE_FOR_S:
            return True
        if self._is_alive(record):
            self._seen_alive_s.pop(process, None)
            self._seen_alive_s[process] = now_s
            _limit(self._seen_alive_s)
            return True
        self._ended.pop(process, None)
        self._ended[process] = record.last_seen_at
        _limit(self._ended)
        silent_s = (self._clock.now() - record.last_seen_at).total_seconds() if seen_s is None else 0.0
        self._noticed_s[process] = now_s - max(0.0, silent_s - _SILENT_S)
        _limit(self._noticed_s)
        if (alive_s := self._seen_alive_s.pop(process, None)) is not None:
            self._alive_until_s[process] = alive_s
            _limit(self._alive_until_s)
        return False


def _follows(new: SessionRecord, gone: SessionRecord, ended_at: datetime) -> bool:
    """Whether a process may be that of a successor; the store knows whether its session was there before."""
    after = Begun(new.session, new.project, new.started_at)
    return takes_over(after, Ended(gone.session, gone.project, ended_at))


def _process(record: SessionRecord) -> _Process:
    return record.session, record.pid, record.started_at


def _named(record: SessionRecord) -> Named:
    return Named(record.session, record.name, record.started_at, record.project, record.branch)


def _limit(kept: dict[K, V]) -> None:
    if len(kept) > _MOST_REMEMBERED:
        del kept[next(iter(kept))]
