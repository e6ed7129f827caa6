"""What a request's values must look like: keyboards, replies, reactions, actions, files, numbers.

Every limit names its source; every refusal has the server's own words.
"""

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from telegram_channel.demo.botapi_text import Complain, Formatted, read_entities, what_is_wrong_with
from telegram_channel.demo.botapi_wire import Json, Upload, bad_request, words

MOST_CALLBACK_BYTES: Final = 64
MOST_COPY_CHARACTERS: Final = 256
MOST_BUTTONS: Final = 100
MOST_DOWNLOAD_BYTES: Final = 20 * 1024 * 1024
MOST_UPLOAD_BYTES: Final = 50 * 1024 * 1024
MOST_PHOTO_BYTES: Final = 10 * 1024 * 1024
MOST_PHOTO_SIDES: Final = 10_000
MOST_PHOTO_RATIO: Final = 20
MOST_IN_ALBUM: Final = 10
MOST_ANSWER_CHARACTERS: Final = 200

REACTIONS: Final = words(
    "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤\u200d🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 "
    "😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u200d💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 "
    "🤷\u200d♂ 🤷 🤷\u200d♀ 😡"
)
"""The whole list a reaction comes from (source: Bot API, ReactionTypeEmoji)."""

ACTIONS: Final = words(
    "typing upload_photo record_video upload_video record_voice upload_voice record_audio upload_audio "
    "upload_document choose_sticker find_location record_video_note upload_video_note cancel"
)


