"""The methods that put something into a chat: messages, files, albums, actions, drafts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from telegram_channel.core.text import utf16_len
from telegram_channel.demo.botapi_call import Access, Call, Method
from telegram_channel.demo.botapi_checks import (
    ACTIONS,
    MOST_IN_ALBUM,
    MOST_UPLOAD_BYTES,
    checked_keyboard,
    checked_link_preview,
    checked_photo,
    checked_reply,
    formatted,
    image_size,
)
from telegram_channel.demo.botapi_events import post
from telegram_channel.demo.botapi_files import StoredFile
from telegram_channel.demo.botapi_text import MOST_CAPTION, MOST_TEXT, Formatted, settle
from telegram_channel.demo.botapi_wire import Json, Refused, Upload, bad_request
from telegram_channel.demo.botapi_world import Chat, ChatKind, StoredMessage, World


def send_message(call: Call) -> Json:
    """sendMessage"""
    draft = call.params.formatted("text", call.complain)
    if not draft.text:
        raise bad_request("message text is empty")
    preview = checked_link_preview(call.params)
    place = _place(call)
    settled = settle(draft.text, draft.entities, call.complain)
    if utf16_len(settled.text) > MOST_TEXT:
        raise bad_request("message is too long")
    content = settled.content("text")
    if preview:
        content["link_preview_options"] = preview
    return _send(call, place, content).view()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message goes and what hangs on it, checked."""

    chat: Chat
    thread: int | None
    reply_to: StoredMessage | None
    head: Json
    buttons: Sequence[Sequence[Json]]


def _place(call: Call, messages: int = 1) -> Place:
    """Parsing faults of the request come before faults of the chat, as on the real server."""
    reply = checked_reply(call.params)
    buttons = checked_keyboard(call.params, call.complain) or ()
    chat = call.chat(Access.WRITE)
    answered, head = call.answered(chat, reply)
    if call.flood_control:
        call.flood_control.count(chat, messages, call.now)
    return Place(chat, call.thread(chat), answered, head, buttons)


def _send(
    call: Call, place: Place, content: Json, *, head: Json | None = None, file: StoredFile | None = None
) -> StoredMessage:
    protection = {"has_protected_content": True} if call.params.flag("protect_content") else {}
    return post(
        call.world,
        place.chat,
        call.bot,
        content,
        at=call.now,
        now=call.now,
        head=place.head | protection | (head or {}),
        reply_to=place.reply_to,
        thread=place.thread,
        buttons=place.buttons,
        file=file,
    )


def settled_caption(call: Call, draft: Formatted, too_long: str = "message caption is too long") -> Formatted:
    """A caption as it is kept; it may be empty."""
    settled = settle(draft.text, draft.entities, call.complain, may_be_empty=True)
    if utf16_len(settled.text) > MOST_CAPTION:
        raise bad_request(too_long)
    return settled


def media_view(kind: str, world: World, stored: StoredFile, traits: Mapping[str, int | str]) -> Json:
    """The fields of a Message that carry a file of a kind, with all its object requires."""
    common: Json = {"file_id": stored.file_id, "file_unique_id": stored.unique_id, "file_size": stored.size_bytes}
    named = {"file_name": stored.name} if stored.name else {}
    typed = {"mime_type": stored.mime}
    length = {"duration": int(traits.get("duration", 0))}
    sides = {"width": int(traits.get("width", 640)), "height": int(traits.get("height", 480))}
    match kind:
        case "photo":
            return {"photo": _photo_sizes(world, stored)}
        case "document":
            return {"document": common | named | typed}
        case "voice":
            return {"voice": common | length | typed}
        case "audio":
            titles = {key: traits[key] for key in ("performer", "title") if traits.get(key)}
            return {"audio": common | length | titles | named | typed}
        case "video":
            return {"video": common | sides | length | named | typed}
        case "animation":
            # An animation comes as a document, too (source: Bot API, Message).
            return {"animation": common | sides | length | named | typed, "document": common | named | typed}
        case "video_note":
            return {"video_note": common | {"length": int(traits.get("length", 240))} | length}
        case _:
            raise ValueError(kind)


