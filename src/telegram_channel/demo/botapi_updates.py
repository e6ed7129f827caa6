"""What waits for one bot and how getUpdates hands it out: nothing is forgotten before it is confirmed.

Rules of the real server that pollers trip over (source: the Bot API reference and its open-source server):

* an update is confirmed by the next call's offset, never by being delivered;
* a negative offset forgets everything but the last so many;
* an offset more than `FUTURE_SLACK` beyond the newest id is not believed: the call starts at the oldest;
* the same offset asked again within `GREEDY_S` waits at least that long, within half a second it gets one
  update at a time;
* of two calls that wait, the older ends with 409; a second 409 within `CONFLICT_HOLD_S` is held back so long;
* update types are chosen when an update is made, not when it is fetched, and the last choice is remembered.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from telegram_channel.demo.botapi_wire import Answer, Json, answer_ok, answer_refused

KEPT_S: Final = 24 * 3600.0
"""How long an unconfirmed update is kept (source: Bot API, "Getting updates")."""
MOST_AT_ONCE: Final = 100
LONGEST_POLL_S: Final = 50
FUTURE_SLACK: Final = 10
GREEDY_S: Final = 3.0
GREEDIER_S: Final = 0.5
CONFLICT_HOLD_S: Final = 3.0
ANSWER_BYTES: Final = 1 << 22
"""One answer carries at most about so many bytes of updates."""

ON_REQUEST_ONLY: Final = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
"""Update types that come only to a bot that names them (source: Bot API, getUpdates)."""
UPDATE_TYPES: Final = ON_REQUEST_ONLY | {
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
    "poll",
    "poll_answer",
    "my_chat_member",
}
"""What this emulator can make; a bot may name more, they never come."""

CONFLICT_POLL: Final = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)
CONFLICT_WEBHOOK: Final = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
CONFLICT_SET_WEBHOOK: Final = "Conflict: terminated by setWebhook request"


@dataclass(eq=False, slots=True)
class Pending:
    """One update that is not confirmed yet."""

    id: int
    made_at: float
    encoded: str
    is_planted: bool = False
    """Put there under an id of the test's choice: handed out at least once, whatever the offset."""
    was_handed_out: bool = False


@dataclass(eq=False, slots=True)
class LongPoll:
    """A getUpdates call that waits: the shell sleeps until `is_ready` or `deadline`, then finishes it."""

    deadline: float
    """Seconds since the epoch."""
    limit: int
    queue: "UpdateQueue"
    is_ready: bool = False
    verdict: Answer | None = None
    """An answer that was decided meanwhile: a conflict."""
    on_ready: Callable[[], None] | None = None
    """Set by the shell; called once, from whoever made the update."""

    def wake(self) -> None:
        """There is something to answer."""
        if not self.is_ready:
            self.is_ready = True
            if self.on_ready:
                self.on_ready()


