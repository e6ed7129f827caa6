"""How fast a bot may send before the platform answers 429, as far as the documentation names figures.

About one message a second in a private chat with short bursts, 20 a minute in a group, 30 a second over all
(source: Bots FAQ, "My bot is hitting limits"). The length of a burst is not documented; here it is `BURST`.
"""

import math
from collections import deque
from typing import Final

from telegram_channel.demo.botapi_wire import Refused
from telegram_channel.demo.botapi_world import Chat, ChatKind

BURST: Final = 5
GROUP_PER_MINUTE: Final = 20
OVERALL_PER_SECOND: Final = 30


class FloodControl:
    """Counts what one bot sends, message by message."""

    def __init__(self) -> None:
        self._chats: dict[int, deque[float]] = {}
        self._overall: deque[float] = deque()

    def count(self, chat: Chat, messages: int, now: float) -> None:
        """Let so many messages pass, or none of them.

        Raises:
            Refused: 429, with the seconds until the same call would pass.
        """
        most, span_s = (BURST, BURST) if chat.kind is ChatKind.PRIVATE else (GROUP_PER_MINUTE, 60)
        sent = self._chats.setdefault(chat.id, deque())
        wait_s = max(
            _wait_s(sent, most, span_s, messages, now), _wait_s(self._overall, OVERALL_PER_SECOND, 1, messages, now)
        )
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            raise Refused(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})
        for _ in range(messages):
            sent.append(now)
            self._overall.append(now)


def _wait_s(sent: deque[float], most: int, span_s: float, messages: int, now: float) -> float:
    """Seconds until `messages` more are at most `most` within `span_s`; an album larger than that passes alone."""
    while sent and sent[0] <= now - span_s:
        sent.popleft()
    excess = min(len(sent), len(sent) + messages - most)
    return sent[excess - 1] + span_s - now if excess > 0 else 0.0
