"""What one message holds, one row for each kind: a new kind of content is a new row in a table.

A content has a file, or says in words what it is ("[location 52.5, 13.4]") and gives its facts as details
whose keys fit event meta.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from telegram_channel.core.ids import FileRef
from telegram_channel.core.messages import Attachment, AttachmentKind
from telegram_channel.tg.names import one_line, safe_identifier, safe_name
from telegram_channel.tg.raw import (
    Fields,
    Malformed,
    objects,
    optional_integer,
    optional_object,
    optional_text,
    required_text,
    writable,
)
from telegram_channel.tg.rich import words_of


@dataclass(frozen=True, slots=True)
class Content:
    """What a message holds besides typed text: a file, or words for what has no file, and its facts."""

    attachment: Attachment | None = None
    words: str = ""
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What to call it where it is only mentioned: "[photo]"."""
        return self.words or (f"[{self.attachment.kind.value.replace('_', ' ')}]" if self.attachment else "")


def content_of(message: Fields) -> Content | None:
    """The content of a message, the reply to one, or of an external reply; None when it holds none we know.

    Raises:
        Malformed: it holds one whose reference is missing.
    """
    for key, read in _CONTENTS.items():
        if key in message:
            return read(message[key])
    return None


def _file(kind: AttachmentKind, mime: str | None = None, facts: tuple[str, ...] = ()) -> Callable[[Any], Content]:
    """A reader of objects with a `file_id`; `facts` are fields that become details."""

    def read(value: Any) -> Content:
        if not isinstance(value, Mapping):
            raise Malformed(f"{kind.value} is not an object")
        return Content(_attachment(kind, value, mime), details=_facts(value, facts))

    return read


def _attachment(kind: AttachmentKind, value: Fields, mime: str | None) -> Attachment:
    reference = required_text(value, "file_id")
    return Attachment(
        kind=kind,
        file=FileRef(reference),
        unique=safe_identifier(optional_text(value, "file_unique_id") or reference[-32:]),
        name=safe_name(optional_text(value, "file_name")),
        mime=one_line(optional_text(value, "mime_type")) or mime,
        size_bytes=_positive(value, "file_size"),
        duration_s=_positive(value, "duration"),
    )


def _positive(value: Fields, key: str) -> int | None:
    found = optional_integer(value, key)
    return found if found is not None and found >= 0 else None


def _facts(value: Fields, keys: tuple[str, ...]) -> dict[str, str]:
    return {key: text for key in keys if (text := _as_text(value.get(key)))}


def _as_text(value: Any) -> str:
    match value:
        case str():
            return writable(value)
        case int() | float():
            return str(value)
        case _:
            return ""


def _photo(value: Any) -> Content:
    sizes = [size for size in value if isinstance(size, Mapping)] if isinstance(value, list) else []
    if not sizes:
        raise Malformed("photo has no sizes")
    largest = max(sizes, key=lambda size: (_positive(size, "width") or 0) * (_positive(size, "height") or 0))
    return Content(_attachment(AttachmentKind.PHOTO, largest, "image/jpeg"))


def _live_photo(value: Any) -> Content:
    fields = _object(value)
    return _photo(fields["photo"]) if fields.get("photo") else _file(AttachmentKind.VIDEO, "video/mp4")(value)


def _sticker(value: Any) -> Content:
    fields = _object(value)
    mime = "image/webp"
    if fields.get("is_animated") is True:
        mime = "application/x-tgsticker"
    elif fields.get("is_video") is True:
        mime = "video/webm"
    facts = _facts(fields, ("emoji", "set_name"))
    details = {f"sticker_{key}": text for key, text in facts.items()}
    return Content(_attachment(AttachmentKind.STICKER, fields, mime), details=details)


def _object(value: Any) -> Fields:
    if not isinstance(value, Mapping):
        raise Malformed("a content is not an object")
    return value


def _coordinates(value: Fields) -> str:
    return ", ".join(_facts(value, ("latitude", "longitude")).values())


