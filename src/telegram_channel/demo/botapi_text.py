"""Text and its entities as the platform takes them: what is refused, what is cut, what is added.

Offsets and lengths count UTF-16 code units everywhere. The words of the refusals are the server's own.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from telegram_channel.core.text import utf16_len
from telegram_channel.demo.botapi_wire import Json, bad_request, words

MOST_TEXT: Final = 4096
MOST_CAPTION: Final = 1024
MOST_ENTITIES: Final = 100
MOST_RAW_BYTES: Final = 1 << 15
WRONG_NUMBER: Final = 1_000_000

OWN_ENTITIES: Final = words(
    "bold italic underline strikethrough spoiler blockquote expandable_blockquote code pre text_link text_mention "
    "custom_emoji date_time"
)
"""What a bot can ask for."""
FOUND_ENTITIES: Final = words("mention hashtag cashtag bot_command url email phone_number bank_card_number")
"""What the platform finds by itself; asking for it is allowed and changes nothing."""
ALONE: Final = frozenset({"code", "pre"})
"""These go with no other entity."""

Complain = Callable[[str], None]

_FINDERS: Final = (
    ("bot_command", re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>])")),
    ("mention", re.compile(r"(?<!\w)@[A-Za-z0-9_]{2,32}(?!\w)")),
    ("url", re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]}'`]")),
)


@dataclass(frozen=True, slots=True)
class Formatted:
    """Text with the entities that belong to it."""

    text: str
    entities: tuple[Json, ...] = ()

    def content(self, key: str) -> Json:
        """The fields of a Message: `text` with `entities`, or `caption` with `caption_entities`."""
        if not self.text:
            return {}
        entities_key = "entities" if key == "text" else f"{key}_entities"
        return {key: self.text} | ({entities_key: list(self.entities)} if self.entities else {})


def read_entities(raw: Any, complain: Complain) -> tuple[Json, ...]:
    """The entities of a request, each checked by itself.

    Raises:
        Refused: one of them is not an entity.
    """
    if raw is None:
        return ()
    if not isinstance(raw, list):
        complain("entities are not a JSON array: the platform ignores them")
        return ()
    return tuple(entity for entity in map(_read_entity, raw) if entity is not None)


def _read_entity(raw: Any) -> Json | None:
    def wrong(words: str) -> Exception:
        return bad_request(f"can't parse MessageEntity: {words}")

    if not isinstance(raw, dict):
        raise wrong("expected an Object")
    entity: Json = {}
    for key, kinds, name in (("offset", int, "Number"), ("length", int, "Number"), ("type", str, "String")):
        if key not in raw:
            raise wrong(f'Can\'t find field "{key}"')
        if not isinstance(raw[key], kinds) or isinstance(raw[key], bool):
            raise wrong(f'Field "{key}" must be of type {name}')
        entity[key] = raw[key]
    needed = {"text_link": "url", "text_mention": "user", "custom_emoji": "custom_emoji_id", "date_time": "unix_time"}
    kind = entity["type"]
    if kind in FOUND_ENTITIES:
        return None
    if kind not in OWN_ENTITIES:
        raise wrong("Unsupported type specified")
    if kind in needed and needed[kind] not in raw:
        raise wrong(f'Can\'t find field "{needed[kind]}"')
    if kind == "custom_emoji" and not str(raw["custom_emoji_id"]).isdecimal():
        raise wrong('Field "custom_emoji_id" must be a valid Number')
    for key in ("url", "user", "language", "custom_emoji_id", "unix_time", "date_time_format"):
        if raw.get(key):
            entity[key] = raw[key]
    return {"type": kind} | entity


def settle(text: str, entities: Sequence[Json], complain: Complain, *, may_be_empty: bool = False) -> Formatted:
    """Text and entities as they are kept: cleaned, trimmed, and with what the platform finds by itself.

    Raises:
        Refused: nothing visible is left, or an entity does not fit the text.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise bad_request("strings must be encoded in UTF-8") from None
    for entity in entities:
        if not 0 <= entity["offset"] <= WRONG_NUMBER:
            raise bad_request(f"receive an entity with incorrect offset {entity['offset']}")
        if not 0 <= entity["length"] <= WRONG_NUMBER:
            raise bad_request(f"receive an entity with incorrect length {entity['length']}")
        if entity["type"] == "text_link" and (reason := what_is_wrong_with(str(entity.get("url", "")))):
            raise bad_request(f"entity URL '{entity.get('url', '')}' is invalid: {reason}")
    kept = sorted(
        (dict(one) for one in entities if one["length"]), key=lambda one: (one["offset"], -int(one["length"]))
    )
    _check_ranges(text, kept)
    text, kept = _clean(text, kept)
    text, kept = _trim(text, kept)
    if not text and not may_be_empty:
        raise bad_request("text must be non-empty")
    kept = _without_company(kept, complain)
    if len(kept) > MOST_ENTITIES:
        complain(f"{len(kept)} entities: the platform ignores all after {MOST_ENTITIES}")
        kept = kept[:MOST_ENTITIES]
    return Formatted(text, tuple(_with_found(text, kept)))


