"""People who wished for it see what Claude is doing, wherever a question of this turn came from.

Hooks are only noted: whatever is shown is shown by another task, so Claude never waits for Telegram, and a
slow chat holds up no other.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime

from telegram_channel.bridge.audience import ShowingRules, news_or_after
from telegram_channel.bridge.boards import BoardMessage
from telegram_channel.bridge.drafts import Drafts
from telegram_channel.core.hooks import HookCall
from telegram_channel.core.turns import Turn, Where
from telegram_channel.core.work import Work
from telegram_channel.ports import Chat, Clock, Store

_LOOK_EVERY_S = 1.0
"""While there is work, and something is heard of it."""
_MOST_NEWS = 500
"""Hooks nobody has looked at yet; beyond that the oldest are forgotten, which costs a few lines of progress."""


class Progress:
    """Shows the turns of this process's session."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        clock: Clock,
        rules: ShowingRules | None = None,
        *,
        turn: Callable[[], Turn] | None = None,
        must_not_leave: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`turn`: how the turn stands, looked at now and then: not every answer or end of one comes with a hook.

        `must_not_leave`: whether Claude's text holds what nobody in a chat may see, or may be about to.
        """
        self._turn = turn
        self._must_not_leave = must_not_leave
        self._store = store
        self._chat = chat
        self._clock = clock
        self._rules = rules or ShowingRules()
        self._news: deque[tuple[HookCall, Turn, datetime]] = deque(maxlen=_MOST_NEWS)
        self._noted = asyncio.Event()
        self._work: Work | None = None
        self._places: dict[Where, tuple[BoardMessage, Drafts]] = {}
        """What is shown of the present turn."""

    def heard(self, call: HookCall, turn: Turn) -> None:
        """Note what a hook said; returns at once."""
        self._news.append((call, turn, self._clock.now()))
        self._noted.set()

    async def run(self) -> None:
        """Show what was noted until cancelled; what is shown then is folded, as far as there is time.

        Raises:
            ExceptionGroup: the stored state is unreadable, or a fault of our own.
        """
        self._work, self._places = None, {}
        async with asyncio.TaskGroup() as group:
            while True:
                await news_or_after(self._noted, self._clock, _LOOK_EVERY_S if self._has_to_look else None)
                self._noted.clear()
                while self._news:
                    self._take_in(group, *self._news.popleft())
                self._look_at_turn(group)

    @property
    def _has_to_look(self) -> bool:
        if self._turn is None or self._work is None or self._work.ended_at is not None:
            return False
        return not self._work.board.is_quiet(self._clock.now())

    def _look_at_turn(self, group: asyncio.TaskGroup) -> None:
        """See what the turn has become without any hook."""
        if self._turn is None or self._work is None:
            return
        turn = self._turn()
        if turn.number == self._work.number:
            work = self._work.seen(turn, self._clock.now())
            if work != self._work or any(asked.where not in self._places for asked in turn.asked):
                self._show(group, work, turn)
        elif self._work.ended_at is None:
            self._replace()

    def _take_in(self, group: asyncio.TaskGroup, call: HookCall, turn: Turn, at: datetime) -> None:
        if self._work is not None and self._work.number != turn.number:
            self._replace()
        # Also while nobody asked: who did is read from the store, and the first steps may be faster.
        work = self._work or Work.begun(turn, at)
        self._show(group, work.learned(call, turn, at), turn)

    def _show(self, group: asyncio.TaskGroup, work: Work, turn: Turn) -> None:
        self._work = work
        for asked in turn.asked:
            if asked.where not in self._places:
                self._places[asked.where] = self._accompanied(group, asked.where, work)
        self._tell(work)

    def _replace(self) -> None:
        """Another turn has begun: this one is over everywhere."""
        if self._work is not None:
            self._tell(self._work.over())
        self._work, self._places = None, {}

    def _accompanied(self, group: asyncio.TaskGroup, where: Where, work: Work) -> tuple[BoardMessage, Drafts]:
        board = BoardMessage(self._store, self._chat, self._clock, self._rules, where, work)
        drafts = Drafts(self._store, self._chat, self._clock, self._rules, where, work, self._must_not_leave)
        group.create_task(board.run())
        group.create_task(drafts.run())
        return board, drafts

    def _tell(self, work: Work) -> None:
        for shown in self._places.values():
            for one in shown:
                one.show(work)
