"""Arguments of tool calls: advertised and checked from the same table, because no client enforces a schema.

Every fault is one sentence that tells the model what to do instead.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

from telegram_channel.core.asking import question_buttons
from telegram_channel.core.ids import ChatId, FileRef, MessageId
from telegram_channel.errors import ToolError

MOST_FILES = 10
"""An album has at most ten items (source: Bot API, `sendMediaGroup`)."""

_REACTIONS = (
    "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤\u200d🔥 "
    "🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u200d💻 👀 🎃 🙈 😇 😨 "
    "🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷\u200d♂ 🤷 🤷\u200d♀ 😡"
)
REACTIONS = tuple(_REACTIONS.split())
"""What a reaction may be (source: Bot API, `ReactionTypeEmoji`), without variation selectors."""

_CHAT = re.compile(r"-?[0-9]{1,20}")
_MESSAGE = re.compile(r"[0-9]{1,20}")
_FILE = re.compile(r"[A-Za-z0-9_-]{1,300}")


class Format(StrEnum):
    """How the text of a reply is meant."""

    MARKDOWN = "markdown"
    TEXT = "text"
    """Letter by letter."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of argument: how it is advertised, and how a value is read.

    `read` gets the argument's name and a value that is not None, and raises `ToolError` for a wrong one.
    """

    schema: Mapping[str, Any]
    read: Callable[[str, object], Any]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of one tool."""

    name: str
    kind: Kind
    description: str
    required: bool = False


def schema_of(arguments: Sequence[Argument]) -> Mapping[str, Any]:
    """The JSON schema a tool with these arguments advertises."""
    return MappingProxyType(
        {
            "type": "object",
            "properties": {one.name: {**one.kind.schema, "description": one.description} for one in arguments},
            "required": [one.name for one in arguments if one.required],
            "additionalProperties": False,
        }
    )


def read_arguments(tool: str, arguments: Sequence[Argument], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a call, checked. An optional argument that is missing or null is left out.

    Raises:
        ToolError: something is missing, unknown or wrong.
    """
    for name in given:
        if not any(one.name == name for one in arguments):
            raise ToolError(f"{tool} has no argument {name!r}: it takes {_listed(arguments)}.")
    values: dict[str, Any] = {}
    for one in arguments:
        value = given.get(one.name)
        if value is not None:
            values[one.name] = one.kind.read(one.name, value)
        elif one.required:
            raise ToolError(f"{tool} needs {one.name}: {one.description}")
    return values


def _listed(arguments: Sequence[Argument]) -> str:
    return ", ".join(one.name for one in arguments)


def chat_named(given: Mapping[str, Any]) -> ChatId | None:
    """The chat a call is about, whatever else is wrong with it; None if it names none."""
    try:
        return ChatId(_read_chat("chat_id", given["chat_id"]))
    except (KeyError, ToolError):
        return None


def _id_text(value: object) -> str:
    """An id as text. Models sometimes give it as a number; a bool is one only to Python."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def _read_chat(name: str, value: object) -> ChatId:
    text = _id_text(value)
    if not _CHAT.fullmatch(text):
        raise ToolError(f"{name} must be the chat_id of a channel event, like 12345678 or -10012345678.")
    return ChatId(text)


def _read_message(name: str, value: object) -> MessageId:
    text = _id_text(value)
    if not _MESSAGE.fullmatch(text):
        raise ToolError(f"{name} must be the message_id of a message in that chat: digits only.")
    return MessageId(text)


def _read_file(name: str, value: object) -> FileRef:
    if not isinstance(value, str) or not _FILE.fullmatch(value.strip()):
        raise ToolError(f"{name} must be the attachment_file_id of a channel event, copied exactly.")
    return FileRef(value.strip())


def _read_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ToolError(f"{name} must be a string.")
    return value


def _read_format(name: str, value: object) -> Format:
    if value not in tuple(Format):
        raise ToolError(f'{name} must be "markdown" or "text".')
    return Format(str(value))


def _read_paths(name: str, value: object) -> tuple[PurePath, ...]:
    if not isinstance(value, list) or not all(isinstance(path, str) for path in value):
        raise ToolError(f'{name} must be a list of absolute paths, like ["/home/me/plot.png"].')
    if len(value) > MOST_FILES:
        raise ToolError(f"{name} holds {len(value)} paths, at most {MOST_FILES} go into one reply: send several.")
    for path in value:
        if not PurePath(path).is_absolute():
            raise ToolError(f"{path!r} is not an absolute path: start it at the root directory.")
    return tuple(PurePath(path) for path in value)


def _read_emoji(name: str, value: object) -> str:
    """The emoji as Telegram writes it; empty to take the reaction away."""
    plain = value.replace("\ufe0f", "").strip() if isinstance(value, str) else None
    if plain is None or (plain and plain not in REACTIONS):
        raise ToolError(f"{name} must be one of {' '.join(REACTIONS)}, or empty to take the reaction away.")
    return plain


_STRING: Mapping[str, Any] = MappingProxyType({"type": "string"})
_STRINGS: Mapping[str, Any] = MappingProxyType({"type": "array", "items": {"type": "string"}})

CHAT = Kind(_STRING, _read_chat)
MESSAGE = Kind(_STRING, _read_message)
FILE = Kind(_STRING, _read_file)
TEXT = Kind(_STRING, _read_text)
EMOJI = Kind(_STRING, _read_emoji)
FORMAT = Kind(MappingProxyType({"type": "string", "enum": list(Format)}), _read_format)
PATHS = Kind(_STRINGS, _read_paths)
BUTTONS = Kind(
    MappingProxyType({"type": "array", "items": dict(_STRINGS)}), lambda _name, labels: question_buttons(labels)
)