def what_is_wrong_with(url: str) -> str:
    """Why a link is refused, empty when it is not."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme.lower() in {"tg", "ton", "tonsite"}:
        return ""
    if separator and scheme.lower() not in {"http", "https"}:
        return "Unsupported URL protocol"
    host = re.split(r"[/?#]", rest if separator else url, maxsplit=1)[0]
    if not host:
        return "URL host is empty"
    return "" if "." in host.strip(".") and not re.search(r"\s", host) else "Wrong HTTP URL"


def _check_ranges(text: str, entities: Sequence[Json]) -> None:
    """Every entity begins and ends between characters of the text."""
    if not entities:
        return
    starts: dict[int, int] = {}
    units = position = 0
    for char in text:
        starts[units] = position
        units += 2 if char > "\uffff" else 1
        position += len(char.encode("utf-8"))
    starts[units] = position
    for entity in entities:
        begin, end = entity["offset"], entity["offset"] + entity["length"]
        if begin > units:
            raise bad_request(f"entity begins after the end of the text at UTF-16 offset {begin}")
        if begin not in starts:
            raise bad_request(f"entity begins in a middle of a UTF-16 symbol at byte offset {starts[begin + 1]}")
        if end > units:
            raise bad_request(
                f"entity beginning at UTF-16 offset {begin} ends after the end of the text at UTF-16 offset {end}"
            )
        if end not in starts:
            raise bad_request(
                f"entity beginning at UTF-16 offset {begin} ends in a middle of a UTF-16 symbol "
                f"at byte offset {starts[end + 1]}"
            )


_CONTROLS: Final = re.compile(r"[\x00-\x09\x0b-\x0c\x0e-\x1f]")
_REMOVED: Final = re.compile(r"[\r\u2028-\u202e\u030a\u033f\u0333]")


def _clean(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Control characters become spaces; carriage returns and a few marks vanish."""
    text = _CONTROLS.sub(" ", text)
    if not _REMOVED.search(text):
        return text, entities
    moved: list[int] = []
    units = 0
    for char in text:
        width = 2 if char > "\uffff" else 1
        moved += [units] * width
        units += 0 if _REMOVED.match(char) else width
    moved.append(units)
    kept = []
    for entity in entities:
        begin, end = moved[entity["offset"]], moved[entity["offset"] + entity["length"]]
        if end > begin:
            kept.append(entity | {"offset": begin, "length": end - begin})
    return _REMOVED.sub("", text), kept


_EMPTY_LOOKING: Final = " \n\u00a0\u1680\u180e\u2000-\u200f\u202f\u205f\u2800\u3000\ufeff\ufffc"


def _trim(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Cut white space at the end, and at the beginning as far as no entity covers it."""
    if re.fullmatch(f"[{_EMPTY_LOOKING}]*", text):
        return "", []
    text = text.rstrip(" \n")
    units = utf16_len(text)
    first = entities[0]["offset"] if entities else units
    # White space is one unit per character, so that units and characters agree here.
    cut = min(len(text) - len(text.lstrip(" \n")), first)
    kept = []
    for entity in entities:
        end = min(entity["offset"] + entity["length"], units)
        if end > entity["offset"]:
            kept.append(entity | {"offset": entity["offset"] - cut, "length": end - entity["offset"]})
    return text[cut:], kept


def _without_company(entities: list[Json], complain: Complain) -> list[Json]:
    """`code` and `pre` lose whatever shares their place; other entities must nest, not cross."""
    kept: list[Json] = []
    for entity in entities:
        begin, end = entity["offset"], entity["offset"] + entity["length"]
        sharing = [one for one in kept if one["offset"] + one["length"] > begin]
        alone = next((one for one in sharing if one["type"] in ALONE), None)
        if alone:
            complain(f"{entity['type']} inside {alone['type']} at {begin}: the platform drops it")
            continue
        if entity["type"] in ALONE and any(not one["type"].endswith("blockquote") for one in sharing):
            complain(f"{entity['type']} together with other entities at {begin}: the platform changes them")
        if any(one["offset"] + one["length"] < end for one in sharing):
            complain(f"{entity['type']} at {begin} crosses the end of another entity: the platform splits it")
        kept.append(entity)
    return kept


def _with_found(text: str, entities: list[Json]) -> list[Json]:
    """Add commands, mentions and links, except inside what must stay alone or is a link already."""
    closed = [
        (one["offset"], one["offset"] + one["length"])
        for one in entities
        if one["type"] in ALONE | {"text_link", "text_mention", "custom_emoji"}
    ]
    found: list[Json] = []
    for kind, pattern in _FINDERS:
        for match in pattern.finditer(text):
            begin = utf16_len(text[: match.start()])
            end = begin + utf16_len(match[0])
            if all(end <= low or high <= begin for low, high in closed):
                closed.append((begin, end))
                found.append({"type": kind, "offset": begin, "length": end - begin})
    if not found:
        return entities
    return sorted([*entities, *found], key=lambda one: (one["offset"], -int(one["length"])))


def find_entities(text: str) -> list[Json]:
    """What the platform finds in a text that a person typed."""
    return _with_found(text, [])
