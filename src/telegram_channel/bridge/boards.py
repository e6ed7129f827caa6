"""One silent message that says what Claude is doing, edited in place: never two edits at once, the newest wins.

It is sent with the first step, folded at once when the answer comes or the turn ends, and unfolded if Claude
goes on working after an answer. A message that is not known to have arrived has no id, so there is none then.
"""

import asyncio
import logging
import math
from typing import assert_never

from telegram_channel.bridge.audience import Audience, ShowingRules, audience_of, news_or_after
from telegram_channel.core import progress
from telegram_channel.core.ids import MessageId
from telegram_channel.core.outgoing import OutMessage, PartlySent, Refused, SendOutcome, Sent, Uncertain
from telegram_channel.core.text import Styled
from telegram_channel.core.turns import Where
from telegram_channel.core.work import Work
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 60.0
_MOST_FAILURES = 8
"""In a row, with a pause that doubles each time: some minutes, long enough for Telegram to take a breath."""

_Face = tuple[object, ...]
"""What a reader would see a difference in."""


class BoardMessage:
    """The progress message of one turn in one place."""

    def __init__(self, store: Store, chat: Chat, clock: Clock, rules: ShowingRules, where: Where, work: Work) -> None:
        self._store = store
        self._chat = chat
        self._clock = clock
        self._rules = rules
        self._where = where
        self._work = work
        self._news = asyncio.Event()
        self._every_s = rules.group_every_s
        self._message: MessageId | None = None
        self._sending: asyncio.Task[SendOutcome] | None = None
        self._considered: _Face | None = None
        """What the message shows, or what nobody wants to see."""
        self._tried_at_s = -math.inf
        self._failures = 0
        self._folded = False
        """Whether the message in the chat is folded."""
        self._over = False

    def show(self, work: Work) -> None:
        """The turn went on."""
        self._work = work
        self._news.set()

    async def run(self) -> None:
        """Keep the message true until the next turn begins, or it cannot be. When cancelled, it is folded."""
        try:
            while not self._over:
                self._news.clear()
                await news_or_after(self._news, self._clock, await self._look())
        finally:
            await self._leave()

    async def _look(self) -> float | None:
        """Bring the message up to date if it is time; returns in how many seconds to look again, None: with news."""
        work, board = self._work, self._work.board
        folded_at = work.folded_at(self._where)
        face = self._face(work)
        nothing_to_fold = folded_at is not None and self._message is None
        if face == self._considered or board.count == 0 or nothing_to_fold:
            if work.replaced:
                self._over = True
                return 0.0
            resting = folded_at is not None or self._message is None or board.is_quiet(self._clock.now())
            return None if resting else self._until_refresh_s()
        begins_to_fold = folded_at is not None and not self._folded and not self._failures
        wait_s = 0.0 if begins_to_fold else self._tried_at_s + self._pause_s - self._clock.monotonic()
        if wait_s > 0:
            return wait_s
        self._tried_at_s = self._clock.monotonic()
        audience = await audience_of(self._store, self._where.chat)
        if audience:
            self._every_s = self._rules.private_every_s if audience.is_private else self._rules.group_every_s
        if audience is None or not (folded_at or audience.wishes.progress or self._has_to_be_put_away):
            self._considered = face
        elif await self._bring(self._body(work, audience)):
            self._considered, self._folded = face, folded_at is not None or not audience.wishes.progress
        return 0.0

    @property
    def _has_to_be_put_away(self) -> bool:
        """Whether it claims that there is work: also when nobody wishes for it any more, it ends with the truth."""
        return self._message is not None and not self._folded

    def _face(self, work: Work) -> _Face:
        board, now = work.board, self._clock.now()
        if work.folded_at(self._where) is not None:
            return "folded", board.count, board.failed
        if board.is_quiet(now):
            return "quiet", board.count, board.heard_at
        refreshes = (now - board.began_at).total_seconds() // self._rules.refresh_every_s
        return "working", board.count, board.steps, refreshes

    def _until_refresh_s(self) -> float:
        every_s = self._rules.refresh_every_s
        passed_s = (self._clock.now() - self._work.board.began_at).total_seconds()
        return every_s - passed_s % every_s

    @property
    def _pause_s(self) -> float:
        return min(self._every_s * 2.0**self._failures, max(self._every_s, _LONGEST_PAUSE_S))

    def _body(self, work: Work, audience: Audience) -> Styled:
        """What the message shall say."""
        folded_at, now = work.folded_at(self._where), self._clock.now()
        if folded_at is None and audience.wishes.progress:
            return progress.working(work.board, now)
        return progress.folded(work.board, folded_at or now, finished=folded_at is not None)

    async def _bring(self, body: Styled) -> bool:
        """Send or edit the message; whether it is known to say this now."""
        if self._message is not None:
            return self._noted(await self._chat.edit(self._where.chat, self._message, body))
        message = OutMessage(self._where.chat, body, self._where.thread, silent=True)
        self._sending = asyncio.create_task(self._chat.send(message))
        # Shielded: whoever ends while it is under way still wants to learn the id, to fold it.
        return self._noted(await asyncio.shield(self._sending))

    def _noted(self, outcome: SendOutcome) -> bool:
        match outcome:
            case Sent(refs) | PartlySent(refs):
                self._message = self._message or next(iter(refs), None)
                self._over = self._message is None
                self._failures = 0
                return True
            case Uncertain():
                self._over = self._message is None
                self._failures += 1
            case Refused(closed=closed, moved_to=moved_to):
                self._over = closed or moved_to is not None
                self._failures += 1
            case _:
                assert_never(outcome)
        if self._failures >= _MOST_FAILURES:
            self._over = True
        _log.debug("progress was not shown: %s", outcome)
        return False

    async def _leave(self) -> None:
        """Fold what would otherwise claim for ever that there is work, if that can be done in time."""
        if self._over or (self._sending is None and self._message is None):
            return
        folding = asyncio.create_task(self._fold())
        nap = asyncio.ensure_future(self._clock.sleep(self._rules.leave_within_s))
        try:
            await asyncio.wait({folding, nap}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            folding.cancel()
            nap.cancel()

    async def _fold(self) -> None:
        if self._message is None and self._sending is not None:
            self._noted(await self._sending)
        if self._message is not None and self._has_to_be_put_away:
            work = self._work
            ended_at = work.folded_at(self._where)
            body = progress.folded(work.board, ended_at or self._clock.now(), finished=ended_at is not None)
            await self._chat.edit(self._where.chat, self._message, body)
