"""When the session last did something we could see: as long as it is at work, silence means nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from telegram_channel.ports import Clock


class Activity:
    """Signs of life of the session, noted by whoever sees one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ongoing = 0
        self._at_work: list[Callable[[], bool]] = []
        self.last_at: datetime | None = None
        """When the last sign was seen, None before the first."""

    @property
    def busy(self) -> bool:
        """Whether the session is at work at this moment, as far as anybody knows."""
        return self._ongoing > 0 or any(at_work() for at_work in self._at_work)

    def busy_while(self, at_work: Callable[[], bool]) -> None:
        """Count the session as busy whenever `at_work` says so, from now on."""
        self._at_work.append(at_work)

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
