"""When the session last did something we could see: as long as it is at work, silence means nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from telegram_channel.ports import Clock


class Activity:
    """Signs of life of the session, noted by whoever sees one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ongoing = 0
        self.last_at: datetime | None = None
        """When the last sign was seen, None before the first."""

    @property
    def busy(self) -> bool:
        """Whether the session is doing something for us at this moment."""
        return self._ongoing > 0

    def note(self) -> None:
        """The session did something."""
        self.last_at = self._clock.now()

    @contextmanager
    def ongoing(self) -> Iterator[None]:
        """The session waits for us, for as long as the context lasts."""
        self._ongoing += 1
        self.note()
        try:
            yield
        finally:
            self._ongoing -= 1
            self.note()