class UpdateQueue:
    """The updates of one bot, oldest first, and the one call that may wait for more.

    `throttles`: greedy calls and repeated conflicts are slowed down.
    """

    def __init__(self, first_id: int, *, throttles: bool = True) -> None:
        self._pending: deque[Pending] = deque()
        self._next_id = first_id
        self._allowed: frozenset[str] | None = None
        self._waiting: LongPoll | None = None
        self._throttles = throttles
        self._last_offset = 0
        self._last_asked_at = float("-inf")
        self._next_conflict_at = float("-inf")
        self.polls = 0
        """How many getUpdates calls there were."""
        self.newest_at: float | None = None
        """When the newest update was made, confirmed or not."""

    # What arrives

    def push(self, kind: str, body: Json, now: float) -> int | None:
        """Add an update of a kind; its id, or None when the bot did not ask for that kind."""
        wanted = kind in self._allowed if self._allowed else kind not in ON_REQUEST_ONLY
        if not wanted:
            return None
        return self.inject({kind: body}, now)

    def inject(self, update: Any, now: float, *, update_id: int | None = None) -> int:
        """Add anything as an update, however malformed; `update_id` may repeat one that was used before.

        The next update of `push` gets the id after the highest that was given so far.
        """
        number = self._next_id if update_id is None else update_id
        self._next_id = max(self._next_id, number + 1)
        whole = {"update_id": number, **update} if isinstance(update, dict) else update
        encoded = json.dumps(whole, separators=(",", ":"))
        self._pending.append(Pending(number, now, encoded, is_planted=update_id is not None))
        self.newest_at = now
        if self._waiting:
            self._waiting.wake()
        return number

    def jump(self, to: int) -> None:
        """Give the next update this id, as the server does at random after a week without updates.

        Raises:
            ValueError: a step back so short that the server would take the next offset at its word.
        """
        if self._next_id - FUTURE_SLACK - 1 <= to < self._next_id:
            raise ValueError(f"jump further than {FUTURE_SLACK + 1} ids back, or forward")
        self._next_id = to

    def clear(self) -> None:
        """Forget everything (drop_pending_updates)."""
        self._pending.clear()

    @property
    def pending(self) -> tuple[Pending, ...]:
        """What is not confirmed, oldest first."""
        return tuple(self._pending)

    @property
    def is_waited_for(self) -> bool:
        """Whether a call waits right now."""
        return self._waiting is not None

    @property
    def allowed(self) -> tuple[str, ...]:
        """The types the bot asked for, empty for the default."""
        return tuple(sorted(self._allowed or ()))

    # What is handed out

    def choose(self, types: Iterable[str]) -> None:
        """Remember the update types a call named; an empty list means the default."""
        self._allowed = frozenset(types) or None

    def ask(self, offset: int, limit: int, timeout_s: int, now: float) -> Answer | LongPoll:
        """One getUpdates call; limit and timeout are clamped as the server does."""
        self.polls += 1
        limit = min(max(limit, 1), MOST_AT_ONCE)
        timeout_s = min(max(timeout_s, 0), LONGEST_POLL_S)
        if self._throttles and offset == self._last_offset:
            if timeout_s < GREEDY_S and now < self._last_asked_at + GREEDY_S:
                timeout_s = int(GREEDY_S)
            if now < self._last_asked_at + GREEDIER_S:
                limit = 1
        self._last_offset, self._last_asked_at = offset, now
        self._expire(now)
        self._confirm(offset)
        if self._pending:
            return self._hand_out(limit)
        if not timeout_s:
            return answer_ok([])
        self.interrupt(CONFLICT_POLL, now)
        self._waiting = LongPoll(now + timeout_s, limit, self)
        return self._waiting

    def finish(self, poll: LongPoll, now: float) -> Answer | LongPoll:
        """Answer a call that waited, or give it back when there is nothing to say yet."""
        if poll.verdict:
            return poll.verdict
        self._expire(now)
        if not self._pending and now < poll.deadline:
            poll.is_ready = False
            return poll
        self.abandon(poll)
        return self._hand_out(poll.limit)

    def abandon(self, poll: LongPoll) -> None:
        """The caller is gone; what it was waiting for stays."""
        if self._waiting is poll:
            self._waiting = None

    def interrupt(self, description: str, now: float) -> None:
        """End the call that waits, if any, with 409."""
        if self._waiting:
            poll, self._waiting = self._waiting, None
            poll.verdict = self.conflict(description, now)
            poll.wake()

    def conflict(self, description: str, now: float) -> Answer:
        """A 409; the second within `CONFLICT_HOLD_S` leaves only after that time."""
        if now >= self._next_conflict_at or not self._throttles:
            self._next_conflict_at = now + CONFLICT_HOLD_S
            return answer_refused(409, description)
        return answer_refused(409, description, hold_until=now + CONFLICT_HOLD_S)

    def _expire(self, now: float) -> None:
        while self._pending and self._pending[0].made_at < now - KEPT_S:
            self._pending.popleft()

    def _confirm(self, offset: int) -> None:
        """Forget what an offset confirms.

        After a jump ids are not monotonic: an update right before the offset that was handed out confirms
        itself and everything in front of it.
        """
        if offset < 0:
            while len(self._pending) > -offset:
                self._pending.popleft()
        if offset <= 0 or offset > self._next_id + FUTURE_SLACK:
            return
        last = max(
            (at for at, one in enumerate(self._pending) if one.id == offset - 1 and one.was_handed_out), default=-1
        )
        self._pending = deque(
            one
            for at, one in enumerate(self._pending)
            if (at > last and one.id >= offset) or (one.is_planted and not one.was_handed_out)
        )

    def _hand_out(self, limit: int) -> Answer:
        chosen: list[str] = []
        size = 0
        for one in islice(self._pending, limit):
            size += len(one.encoded) + 50
            if size > ANSWER_BYTES and chosen:
                break
            one.was_handed_out = True
            chosen.append(one.encoded)
        return Answer(200, f'{{"ok":true,"result":[{",".join(chosen)}]}}'.encode("ascii"))
