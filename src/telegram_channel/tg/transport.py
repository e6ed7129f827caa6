"""HTTP to the Bot API: whatever goes wrong leaves here as a `ChatError`, told apart by what may be repeated.

The class of an error is decided where the facts are: the exception of the HTTP client, the status, the
body. Nothing that leaves names the token, and no exception drags one along that does.
"""

import json
import math
import re
from typing import Any
from urllib.parse import urlencode

import httpx
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from telegram_channel.errors import (
    Ambiguous,
    BadRequest,
    BadToken,
    ChatClosed,
    ChatError,
    ChatMoved,
    FloodWait,
    PollingConflict,
    TopicGone,
    Unreachable,
)
from telegram_channel.tg.names import one_line

_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""With these the request did not leave. With any other it may have been carried out."""

_FLOOD_WITHOUT_TIME_S = 5.0
"""To wait after a 429 that names no time."""

_TOKEN = re.compile(r"\d+(?::|%3[Aa])[\w-]{4,}")
_CLOSED = ("chat not found", "chat_write_forbidden", "user is deactivated", "bot was kicked", "bot was blocked")
_TOPIC_GONE = ("message thread not found", "topic_deleted", "topic_closed", "topic_id_invalid", "topic not found")
"""Words of refusals that concern one topic only; Telegram has no codes for them."""


class Carried(TelegramError):
    """Brings a `ChatError` through the library, which lets nothing else pass unchanged."""

    def __init__(self, error: ChatError) -> None:
        super().__init__(str(error))
        self.error = error


def redacted(text: str) -> str:
    """The text without anything that looks like a token, on one line and short."""
    return one_line(_TOKEN.sub("<token>", text), 300)


class Transport(HTTPXRequest):
    """The library's HTTP client, with errors of ours."""

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """Make one request; the body of the answer is always a successful one.

        Raises:
            Carried: it failed; `error` says how.
        """
        status, body, error = await self._attempt(*args, **kwargs)
        if error is None:
            _, error = read_answer(status, body)
        if error is not None:
            raise Carried(error)
        return status, body

    async def call(self, url: str, parameters: dict[str, Any], read_timeout_s: float) -> Any:
        """The result of a method, as it came. Parameters go in the query (Bot API, "Making requests").

        Raises:
            ChatError: it failed.
        """
        address = f"{url}?{urlencode(parameters)}" if parameters else url
        status, body, error = await self._attempt(url=address, method="POST", read_timeout=read_timeout_s)
        result = None
        if error is None:
            result, error = read_answer(status, body)
        if error is not None:
            raise error
        return result

    async def _attempt(self, *args: Any, **kwargs: Any) -> tuple[int, bytes, ChatError | None]:
        try:
            status, body = await super().do_request(*args, **kwargs)
        except Exception as failure:  # the library wraps some of the client's exceptions and lets others pass
            return 0, b"", transport_error(failure.__cause__ or failure)
        return status, body, None


def transport_error(cause: BaseException) -> ChatError:
    """What an exception of the HTTP client means for the request."""
    words = redacted(f"{type(cause).__name__}: {cause}".rstrip(": "))
    if isinstance(cause, _NEVER_SENT):
        return Unreachable(f"Telegram could not be reached ({words}).", "Check the network connection.")
    return Ambiguous(f"The connection to Telegram failed on the way ({words}).")


def read_answer(status: int, body: bytes) -> tuple[Any, ChatError | None]:
    """The result of a method, or the error that the answer of the server means."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if (
        isinstance(answer, dict)
        and answer.get("ok") is True
        and "result" in answer
        and status < httpx.codes.MULTIPLE_CHOICES
    ):
        return answer["result"], None
    if not isinstance(answer, dict) or answer.get("ok") is not False:
        return None, _foreign(status)
    code = answer.get("error_code")
    return None, _refusal(code if isinstance(code, int) and status < httpx.codes.BAD_REQUEST else status, answer)


def _foreign(status: int) -> ChatError:
    """An answer that is not Telegram's own: a gateway, a proxy, a login page of a hotel."""
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return FloodWait("Telegram asks for a pause.", _FLOOD_WITHOUT_TIME_S)
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return BadRequest("Telegram refused it: it is too large.", "Send a smaller file.")
    if httpx.codes.MULTIPLE_CHOICES <= status < httpx.codes.INTERNAL_SERVER_ERROR:
        return Unreachable(
            f"Something between here and Telegram answered with status {status}.", "Check the network."
        )
    return Ambiguous(f"The answer of Telegram's server could not be read (status {status}).")


def _refusal(status: int, answer: dict[str, Any]) -> ChatError:
    said = answer.get("description")
    words = redacted(said) if isinstance(said, str) and said else f"status {status}"
    found = answer.get("parameters")
    parameters = found if isinstance(found, dict) else {}
    moved_to = parameters.get("migrate_to_chat_id")
    if type(moved_to) is int:
        return ChatMoved("The group became a supergroup.", str(moved_to))
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Ambiguous(f"Telegram's server failed ({words}).")
    sentence = f"Telegram refused it: {words}."
    if status in (httpx.codes.BAD_REQUEST, httpx.codes.FORBIDDEN) and any(
        mark in words.lower() for mark in _TOPIC_GONE
    ):
        return TopicGone(sentence)  # before the rest: it must not look as if the whole chat were closed
    match status:
        case httpx.codes.TOO_MANY_REQUESTS:
            return _flood(parameters.get("retry_after"))
        case httpx.codes.UNAUTHORIZED | httpx.codes.NOT_FOUND:
            return BadToken(f"Telegram does not accept the bot token ({words}).")
        case httpx.codes.FORBIDDEN:
            return ChatClosed(sentence)
        case httpx.codes.CONFLICT:
            return PollingConflict(f"Somebody else receives this bot's messages ({words}).")
        case _ if any(mark in words.lower() for mark in _CLOSED):
            return ChatClosed(sentence)
        case _:
            return BadRequest(sentence)


def _flood(retry_after: Any) -> FloodWait:
    if isinstance(retry_after, int | float) and 0 < retry_after < math.inf:
        seconds = float(retry_after)
    else:
        seconds = _FLOOD_WITHOUT_TIME_S
    return FloodWait(f"Telegram asks to wait {seconds:g} seconds.", seconds)
