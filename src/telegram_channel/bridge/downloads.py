"""Photos are fetched beside the queue, never in front of it: no message waits for another one's file."""

import asyncio
import logging
from pathlib import Path

from telegram_channel.bridge.steady import pause_after
from telegram_channel.core.ids import EntryId
from telegram_channel.core.inbox import DeliveryState, Fetch, FetchState, InboxEntry, Move
from telegram_channel.core.messages import Attachment, InboundMessage
from telegram_channel.core.outgoing import Downloaded, NotDownloaded
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

_AT_ONCE = 8
_SLOW_AFTER_S = 1.0
"""A file that took longer may have been overtaken by later messages."""
_LOOK_S = 60.0
_ANY_STATE = tuple(DeliveryState)


def download_path(downloads: Path, attachment: Attachment) -> Path:
    """Where the file of an attachment is kept: the same for the same file, never outside `downloads`."""
    suffix = Path(attachment.name or "").suffix
    return (
        downloads / f"{attachment.kind.value}-{attachment.unique}{suffix or _SUFFIXES.get(attachment.kind.value, '')}"
    )


_SUFFIXES = {"photo": ".jpg", "voice": ".ogg", "video": ".mp4", "video_note": ".mp4", "animation": ".mp4"}


class Downloads:
    """Fetches the files that stored entries wait for, a few at a time."""

    def __init__(self, store: Store, chat: Chat, clock: Clock, directory: Path) -> None:
        self._store = store
        self._chat = chat
        self._clock = clock
        self._directory = directory
        self._running: dict[EntryId, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Fetch until cancelled."""
        seen = -1
        try:
            while True:
                for entry in await self._store.inbox.to_fetch():
                    if entry.entry not in self._running and len(self._running) < _AT_ONCE:
                        task = asyncio.create_task(self._fetch(entry))
                        self._running[entry.entry] = task
                seen = await self._store.wait_for_change(seen, _LOOK_S)
        finally:
            for task in self._running.values():
                task.cancel()

    async def _fetch(self, entry: InboxEntry) -> None:
        started = self._clock.monotonic()
        try:
            fetch = await self._download(entry)
            slow = self._clock.monotonic() - started > _SLOW_AFTER_S
            result = Fetch(fetch.state, entry.fetch.file, fetch.path, fetch.cause, slow)
            await self._remember(entry, result)
        except Exception:  # a task nobody awaits: without this line a fault would go unseen
            _log.exception("a download failed in an unexpected way")
        finally:
            self._running.pop(entry.entry, None)

    async def _download(self, entry: InboxEntry) -> Fetch:
        message = entry.inbound
        if not isinstance(message, InboundMessage) or not message.attachment:
            return Fetch(FetchState.FAILED, cause="There is no file.")
        path = download_path(self._directory, message.attachment)
        try:
            await asyncio.to_thread(path.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            return Fetch(FetchState.FAILED, cause=f"{path.parent} cannot be written ({error.strerror}).")
        match await self._chat.download(message.attachment.file, path):
            case Downloaded():
                return Fetch(FetchState.DONE, path=str(path))
            case NotDownloaded(cause=cause):
                return Fetch(FetchState.FAILED, cause=cause)

    async def _remember(self, entry: InboxEntry, fetch: Fetch) -> None:
        """Store the outcome; while the disk is full, keep trying: the entry waits for it."""
        while True:
            try:
                await self._store.inbox.advance([Move((entry.entry,), _ANY_STATE, fetch=fetch)])
            except StateUnwritable as error:
                await pause_after(error, self._clock)
            else:
                return
