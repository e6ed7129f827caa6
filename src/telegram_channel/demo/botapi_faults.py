"""Everything that can go wrong between a bot and the platform, on demand and counted.

One `Faults` serves both shells. A fault names a method (or `*`, or `file` for downloads), what happens, and
how many times. The oldest fitting one comes first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telegram_channel.demo.botapi_updates import CONFLICT_POLL
from telegram_channel.demo.botapi_wire import UNAUTHORIZED, Answer, answer_flood, answer_refused

EVERY_METHOD: Final = "*"
DOWNLOADS: Final = "file"


class Trouble(StrEnum):
    """What happens instead of a proper answer."""

    HANG = "hang"
    """No answer until the fault is cleared."""
    SLOW = "slow"
    """The proper answer, `seconds` later."""
    BAD_GATEWAY = "bad_gateway"
    """A 502 with a page of HTML."""
    MALFORMED = "malformed"
    """A 200 whose body is no JSON."""
    UNAUTHORIZED = "unauthorized"
    """A 401: the token was revoked."""
    CONFLICT = "conflict"
    """A 409: somebody else polls."""
    FLOOD = "flood"
    """A 429 that asks to wait `seconds`."""
    SERVER_ERROR = "server_error"
    """A 500 in the platform's form."""
    DROP = "drop"
    """The connection ends without an answer."""
    UNREACHABLE = "unreachable"
    """No connection at all. Over real HTTP the connection is made first, and dropped."""


@dataclass(eq=False, slots=True)
class Fault:
    """One rule."""

    trouble: Trouble
    method: str = EVERY_METHOD
    times: int | None = None
    """How often it still strikes; None: until it is cleared."""
    seconds: float = 0
    after: bool = False
    """The call is carried out first, only its answer suffers: what makes a send ambiguous."""
    struck: int = 0
    """How often it has."""

    def fits(self, method: str) -> bool:
        """Whether a call suffers from it; downloads only when they are named."""
        if self.times is not None and self.struck >= self.times:
            return False
        wanted = self.method.lower()
        return wanted == method.lower() or (wanted == EVERY_METHOD and method != DOWNLOADS)

    def answer(self) -> Answer | None:
        """What it answers; None for those that are not about answers."""
        match self.trouble:
            case Trouble.BAD_GATEWAY:
                return Answer(502, BAD_GATEWAY_PAGE, "text/html")
            case Trouble.MALFORMED:
                return Answer(200, b'{"ok":true,"result":[{"update_id":')
            case Trouble.UNAUTHORIZED:
                return UNAUTHORIZED
            case Trouble.CONFLICT:
                return answer_refused(409, CONFLICT_POLL)
            case Trouble.FLOOD:
                return answer_flood(max(1, round(self.seconds)))
            case Trouble.SERVER_ERROR:
                return answer_refused(500, "Internal Server Error: restart")
            case Trouble.HANG | Trouble.SLOW | Trouble.DROP | Trouble.UNREACHABLE:
                return None


BAD_GATEWAY_PAGE: Final = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._waiting: list[Callable[[], None]] = []

    def add(
        self,
        trouble: Trouble | str,
        method: str = EVERY_METHOD,
        *,
        times: int | None = None,
        seconds: float = 0,
        after: bool = False,
    ) -> Fault:
        """Put a rule in force."""
        fault = Fault(Trouble(trouble), method, times, seconds, after)
        self._rules.append(fault)
        return fault

    def clear(self) -> None:
        """Lift all rules; whatever hung goes on as if nothing had happened."""
        self._rules.clear()
        waiting, self._waiting = self._waiting, []
        for release in waiting:
            release()

    def take(self, method: str) -> Fault | None:
        """The rule that strikes this call, counted."""
        for fault in self._rules:
            if fault.fits(method):
                fault.struck += 1
                return fault
        return None

    def on_clear(self, release: Callable[[], None]) -> None:
        """Call this once when the rules are lifted."""
        self._waiting.append(release)

    @property
    def rules(self) -> tuple[Fault, ...]:
        """What is in force, spent rules included."""
        return tuple(self._rules)
