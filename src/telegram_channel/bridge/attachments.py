"""A file from the chat is fetched once and found again: its path depends on nothing but the file."""

import asyncio
import hashlib
from datetime import timedelta
from pathlib import Path

from telegram_channel.bridge.downloads import download_path
from telegram_channel.core.files import SUFFIXES, suffix_of
from telegram_channel.core.ids import FileRef
from telegram_channel.core.inbox import InboxEntry
from telegram_channel.core.messages import Attachment, InboundMessage
from telegram_channel.core.outgoing import Downloaded, NotDownloaded
from telegram_channel.errors import ToolError
from telegram_channel.ports import Chat, Clock, Store, ToolResult

_RECENT = timedelta(days=1)
"""Messages the session may still be working on: only among them is a file's name looked for."""
_BEGINNING_BYTES = 16


async def fetch(file: FileRef, store: Store, chat: Chat, clock: Clock, directory: Path) -> ToolResult:
    """Download a file, unless it is there already, and say where it is.

    Raises:
        ToolError: it cannot be fetched, or not be stored.
    """
    attachment = _attachment(file, await store.inbox.awaiting(clock.now() - _RECENT))
    nameless = directory / f"att-{hashlib.sha256(file.encode()).hexdigest()[:20]}"
    target = download_path(directory, attachment) if attachment else nameless
    found = await asyncio.to_thread(_find, target, nameless)
    if found:
        return _at(*found)
    try:
        await asyncio.to_thread(directory.mkdir, mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ToolError(f"{directory} cannot be written ({error.strerror}): ask the operator to mend it.") from error
    match await chat.download(file, target):
        case Downloaded(size_bytes=size_bytes):
            path = await asyncio.to_thread(_with_suffix, target) if target == nameless else target
            return _at(path, size_bytes)
        case NotDownloaded(cause=cause, again=again):
            hint = " Try again in a moment." if again else ""
            raise ToolError(f"The file was not downloaded: {cause}{hint}")


def _attachment(file: FileRef, entries: tuple[InboxEntry, ...]) -> Attachment | None:
    """What is known about the file from a message that carries it, or that answers one that does."""
    for entry in reversed(entries):
        if not isinstance(entry.inbound, InboundMessage):
            continue
        answered = entry.inbound.reply_to.attachment if entry.inbound.reply_to else None
        for attachment in (entry.inbound.attachment, answered):
            if attachment and attachment.file == file:
                return attachment
    return None


def _find(target: Path, nameless: Path) -> tuple[Path, int] | None:
    """The file under the name it has, or had while nothing was known about it. A download is whole or absent."""
    for path in (target, *(nameless.with_name(nameless.name + suffix) for suffix in SUFFIXES)):
        if path.is_file():
            return path, path.stat().st_size
    return None


def _with_suffix(path: Path) -> Path:
    """Give a file the suffix that its first bytes ask for: programs that open it go by that."""
    with path.open("rb") as file:
        suffix = suffix_of(file.read(_BEGINNING_BYTES))
    return path.replace(path.with_name(path.name + suffix)) if suffix else path


def _at(path: Path, size_bytes: int) -> ToolResult:
    return ToolResult(f"{path.absolute()} ({size_bytes:,} bytes)")
