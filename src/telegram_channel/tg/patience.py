"""How often and how long one request is tried: never twice where that could double a message.

Certainly not carried out: tried again, within a minute. Told to wait: waits exactly that, if it is less
than a minute in all. Perhaps carried out: tried again only where repeating changes nothing.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from telegram_channel.core.ids import ChatId
from telegram_channel.errors import Ambiguous, FloodWait, Unreachable
from telegram_channel.ports import Clock
from telegram_channel.tg.limits import MOST_FLOOD_WAIT_S
from telegram_channel.tg.outbox import Kind, Outbox

T = TypeVar("T")

_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Before each further try of a request that did not leave."""


async def patiently(
    outbox: Outbox,
    clock: Clock,
    chat: ChatId,
    attempt: Callable[[], Awaitable[T]],
    *,
    kind: Kind = Kind.MESSAGE,
    messages: int = 1,
    urgent: bool = False,
    repeatable: bool = False,
) -> T:
    """The result of `attempt`, made in its turn and tried again where that is safe.

    Raises:
        ChatError: the last failure.
    """
    patience_s = MOST_FLOOD_WAIT_S
    give_up_s: float | None = None
    pauses = iter(_PAUSES_S)
    while True:
        patience_s = await outbox.slot(chat, kind, messages, urgent=urgent, patience_s=patience_s)
        # What others send to the same chat may take its time; only from here on it is about this request.
        if give_up_s is None:
            give_up_s = clock.monotonic() + MOST_FLOOD_WAIT_S
        try:
            return await attempt()
        except FloodWait as flood:
            await outbox.hold(chat, flood.retry_after_s, kind)
        except Unreachable:
            if not await _paused(clock, pauses, give_up_s):
                raise
        except Ambiguous:
            if not (repeatable and await _paused(clock, pauses, give_up_s)):
                raise


async def _paused(clock: Clock, pauses: Iterator[float], give_up_s: float) -> bool:
    """Wait before another try; False when there shall be none."""
    pause_s = next(pauses, None)
    if pause_s is None or clock.monotonic() + pause_s > give_up_s:
        return False
    await clock.sleep(pause_s)
    return True
