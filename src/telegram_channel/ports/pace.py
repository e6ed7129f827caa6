"""The limits of the platform, shared by all processes that send for one bot."""

from collections.abc import Collection
from typing import Protocol

from telegram_channel.core.ids import ChatId
from telegram_channel.core.pacing import Answer, Passage


class Pace(Protocol):
    """Who may send when. Losing what it keeps costs nothing, so nothing of it waits for the disk.

    A sender is one object of this kind; it asks for one passage per chat and kind at a time. Any method may
    raise `StateUnwritable`, at once or within half a second: then the sender is on its own.
    """

    async def ask(self, passage: Passage) -> Answer:
        """Whether a request may leave now, decided in one step for all processes.

        `Go` has taken its slots. With any other answer nothing is taken; the sender keeps its place in the
        queue if it asks again in time.
        """

    async def pause(self, chat: ChatId, kinds: Collection[str], seconds: float) -> None:
        """Let no process send anything of these kinds to a chat for so long; a longer pause stays.

        Several kinds at once are the chat as a whole. When three chats pause at the same time, the bot does:
        until the first of them is through, and for five seconds at most.
        """

    async def pause_s(self, chat: ChatId, kind: str) -> float:
        """For how many seconds more nothing of this kind may leave for a chat, whoever asked for the pause."""
