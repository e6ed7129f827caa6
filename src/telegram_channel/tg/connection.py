"""One bot's connections to its Bot API server: one for polling, one for everything else, one for files.

They share one TLS context, which is slow to make, and nothing else: a poll that hangs or a file that
crawls takes no connection away from an answer.
"""

import asyncio
import json
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from telegram import Bot
from telegram.error import TelegramError

from telegram_channel.errors import Ambiguous, ChatError, ConfigurationError
from telegram_channel.tg.downloads import Downloader
from telegram_channel.tg.limits import UPDATES_PER_FETCH
from telegram_channel.tg.translate import ALLOWED_UPDATES
from telegram_channel.tg.transport import Carried, Transport

T = TypeVar("T")

PUBLIC_API = "https://api.telegram.org"

_CONNECT_TIMEOUT_S = 10.0
_ANSWER_TIMEOUT_S = 20.0
"""For an ordinary request, from its last byte to the first of the answer."""
UPLOAD_TIMEOUT_S = 120.0
"""For the answer to an upload, and for each piece of it to leave."""
POLL_MARGIN_S = 10.0
"""What a poll may take beyond the time the server was asked to wait."""
_KEPT_ALIVE_S = 30.0
"""How long an idle connection is kept: the next message of a conversation needs no handshake."""
_CLOSING_S = 2.0


class Connection:
    """The library's `Bot` over transports of ours. Making one touches no network."""

    def __init__(
        self,
        token: str,
        api_base: str = PUBLIC_API,
        proxy: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`transport` replaces the network, for tests.

        Raises:
            ConfigurationError: the proxy, of the setting or of the environment, cannot be used.
        """
        options: dict[str, Any] = {"verify": httpx.create_ssl_context(), "proxy": proxy}
        # A proxy of the environment is for the outside; this machine is reached directly.
        options["trust_env"] = not _is_this_machine(api_base)
        if transport is not None:
            options["transport"] = transport
        try:
            self._poll = _transport(options, connections=2)
            self._rest = _transport(options, connections=64)
            self.files = Downloader(f"{api_base}/file/bot{token}", options)
        except (ImportError, RuntimeError, ValueError):
            raise ConfigurationError(
                "The proxy cannot be used.",
                "Give it as http://host:port or https://host:port, in the setting `proxy` or the environment.",
            ) from None
        # The library writes the token into its own `repr` and debug log: this object stays in here.
        self.bot = Bot(
            token,
            base_url=f"{api_base}/bot",
            base_file_url=f"{api_base}/file/bot",
            get_updates_request=self._poll,
            request=self._rest,
        )
        self._updates_url = f"{api_base}/bot{token}/getUpdates"

    async def ask(self, call: Awaitable[T], deadline_s: float = 3 * _ANSWER_TIMEOUT_S) -> T:
        """The result of a method of `bot`.

        Raises:
            ChatError: it failed; without a chain that could show an address.
        """
        error: ChatError
        try:
            async with asyncio.timeout(deadline_s):
                return await call
        except Carried as carried:
            error = carried.error
        except TimeoutError:
            error = Ambiguous("Telegram did not answer in time.")
        except (TelegramError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as surprise:
            # The request was answered; the library stumbled over the answer.
            error = Ambiguous(f"Telegram's answer was not understood ({type(surprise).__name__}).")
        raise error

    async def fetch(self, offset: int | None, timeout_s: int) -> Sequence[Any]:
        """The updates that `getUpdates` returns, as they came.

        Raises:
            ChatError: it failed.
        """
        parameters: dict[str, Any] = {
            "timeout": timeout_s,
            "limit": UPDATES_PER_FETCH,
            "allowed_updates": json.dumps(ALLOWED_UPDATES),
        }
        if offset is not None:
            parameters["offset"] = offset
        found = await self._poll.call(self._updates_url, parameters, timeout_s + POLL_MARGIN_S)
        if not isinstance(found, list):
            raise Ambiguous("Telegram's list of updates is not a list.")
        return found

    async def rebuild(self) -> None:
        """Throw the connections for polling away and begin with new ones."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                await self._poll.shutdown()
        await self._poll.initialize()

    async def close(self) -> None:
        """End all connections; safe to call twice."""
        for closing in (self._poll.shutdown, self._rest.shutdown, self.files.close):
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING_S):
                    await closing()


def _is_this_machine(api_base: str) -> bool:
    host = urlsplit(api_base).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _transport(options: dict[str, Any], connections: int) -> Transport:
    limits = httpx.Limits(max_connections=connections, keepalive_expiry=_KEPT_ALIVE_S)
    return Transport(
        connection_pool_size=connections,
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_ANSWER_TIMEOUT_S,
        write_timeout=_ANSWER_TIMEOUT_S,
        media_write_timeout=UPLOAD_TIMEOUT_S,
        pool_timeout=_CONNECT_TIMEOUT_S,
        httpx_kwargs={**options, "limits": limits},
    )