class Params:
    """The values of one request, read the way the server reads them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    def text(self, name: str) -> str:
        """A value, empty when it is missing."""
        return self.values.get(name, "")

    def required(self, name: str) -> str:
        """A value that must not be empty."""
        value = self.values.get(name, "")
        if not value:
            raise bad_request(f'parameter "{name}" is required')
        return value

    def integer(self, name: str, default: int = 0) -> int:
        """The leading digits of a value; 0 when there are none."""
        value = self.values.get(name, "")
        if not value:
            return default
        match = re.match(r"\s*-?\d+", value)
        return int(match[0]) if match else 0

    def flag(self, name: str) -> bool:
        """Whether a value says yes."""
        return self.values.get(name, "").strip().lower() in {"true", "yes", "1"}

    def decoded(self, name: str, what: str) -> Any:
        """A JSON value, None when it is missing; `what` is its name in the refusal."""
        value = self.values.get(name, "")
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {what} JSON object") from None

    def formatted(self, key: str, complain: Complain) -> Formatted:
        """The text or caption of the request, with its entities, not settled yet."""
        entities_key = "entities" if key == "text" else f"{key}_entities"
        try:
            raw = json.loads(self.values.get(entities_key) or "null")
        except ValueError:
            complain(f"{entities_key} is not JSON: the platform ignores it")
            raw = None
        return formatted(self.text(key), self.text("parse_mode"), raw, complain)


def formatted(text: str, parse_mode: str, raw_entities: Any, complain: Complain) -> Formatted:
    """Text with entities as they stand in a request.

    Raises:
        Refused: a parse mode is used (this emulator takes entities only), or an entity is none.
    """
    mode = parse_mode.lower()
    if text and mode not in {"", "none"}:
        if mode not in {"html", "markdown", "markdownv2"}:
            raise bad_request("unsupported parse_mode")
        complain("parse_mode is used: send entities, they cannot fail to parse")
        raise bad_request("can't parse entities: this server reads no parse mode, send entities")
    return Formatted(text, read_entities(raw_entities, complain))


def checked_keyboard(params: Params, complain: Complain) -> list[list[Json]] | None:
    """The rows of an inline keyboard; None when the request carries none.

    Other reply markups are accepted and not shown.
    """
    markup = params.decoded("reply_markup", "reply keyboard markup")
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    rows = markup.get("inline_keyboard")
    if rows is None:
        complain("a reply markup that is not an inline keyboard is not emulated")
        return None
    if not isinstance(rows, list):
        raise bad_request('field "inline_keyboard" must be of type Array')
    if not all(isinstance(row, list) for row in rows):
        raise bad_request('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
    checked = [[_button(raw, complain) for raw in row] for row in rows]
    buttons = [button for row in checked for button in row]
    if len(buttons) > MOST_BUTTONS:
        complain(f"{len(buttons)} buttons: phones show {MOST_BUTTONS}")
    for button in buttons:
        _check_button_limits(button)
    return [shown for row in checked if (shown := [one for one in row if one["text"]])]


_BUTTON_KINDS: Final = ("url", "callback_data", "web_app", "switch_inline_query", "login_url", "copy_text", "pay")


def _button(raw: Any, complain: Complain) -> Json:
    def wrong(words: str) -> Exception:
        return bad_request(f"can't parse inline keyboard button: {words}")

    if not isinstance(raw, dict):
        raise wrong("InlineKeyboardButton must be an Object")
    if "text" not in raw:
        raise wrong('Can\'t find field "text"')
    for key in ("text", "url", "callback_data"):
        if key in raw and not isinstance(raw[key], str):
            raise wrong(f'Field "{key}" must be of type String')
    kinds = [key for key in _BUTTON_KINDS if raw.get(key) not in (None, "")]
    if not kinds:
        raise wrong("Text buttons are unallowed in the inline keyboard")
    if len(kinds) > 1:
        complain(f"a button has {' and '.join(kinds)}: the platform takes the first")
    if not raw["text"]:
        complain("a button without words: the platform leaves it out")
    if kinds[0] == "copy_text" and not (
        isinstance(raw["copy_text"], dict) and isinstance(raw["copy_text"].get("text"), str)
    ):
        raise wrong('Can\'t find field "text"')
    style = {"style": raw["style"]} if raw.get("style") in {"danger", "success", "primary"} else {}
    return {"text": raw["text"], kinds[0]: raw[kinds[0]]} | style


def _check_button_limits(button: Json) -> None:
    """What the server behind the Bot API checks after everything parsed."""
    if "callback_data" in button and len(button["callback_data"].encode()) > MOST_CALLBACK_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    if "copy_text" in button and not 1 <= len(button["copy_text"]["text"]) <= MOST_COPY_CHARACTERS:
        raise bad_request("BUTTON_COPY_TEXT_INVALID")
    if "url" in button and (reason := what_is_wrong_with(button["url"])):
        raise bad_request(f"inline keyboard button URL '{button['url']}' is invalid: {reason}")


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """What a message wants to answer."""

    message: int
    chat: str = ""
    may_be_missing: bool = False
    quote: str = ""
    quote_position: int = 0


def checked_reply(params: Params) -> ReplyRequest | None:
    """The reply_parameters of a request, None when it answers nothing."""
    raw = params.decoded("reply_parameters", "reply parameters")
    if raw is None or raw == {}:
        return None
    if not isinstance(raw, dict):
        raise bad_request("object expected as reply parameters")
    if "message_id" not in raw:
        raise bad_request('can\'t find field "message_id"')
    number = raw["message_id"]
    if isinstance(number, bool) or not re.fullmatch(r"-?\d+", str(number)):
        raise bad_request('field "message_id" must be a valid Number')
    may_be_missing = raw.get("allow_sending_without_reply", False)
    if not isinstance(may_be_missing, bool):
        raise bad_request('field "allow_sending_without_reply" must be of type Boolean')
    return ReplyRequest(
        int(number),
        str(raw.get("chat_id", "")),
        may_be_missing,
        str(raw.get("quote", "")),
        int(raw.get("quote_position", 0)),
    )


def checked_link_preview(params: Params) -> Json | None:
    """The link_preview_options of a request."""
    raw = params.decoded("link_preview_options", "link preview options")
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise bad_request("object expected as link preview options")
    for key in ("is_disabled", "prefer_small_media", "prefer_large_media", "show_above_text"):
        if not isinstance(raw.get(key, False), bool):
            raise bad_request(f'field "{key}" must be of type Boolean')
    return raw


def checked_reactions(params: Params) -> list[str]:
    """The emoji of setMessageReaction: at most one, from the list."""
    raw = params.decoded("reaction", "reaction types") or []
    if not isinstance(raw, list):
        raise bad_request("expected an Array of ReactionType")
    emoji: list[str] = []
    for one in raw:
        if not isinstance(one, dict):
            raise bad_request("can't parse ReactionType: expected an Object")
        match one.get("type"):
            case "emoji" if isinstance(one.get("emoji"), str):
                emoji.append(one["emoji"])
            case "emoji":
                raise bad_request("can't parse ReactionType: Can't find field \"emoji\"")
            case "custom_emoji" | "paid":
                raise bad_request("REACTION_INVALID")
            case _:
                raise bad_request("can't parse ReactionType: invalid reaction type specified")
    if any(one not in REACTIONS for one in emoji):
        raise bad_request("REACTION_INVALID")
    if len(emoji) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    return emoji


def checked_photo(upload: Upload) -> tuple[int, int]:
    """Width and height of an uploaded photo that the platform would take."""
    size = len(upload.content)
    if size > MOST_PHOTO_BYTES:
        raise bad_request(
            f"file of size {size} bytes is too big for a photo; the maximum size is {MOST_PHOTO_BYTES} bytes"
        )
    sides = image_size(upload.content)
    if sides is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    width, height = sides
    if width + height > MOST_PHOTO_SIDES or max(width, height) > MOST_PHOTO_RATIO * min(width, height):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return sides


def image_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, GIF, JPEG or WebP; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        sides = struct.unpack(">II", content[16:24])
    elif content.startswith((b"GIF87a", b"GIF89a")) and len(content) >= 10:
        sides = struct.unpack("<HH", content[6:10])
    else:
        found = _jpeg_size(content) if content.startswith(b"\xff\xd8") else _webp_size(content)
        if found is None:
            return None
        sides = found
    return (sides[0], sides[1]) if min(sides) > 0 else None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Walk the segments of a JPEG up to its frame header (source: ITU T.81, B.2)."""
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """The canvas of a WebP in any of its three forms (source: RFC 9649, 2.5 to 2.7)."""
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or len(content) < 30:
        return None
    match content[12:16]:
        case b"VP8X":
            return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(content[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack("<HH", content[26:30])
            return width & 0x3FFF, height & 0x3FFF
        case _:
            return None
