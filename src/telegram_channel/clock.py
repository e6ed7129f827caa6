"""The real clock; tests bring their own."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """Time as the machine knows it (`ports.Clock`)."""

    def now(self) -> datetime:
        """Wall time, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)
