"""One answer becomes the platform messages it needs, all of them checked before the first one leaves.

What Telegram would refuse for certain is refused here, in words that say what to do instead.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO

from telegram import (
    CopyTextButton,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    MessageEntity,
)

from telegram_channel.core.outgoing import Button, ButtonRows, OutFile, OutMessage
from telegram_channel.core.replies import ANSWER_FILE
from telegram_channel.errors import BadRequest
from telegram_channel.tg.entities import Rendered
from telegram_channel.tg.limits import (
    ALBUM_ITEMS,
    CALLBACK_DATA_BYTES,
    COPY_CHARACTERS,
    LABEL_CHARACTERS,
    MOST_BUTTONS,
    PHOTO_BYTES,
    UPLOAD_BYTES,
)
from telegram_channel.tg.names import one_line
from telegram_channel.tg.render import cleaned, plan


@dataclass(frozen=True, slots=True)
class TextParcel:
    """One text message."""

    text: Rendered


@dataclass(frozen=True, slots=True)
class FileParcel:
    """One file as a message of its own, or several of one kind as an album."""

    files: tuple[OutFile, ...]
    as_photos: bool


Parcel = TextParcel | FileParcel


def messages_in(parcel: Parcel) -> int:
    """How many platform messages a parcel becomes."""
    return 1 if isinstance(parcel, TextParcel) else len(parcel.files)


def parcels(message: OutMessage) -> tuple[Parcel, ...]:
    """Everything that has to be sent for one answer, in order.

    Raises:
        BadRequest: there is nothing to send, or a file cannot be sent at all.
    """
    planned = plan(message.body)
    files = message.files
    if planned.document is not None:
        files = (OutFile(ANSWER_FILE, content=planned.document), *files)
    if not planned.parts and not files:
        raise BadRequest("There is nothing to send.", "Give a text that is not blank, or a file.")
    # An album cannot carry buttons: without a text to carry them, files go one by one.
    most = 1 if message.buttons and not planned.parts else ALBUM_ITEMS
    return (*(TextParcel(part) for part in planned.parts), *_file_parcels(files, most))


def _file_parcels(files: Sequence[OutFile], most: int) -> list[FileParcel]:
    """Neighbours of one kind together; photos and documents never share an album (Bot API)."""
    sorted_out = [(file, size_bytes(file) <= PHOTO_BYTES and file.as_photo) for file in files]
    found = []
    for as_photos, group in groupby(sorted_out, key=lambda pair: pair[1]):
        together = [file for file, _ in group]
        found += [FileParcel(tuple(together[i : i + most]), as_photos) for i in range(0, len(together), most)]
    return found


def size_bytes(file: OutFile) -> int:
    """The size of a file that can be sent.

    Raises:
        BadRequest: it cannot be read, is no file, is empty or too large.
    """
    name = one_line(file.name, 100)
    if file.content is not None:
        size = len(file.content)
    else:
        try:
            status = Path(file.path or "").stat()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise BadRequest(f"{name} cannot be read: {reason}.", "Check the path.") from None
        if not stat.S_ISREG(status.st_mode):
            raise BadRequest(f"{name} is not a file.", "Give the path of a file; pack a directory first.")
        size = status.st_size
    if size == 0:
        raise BadRequest(f"{name} is empty, and Telegram takes no empty files.", "Say so in the text instead.")
    if size > UPLOAD_BYTES:
        raise BadRequest(
            f"{name} has {size:,} bytes; Telegram takes at most {UPLOAD_BYTES:,}.", "Send a part of it, or pack it."
        )
    return size


def opened(file: OutFile, stack: ExitStack, *, in_album: bool = False) -> InputFile:
    """The file ready for one upload; `stack` closes it afterwards.

    Raises:
        BadRequest: it cannot be read any more.
    """
    handle: IO[bytes] | bytes
    if file.content is not None:
        handle = file.content
    else:
        try:
            # What is opened must be the plain file that was checked: a pipe would block us for ever.
            descriptor = os.open(
                file.path or "", os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            )
            handle = stack.enter_context(os.fdopen(descriptor, "rb"))
            is_plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise BadRequest(f"{one_line(file.name, 100)} cannot be read: {reason}.", "Check the path.") from None
        if not is_plain:
            raise BadRequest(f"{one_line(file.name, 100)} is not a file.")
    return InputFile(handle, filename=cleaned(one_line(file.name)) or "file", attach=in_album, read_file_handle=False)


def message_entities(rendered: Rendered) -> list[MessageEntity] | None:
    """The entities as the library wants them."""
    found = [
        MessageEntity(type=e.type, offset=e.offset, length=e.length, url=e.url, language=e.language)
        for e in rendered.entities
    ]
    return found or None


def keyboard(rows: ButtonRows) -> InlineKeyboardMarkup | None:
    """The buttons as the library wants them; None for none.

    Raises:
        BadRequest: Telegram would refuse one of them.
    """
    if sum(len(row) for row in rows) > MOST_BUTTONS:
        raise BadRequest(f"There are more than {MOST_BUTTONS} buttons.", "Offer fewer choices at once.")
    made = [[_button(button) for button in row] for row in rows if row]
    return InlineKeyboardMarkup(made) if made else None


def _button(button: Button) -> InlineKeyboardButton:
    label = one_line(cleaned(button.label), LABEL_CHARACTERS)
    if not label:
        raise BadRequest("A button has no label.", "Give every button a short label.")
    if button.copy:
        copied = cleaned(button.copy)
        if len(copied) > COPY_CHARACTERS:
            raise BadRequest(
                f"A button can copy at most {COPY_CHARACTERS} characters.", "Put the text into the message."
            )
        return InlineKeyboardButton(label, copy_text=CopyTextButton(copied))
    data_bytes = len(cleaned(button.data).encode("utf-8"))
    if not 1 <= data_bytes <= CALLBACK_DATA_BYTES:
        raise BadRequest(f"The data of a button must have 1 to {CALLBACK_DATA_BYTES} bytes; this has {data_bytes}.")
    return InlineKeyboardButton(label, callback_data=cleaned(button.data))
