"""A flow that fails begins again by itself: a fault in one of them must not stop the messages of all.

What the stored state itself is the reason for is passed on, because then everything has to be opened anew.

Whoever goes on after a failure first heeds a cancellation (`pause_after`, `heed_cancellation`): of the two,
`asyncio.gather` and task groups let only the failure be heard, and the task would go on for ever.
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
UNWRITABLE_PAUSE_S = 1.0
"""Before something that could not be stored is tried again: somebody may have made room on the disk."""
_RECOVERED_AFTER_S = 60.0
"""Whoever ran for so long before failing again had recovered."""


def heed_cancellation(fault: Exception) -> None:
    """Raise the cancellation that came as something failed, if one came: whoever is told to stop stops."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from fault


async def pause_after(fault: Exception, clock: Clock, pause_s: float = UNWRITABLE_PAUSE_S) -> None:
    """Wait before what has failed is tried again, unless this task was told to stop."""
    heed_cancellation(fault)
    await clock.sleep(pause_s)


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
            heed_cancellation(fault)
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
