"""The files the platform keeps, found by file id or by download path."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

MIME_TYPES: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".zip": "application/zip",
}
"""A table of our own: the system's differs from machine to machine."""


@dataclass(eq=False, slots=True)
class StoredFile:
    """A file the platform keeps."""

    file_id: str
    unique_id: str
    path: str
    name: str
    mime: str
    content: bytes
    size_bytes: int
    is_lost: bool = False
    """Known, and for now not to be had."""


class FileStore:
    """Every file that was ever sent, by anybody."""

    def __init__(self) -> None:
        self._by_id: dict[str, StoredFile] = {}
        self._by_path: dict[str, StoredFile] = {}

    def get(self, file_id: str) -> StoredFile | None:
        """The file of an id."""
        return self._by_id.get(file_id)

    def at(self, path: str) -> StoredFile | None:
        """The file of a download path."""
        return self._by_path.get(path)

    def keep(
        self, kind: str, content: bytes, *, name: str = "", mime: str = "", size_bytes: int | None = None
    ) -> StoredFile:
        """Keep a file. The same content has the same unique id; every copy has a file id of its own.

        `size_bytes` may claim a size that the content does not have: a test of large files needs no large file.
        """
        number = len(self._by_id) + 1
        suffix = _suffix(name) or next((ending for ending, one in MIME_TYPES.items() if one == mime), "")
        stored = StoredFile(
            file_id=_label(f"{kind}/{number}", 52),
            unique_id="Ag" + _label(hashlib.sha256(content + name.encode()).hexdigest(), 14),
            path=f"{_folder(kind)}/file_{number}{suffix}",
            name=name,
            mime=mime or MIME_TYPES.get(suffix, "application/octet-stream"),
            content=content,
            size_bytes=len(content) if size_bytes is None else size_bytes,
        )
        self._by_id[stored.file_id] = stored
        self._by_path[stored.path] = stored
        return stored


def _label(seed: str, length: int) -> str:
    """Letters that look like a file id: opaque, the same for the same seed."""
    digest = hashlib.sha512(seed.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:length]


def _suffix(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 and name[dot + 1 :].isalnum() else ""


def _folder(kind: str) -> str:
    return {"audio": "music", "animation": "animations", "voice": "voice"}.get(kind, f"{kind}s")
