"""The shared pace without a disk: several on one book are several processes."""

from collections.abc import Collection

from telegram_channel.core.ids import ChatId
from telegram_channel.core.pacing import Answer, Passage
from telegram_channel.storage.memory_tables import Part


class MemoryPace(Part):
    """`ports.Pace` in memory."""

    async def ask(self, passage: Passage) -> Answer:
        """Whether a request may leave now."""
        return self._tables.lanes.ask(passage, f"{id(self)} {passage.chat} {passage.kind}", self._now())

    async def pause(self, chat: ChatId, kinds: Collection[str], seconds: float) -> None:
        """Let nothing of these kinds leave for a chat for so long."""
        self._tables.lanes.pause(chat, kinds, seconds, self._now())

    async def pause_s(self, chat: ChatId, kind: str) -> float:
        """For how many seconds more nothing of this kind may leave for a chat."""
        return self._tables.lanes.pause_s(chat, kind, self._now())

    def _now(self) -> float:
        return self._store.now().timestamp()
