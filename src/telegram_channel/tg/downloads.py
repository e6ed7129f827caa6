"""A file of the chat arrives on disk whole or not at all, wherever its server says it came from."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from telegram_channel.core.outgoing import Downloaded, DownloadOutcome, NotDownloaded
from telegram_channel.tg.limits import DOWNLOAD_BYTES
from telegram_channel.tg.transport import redacted

_CONNECT_TIMEOUT_S = 10.0
_SILENCE_TIMEOUT_S = 20.0
_DEADLINE_S = 180.0
"""For one whole file: 20 MB at less than 1 Mbit/s."""

TOO_LARGE = NotDownloaded(
    f"The file is larger than the {DOWNLOAD_BYTES // (1024 * 1024)} MB that Telegram lets bots fetch.", again=False
)


class Downloader:
    """Fetches files beside everything else, over connections of its own."""

    def __init__(self, file_base: str, client_options: dict[str, Any]) -> None:
        """`file_base` is the address that the server's own path is appended to."""
        self._file_base = file_base
        timeout = httpx.Timeout(_SILENCE_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S)
        self._client = httpx.AsyncClient(**client_options, timeout=timeout, follow_redirects=False)

    async def close(self) -> None:
        """End all connections."""
        await self._client.aclose()

    async def fetch(self, server_path: str, to: Path, expected_bytes: int | None) -> DownloadOutcome:
        """Fetch what the server keeps at `server_path` to `to`.

        The server's path is only ever a part of the address asked; it has no say in where the file goes.
        """
        if expected_bytes is not None and expected_bytes > DOWNLOAD_BYTES:
            return TOO_LARGE
        if {".", ".."} & set(server_path.split("/")):
            return NotDownloaded("Telegram's server names an impossible path for the file.", again=False)
        url = f"{self._file_base}/{quote(server_path.lstrip('/'), safe='/')}"
        partial: Path | None = None
        try:
            descriptor, name = tempfile.mkstemp(prefix=".part-", dir=to.parent)
            partial = Path(name)
            async with asyncio.timeout(_DEADLINE_S):
                with os.fdopen(descriptor, "wb") as file:
                    outcome = await self._stream(url, file.write, expected_bytes)
            if isinstance(outcome, Downloaded):
                partial.replace(to)
        except TimeoutError:
            return NotDownloaded("The file did not arrive in time.", again=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            words = redacted(f"{type(error).__name__}: {error}".rstrip(": "))
            return NotDownloaded(f"The connection failed while the file was fetched ({words}).", again=True)
        except OSError as error:
            return NotDownloaded(f"The file could not be written: {error.strerror or error}.", again=True)
        finally:
            if partial is not None:
                partial.unlink(missing_ok=True)
        return outcome

    async def _stream(
        self, url: str, write: Callable[[bytes], object], expected_bytes: int | None
    ) -> DownloadOutcome:
        received = 0
        async with self._client.stream("GET", url) as response:
            if response.status_code != httpx.codes.OK:
                status = response.status_code
                return NotDownloaded(f"Telegram's file server answered with status {status}.", again=True)
            async for chunk in response.aiter_bytes():
                received += len(chunk)
                if received > DOWNLOAD_BYTES:
                    return TOO_LARGE
                write(chunk)
        if expected_bytes is not None and received != expected_bytes:
            return NotDownloaded("The file arrived incomplete.", again=True)
        return Downloaded(received)