def _location(value: Any) -> Content:
    fields = _object(value)
    live = "live location" if optional_integer(fields, "live_period") else "location"
    details = _facts(fields, ("latitude", "longitude", "horizontal_accuracy", "live_period"))
    return Content(None, f"[{live} {_coordinates(fields)}]", details)


def _venue(value: Any) -> Content:
    fields = _object(value)
    where = optional_object(fields, "location") or {}
    details = _facts(where, ("latitude", "longitude"))
    details |= {f"venue_{key}": text for key, text in _facts(fields, ("title", "address")).items()}
    name = ", ".join(part for part in (optional_text(fields, "title"), optional_text(fields, "address")) if part)
    return Content(None, f"[venue {one_line(name, 400)} ({_coordinates(where)})]", details)


def _contact(value: Any) -> Content:
    fields = _object(value)
    name = f"{optional_text(fields, 'first_name')} {optional_text(fields, 'last_name')}"
    details = _facts(fields, ("phone_number", "first_name", "last_name", "vcard"))
    details |= {f"contact_{key}": text for key, text in _facts(fields, ("user_id",)).items()}
    return Content(None, f"[contact {one_line(name)}, {one_line(optional_text(fields, 'phone_number'))}]", details)


def _poll(value: Any) -> Content:
    fields = _object(value)
    question = one_line(optional_text(fields, "question"), 600)
    options = [one_line(optional_text(option, "text"), 200) for option in objects(fields, "options")]
    details = {"poll_question": question, "poll_options": " | ".join(options)}
    return Content(None, f"[poll: {question} - {' / '.join(options)}]", details)


def _dice(value: Any) -> Content:
    fields = _object(value)
    facts = _facts(fields, ("emoji", "value"))
    return Content(None, f"[dice {' '.join(facts.values())}]", {f"dice_{key}": text for key, text in facts.items()})


def _checklist(value: Any) -> Content:
    fields = _object(value)
    tasks = [
        f"[{'x' if 'completion_date' in task else ' '}] {one_line(optional_text(task, 'text'), 400)}"
        for task in objects(fields, "tasks")
    ]
    return Content(None, "\n".join([f"[checklist: {one_line(optional_text(fields, 'title'), 400)}]", *tasks]))


def _rich_message(value: Any) -> Content:
    return Content(None, words_of(value) or "[formatted message]")


def _named(word: str, *keys: str) -> Callable[[Any], Content]:
    """A reader of something that is only mentioned: "[game: Chess]"."""

    def read(value: Any) -> Content:
        fields = value if isinstance(value, Mapping) else {}
        said = ", ".join(one_line(text, 400) for text in _facts(fields, keys).values())
        return Content(None, f"[{word}: {said}]" if said else f"[{word}]")

    return read


# In this order: an animation also carries a document, a venue also a location.
_CONTENTS: Mapping[str, Callable[[Any], Content]] = {
    "live_photo": _live_photo,
    "photo": _photo,
    "animation": _file(AttachmentKind.ANIMATION, "video/mp4"),
    "document": _file(AttachmentKind.DOCUMENT),
    "voice": _file(AttachmentKind.VOICE, "audio/ogg"),
    "audio": _file(AttachmentKind.AUDIO, "audio/mpeg", ("performer", "title")),
    "video": _file(AttachmentKind.VIDEO, "video/mp4"),
    "video_note": _file(AttachmentKind.VIDEO_NOTE, "video/mp4"),
    "sticker": _sticker,
    "venue": _venue,
    "location": _location,
    "contact": _contact,
    "poll": _poll,
    "dice": _dice,
    "checklist": _checklist,
    "rich_message": _rich_message,
    "game": _named("game", "title"),
    "story": _named("story"),
    "paid_media": _named("paid media"),
    "giveaway": _named("giveaway", "prize_description"),
    "giveaway_winners": _named("giveaway winners", "prize_description"),
    "invoice": _named("invoice", "title"),
    "gift": _named("gift"),
    "unique_gift": _named("gift"),
}
