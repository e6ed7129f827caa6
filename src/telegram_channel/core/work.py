"""One turn as those who watch it are shown it: its steps, the text that is being written, where it was answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from telegram_channel.core.hooks import HookCall, TextShown, ToolDenied, ToolEnded, ToolStarting, TurnEnded
from telegram_channel.core.progress import Board, chat_replied_to
from telegram_channel.core.turns import Turn, Where

_MOST_CHARACTERS = 16_000
"""Of a longer text only the beginning is kept: more than any one message shows."""
_GAP = "…"
"""Stands for pieces of a text that were never heard."""
_MOST_EARLY = 8
"""Pieces come one by one, and only those that are sent at the same moment overtake each other."""


def _nothing() -> Mapping[int, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Words:
    """The newest text of Claude, as far as it was heard."""

    message: str
    text: str = ""
    heard: int = 0
    """Pieces up to this index, exclusive, are in it or will never come."""
    early: Mapping[int, str] = field(default_factory=_nothing)
    """Pieces that have overtaken others, which they wait for."""

    def with_piece(self, piece: TextShown) -> "Words":
        """The same with one more piece; one that was heard before, or of a text that is long enough, is ignored.

        A piece waits for those before it, until so many wait that whatever is missing will never come.
        """
        if piece.index < self.heard or piece.index in self.early or len(self.text) >= _MOST_CHARACTERS:
            return self
        early, text, heard = {**self.early, piece.index: piece.delta}, self.text, self.heard
        if len(early) > _MOST_EARLY:
            text, heard = text + _GAP, min(early)
        while heard in early:
            text, heard = text + early.pop(heard), heard + 1
        return Words(self.message, text[:_MOST_CHARACTERS], heard, MappingProxyType(early))


@dataclass(frozen=True, slots=True)
class Answered:
    """A place was answered after so many steps."""

    after_steps: int
    at: datetime


def _nowhere() -> Mapping[Where, Answered]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Work:
    """What became of one turn so far."""

    number: int
    board: Board
    answered: Mapping[Where, Answered] = field(default_factory=_nowhere)
    """The last answer to each place that asked."""
    words: Words | None = None
    ended_at: datetime | None = None
    replaced: bool = False
    """Whether another turn has begun: nothing more can come."""

    @classmethod
    def begun(cls, turn: Turn, at: datetime) -> "Work":
        """A turn that is heard of for the first time."""
        return cls(turn.number, Board(turn.began_at or at, at))

    def learned(self, call: HookCall, turn: Turn, at: datetime) -> "Work":
        """The same after a hook said something; `turn` is the state that it led to."""
        if isinstance(call, TurnEnded):
            return replace(self, ended_at=self.ended_at or at)
        seen = self.seen(turn, at)
        if seen.ended_at is not None:
            return seen
        board, words = self.board.heard(at), self.words
        match call:
            case ToolStarting(tool):
                board = board.started(tool, at)
            case ToolEnded(tool, ok):
                board = board.ended(tool, ok=ok, at=at)
            case ToolDenied(tool):
                board = board.ended(tool, ok=False, at=at)
            case TextShown(message=message):
                known = words if words and words.message == message else Words(message)
                words = known.with_piece(call)
            case _:
                pass
        # The turn knows the first answer to each place; a call of `reply` tells of any other.
        replied = chat_replied_to(call.call) if isinstance(call, ToolEnded) and call.ok else None
        again = [where for where in seen.answered if where.chat == replied]
        return replace(seen, board=board, words=words)._with_answers(again, at)

    def seen(self, turn: Turn, at: datetime) -> "Work":
        """The same after a look at the turn: it may have been answered or have ended without a hook that says so."""
        if not turn.in_flight:
            return replace(self, ended_at=self.ended_at or at)
        new = [where for where in turn.answered if where not in self.answered]
        return replace(self, ended_at=None)._with_answers(new, at)

    def _with_answers(self, places: Sequence[Where], at: datetime) -> "Work":
        if not places:
            return self
        answer = Answered(self.board.count, at)
        return replace(self, answered=MappingProxyType({**self.answered, **dict.fromkeys(places, answer)}))

    def over(self) -> "Work":
        """The same when the next turn has begun; where its end was not heard, it ended with the last word of it."""
        return replace(self, ended_at=self.ended_at or self.board.heard_at, replaced=True)

    def folded_at(self, where: Where) -> datetime | None:
        """Since when a place has all it waited for; None while there is work since it was last answered."""
        if self.ended_at is not None:
            return self.ended_at
        answer = self.answered.get(where)
        return answer.at if answer and answer.after_steps == self.board.count else None

    def is_awaited(self, where: Where) -> bool:
        """Whether a place still waits for its first answer of this turn."""
        return self.ended_at is None and where not in self.answered
