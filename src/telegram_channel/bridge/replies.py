"""What leaves is what was checked, and what is reported is what happened.

A file is opened once; every check is about that open file, and its bytes are read through the same
descriptor, so nothing can be swapped in between.
"""

import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import assert_never

from telegram_channel.core.files import (
    LARGEST_UPLOAD_BYTES,
    FileFacts,
    Forbidden,
    Guard,
    Identity,
    is_photo,
    is_sendable,
)
from telegram_channel.core.outgoing import OutFile, PartlySent, Refused, SendOutcome, Sent, Uncertain
from telegram_channel.errors import ToolError
from telegram_channel.ports import ToolResult

_MOST_TOGETHER_BYTES = 100_000_000
"""All files of one reply are in memory at once."""
_CREDENTIALS = (
    *(".ssh", ".aws", ".gnupg", ".kube", ".config/gcloud", ".config/gh", ".docker/config.json", ".claude.json"),
    *(".claude/.credentials.json", ".netrc", ".npmrc", ".pypirc", ".git-credentials", ".pgpass"),
)
"""Below the home directory: folders and files whose content is refused under any other name, too."""
_MOST_PROTECTED = 2_000
"""Files whose identity is noted: far more than any state or key folder holds, and still a few milliseconds."""
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Without O_NONBLOCK, opening a named pipe would wait for its writer for ever."""


@dataclass(frozen=True, slots=True)
class Places:
    """The directories that decide what may be sent."""

    state_dir: Path
    downloads: Path
    home: Path
    largest_bytes: int = LARGEST_UPLOAD_BYTES


def load_files(paths: Sequence[PurePath], places: Places) -> tuple[OutFile, ...]:
    """Read every file, or none. Blocks: call it in a thread.

    Raises:
        ToolError: one of them may not or cannot be sent.
    """
    guard = _guard(places) if paths else None
    files: list[OutFile] = []
    together = 0
    for path in paths:
        assert guard is not None  # noqa: S101 - tells the type checker what the loop implies
        loaded = load_file(Path(path), guard)
        if isinstance(loaded, Forbidden):
            raise ToolError(f"Nothing was sent, because of {path}: {loaded.reason}")
        together += len(loaded.content or b"")
        if together > _MOST_TOGETHER_BYTES:
            raise ToolError(
                f"Nothing was sent: the files are more than {_MOST_TOGETHER_BYTES:,} bytes together. "
                "Send them in several replies."
            )
        files.append(loaded)
    return tuple(files)


def load_file(path: Path, guard: Guard) -> OutFile | Forbidden:
    """Read one file whole if it may be sent. Blocks: call it in a thread."""
    try:
        # Devices are refused before they are opened: opening some has effects of its own.
        if not stat.S_ISREG(path.stat().st_mode):
            return Forbidden("It is not a regular file: send a file, or an archive of the directory.")
        descriptor = os.open(path, _OPEN_FLAGS)
    except FileNotFoundError:
        return Forbidden("There is no such file: check the path.")
    except (OSError, ValueError) as error:
        return Forbidden(f"It cannot be opened ({_why(error)}).")
    with os.fdopen(descriptor, "rb") as file:
        try:
            facts = _facts(path, file.fileno())
            if facts is None:
                return Forbidden("It changed while it was being opened: try again.")
            verdict = is_sendable(facts, guard)
            if isinstance(verdict, Forbidden):
                return verdict
            content = file.read(guard.largest_bytes + 1)
        except OSError as error:
            return Forbidden(f"It cannot be read ({_why(error)}).")
    if not 0 < len(content) <= guard.largest_bytes:
        return Forbidden("It changed its size while it was being read: try again when it is finished.")
    return OutFile(path.name, path, content, as_photo=is_photo(content))


def _facts(path: Path, descriptor: int) -> FileFacts | None:
    """What the open file is, and the real path that leads to it; None when that path leads elsewhere."""
    opened = os.fstat(descriptor)
    real_path = path.resolve(strict=True)
    found = real_path.lstat()
    if _identity(found) != _identity(opened):
        return None
    return FileFacts(real_path, opened.st_size, stat.S_ISREG(opened.st_mode), _identity(opened))


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino


def _guard(places: Places) -> Guard:
    """The guard with the identities of everything secret that can be found at this moment."""
    state_dir, downloads = places.state_dir.resolve(), places.downloads.resolve()
    folders = (state_dir, *(places.home / name for name in _CREDENTIALS))
    identities = frozenset(identity for folder in folders for identity in _within(folder, downloads))
    return Guard(state_dir, downloads, identities, places.largest_bytes)


def _within(folder: Path, skipped: Path) -> Iterator[Identity]:
    """Every regular file in a folder, or the folder itself where it is a file; what cannot be read is skipped.

    Links to files are followed, links to other folders are not: they could lead round in a circle.
    """
    left = _MOST_PROTECTED
    waiting = deque([folder])
    while waiting and left:
        path = waiting.popleft()  # level by level: keys lie near the top, caches fill what is below
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                if path == folder or not (path.is_symlink() or path == skipped):
                    waiting.extend(path.iterdir())
                continue
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            left -= 1
            yield _identity(status)


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def told(outcome: SendOutcome) -> ToolResult:
    """What the model is told about something that was sent."""
    match outcome:
        case Sent(refs=refs):
            parts = f" in {len(refs)} parts" if len(refs) > 1 else ""
            return ToolResult(f"sent{parts}{_ids(refs)}")
        case PartlySent(refs=refs, of=of, cause=cause, uncertain=uncertain):
            doubt = f" Part {len(refs) + 1} may have arrived, too: do not send it again." if uncertain else ""
            return ToolResult(
                f"Only the first {len(refs)} of {of} parts arrived{_ids(refs)}: {_sentence(cause)}{doubt} "
                "Do not resend what arrived; send only the rest.",
                is_error=True,
            )
        case Uncertain(cause=cause):
            return ToolResult(
                f"It may have been sent, nobody knows: {_sentence(cause)} "
                "Do not send it again; if it matters, ask in the chat whether it arrived.",
                is_error=True,
            )
        case Refused(cause=cause, closed=closed, moved_to=moved_to):
            return ToolResult(f"Nothing was sent: {_sentence(cause)}{_next(closed, moved_to)}", is_error=True)
        case _:
            assert_never(outcome)


def told_of_change(outcome: SendOutcome, done: str) -> ToolResult:
    """The same for a change of a message (an edit, a reaction), which may safely be repeated.

    `done` is what to say when it was made.
    """
    match outcome:
        case Sent():
            return ToolResult(done)
        case PartlySent(cause=cause) | Uncertain(cause=cause):
            return ToolResult(
                f"It may have been changed, nobody knows: {_sentence(cause)} Doing it again is safe.", is_error=True
            )
        case Refused(cause=cause, closed=closed, moved_to=moved_to):
            return ToolResult(f"Nothing was changed: {_sentence(cause)}{_next(closed, moved_to)}", is_error=True)
        case _:
            assert_never(outcome)


def _ids(refs: Sequence[str]) -> str:
    if not refs:
        return ""
    return f" (message_id {refs[0]})" if len(refs) == 1 else f" (message_ids {', '.join(refs)})"


def _sentence(cause: str) -> str:
    cause = cause.strip()
    return cause if cause.endswith((".", "!", "?")) else f"{cause}."


def _next(closed: bool, moved_to: str | None) -> str:
    if moved_to:
        return f" The group's chat_id is {moved_to} now: use that one."
    return " The chat is closed until somebody there writes to the bot again." if closed else ""