def _photo_sizes(world: World, stored: StoredFile) -> list[Json]:
    """A photo in two sizes, the small one first; a small original has only one."""
    width, height = image_size(stored.content) or (1280, 960)
    full = {
        "file_id": stored.file_id,
        "file_unique_id": stored.unique_id,
        "file_size": stored.size_bytes,
        "width": width,
        "height": height,
    }
    if max(width, height) <= SMALL_SIDE:
        return [full]
    small = world.files.keep("photo", stored.content[: len(stored.content) // 2], mime=stored.mime)
    scale = SMALL_SIDE / max(width, height)
    return [
        {
            "file_id": small.file_id,
            "file_unique_id": small.unique_id,
            "file_size": small.size_bytes,
            "width": max(1, round(width * scale)),
            "height": max(1, round(height * scale)),
        },
        full,
    ]


SMALL_SIDE: Final = 90


def _media(call: Call, kind: str, reference: str, field: str) -> StoredFile:
    """The file a request names: uploaded under `field`, attached, or known by its id."""
    if reference.startswith("attach://"):
        field = reference.removeprefix("attach://")
        reference = ""
    if reference:
        return _known_file(call, reference)
    upload = call.files.get(field)
    if upload is None:
        raise bad_request(f"there is no {kind} in the request")
    return _uploaded(call, kind, upload)


def _known_file(call: Call, reference: str) -> StoredFile:
    if reference.startswith(("http://", "https://")):
        call.complain("sending by URL is not emulated")
        raise bad_request("failed to get HTTP URL content")
    stored = call.world.files.get(reference)
    if stored is None:
        raise bad_request("wrong remote file identifier specified: can't unserialize it. Wrong last symbol")
    return stored


def _uploaded(call: Call, kind: str, upload: Upload) -> StoredFile:
    if not upload.content:
        raise bad_request("file must be non-empty")
    if len(upload.content) > MOST_UPLOAD_BYTES:
        raise Refused(413, "Request Entity Too Large")
    if kind == "photo":
        checked_photo(upload)
        return call.world.files.keep("photo", upload.content, mime="image/jpeg")
    return call.world.files.keep(kind, upload.content, name=upload.name, mime=upload.mime)


_TRAITS: Final = ("duration", "width", "height", "performer", "title")


def _sender(kind: str) -> Method:
    """The method that sends one file of a kind."""

    def send(call: Call) -> Json:
        draft = call.params.formatted("caption", call.complain)
        place = _place(call)
        caption = settled_caption(call, draft)
        stored = _media(call, kind, call.params.text(kind), kind)
        traits = {key: call.params.text(key) for key in _TRAITS if call.params.text(key)}
        content = media_view(kind, call.world, stored, traits) | caption.content("caption")
        return _send(call, place, content, file=stored).view()

    return send


_ALBUM_KINDS: Final = frozenset({"photo", "video", "audio", "document"})


def send_media_group(call: Call) -> list[Json]:
    """sendMediaGroup"""
    call.params.required("media")
    items = call.params.decoded("media", "media")
    if not isinstance(items, list):
        raise bad_request("expected an Array of InputMedia")
    drafts = [_album_item(call, item) for item in items]
    place = _place(call, len(items))
    if not items:
        raise bad_request("there are no messages to send")
    if len(items) > MOST_IN_ALBUM:
        raise bad_request("too many messages to send as an album")
    if len(items) == 1:
        call.complain("an album of one: the documentation asks for 2 to 10")
    kinds = {str(item["type"]) for item in items}
    for kind in ("document", "audio"):
        if kind in kinds and len(kinds) > 1:
            raise bad_request(f"{kind} can't be mixed with other media types")
    # All is checked before the first message appears: an album is sent whole or not at all.
    ready: list[tuple[StoredFile, Json]] = []
    for item, draft in zip(items, drafts, strict=True):
        kind = str(item["type"])
        stored = _media(call, kind, str(item["media"]), kind)
        caption = settled_caption(call, draft).content("caption")
        ready.append((stored, media_view(kind, call.world, stored, item) | caption))
    head = {"media_group_id": str(13_000_000_000_000_000 + call.world.count("album"))} if len(items) > 1 else {}
    return [_send(call, place, content, head=head, file=stored).view() for stored, content in ready]


def _album_item(call: Call, item: Any) -> Formatted:
    def wrong(words: str) -> Exception:
        return bad_request(f"can't parse InputMedia: {words}")

    if not isinstance(item, dict):
        raise wrong("expected an Object")
    if not item.get("media"):
        raise wrong("media not found")
    if "type" not in item:
        raise wrong('Can\'t find field "type"')
    if item["type"] == "animation":
        raise wrong('type "animation" can\'t be used in sendMediaGroup')
    if item["type"] not in _ALBUM_KINDS:
        raise wrong(f'type "{item["type"]}" is unsupported')
    return formatted(
        str(item.get("caption", "")), str(item.get("parse_mode", "")), item.get("caption_entities"), call.complain
    )


def send_chat_action(call: Call) -> bool:
    """sendChatAction"""
    action = call.params.text("action").lower()
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat = call.chat(Access.WRITE)
    # Unlike when sending, the General topic of a forum has an id here: 1.
    if call.params.integer("message_thread_id") != 1:
        call.thread(chat)
    if action == "cancel":
        chat.actions.pop(call.bot.id, None)
    else:
        chat.actions[call.bot.id] = (action, call.now)
    call.world.changed()
    return True


def send_message_draft(call: Call) -> bool:
    """sendMessageDraft"""
    draft = call.params.formatted("text", call.complain)
    number = call.params.integer("draft_id")
    if not number:
        raise bad_request("invalid draft identifier specified")
    chat = call.chat(Access.WRITE)
    if chat.kind is not ChatKind.PRIVATE:
        raise bad_request("TEXTDRAFT_PEER_INVALID")
    call.thread(chat)
    settled = settle(draft.text, draft.entities, call.complain, may_be_empty=True)
    if utf16_len(settled.text) > MOST_TEXT:
        raise bad_request("message is too long")
    chat.drafts[call.bot.id, number] = (settled.text, call.now)
    call.world.changed()
    return True


METHODS: Final[Mapping[str, Method]] = {
    "sendMessage": send_message,
    "sendPhoto": _sender("photo"),
    "sendDocument": _sender("document"),
    "sendVoice": _sender("voice"),
    "sendAudio": _sender("audio"),
    "sendVideo": _sender("video"),
    "sendAnimation": _sender("animation"),
    "sendMediaGroup": send_media_group,
    "sendChatAction": send_chat_action,
    "sendMessageDraft": send_message_draft,
}
