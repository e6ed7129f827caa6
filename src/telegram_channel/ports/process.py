"""What one process needs of its machine: time, and the right to poll."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time, so that tests can own it."""

    def now(self) -> datetime:
        """Wall time, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class Lease(Protocol):
    """The right to poll one bot, held by at most one process, released by the kernel on any death."""

    def acquire(self) -> bool:
        """Try once, without waiting. True again and again while held."""

    def release(self) -> None:
        """Give it up; safe when not held."""

    def is_held_elsewhere(self) -> bool:
        """Whether another process holds it at this moment."""
