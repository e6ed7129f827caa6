"""A flow that fails begins again by itself: a fault in one of them must not stop the messages of all.

What the stored state itself is the reason for is passed on, because then everything has to be opened anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from telegram_channel.errors import StateError, StateUnwritable, first_of
from telegram_channel.ports import Clock

_log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""The pause doubles with each failure in a row."""
_RECOVERED_AFTER_S = 60.0
"""Whoever ran for so long before failing again had recovered."""


async def keep_running(name: str, flow: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Run a flow until it returns or is cancelled, again and again if need be.

    Raises:
        StateUnreadable: time alone does not mend it.
        StateTooNew: the same.
    """
    pause_s = FIRST_PAUSE_S
    while True:
        began_s = clock.monotonic()
        try:
            await flow()
        except Exception as fault:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                # What failed at the moment of the cancellation was heard instead of it (`asyncio.gather` does that).
                raise asyncio.CancelledError from fault
            unwritable = first_of(fault, StateUnwritable)
            if unwritable is not None:
                _log.warning("%s waits: %s", name, unwritable.explained())
            elif first_of(fault, StateError) is not None:
                raise
            else:
                _log.exception("%s failed and begins again.", name)
        else:
            return
        if clock.monotonic() - began_s >= _RECOVERED_AFTER_S:
            pause_s = FIRST_PAUSE_S
        await clock.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
