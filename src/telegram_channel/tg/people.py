"""Who did something and where: only a real person is ever named as a sender."""

from dataclasses import dataclass

from telegram_channel.core.ids import SenderId, ThreadId
from telegram_channel.core.messages import ChatKind, Place
from telegram_channel.tg.ids import NOBODY, chat_id, sender_id
from telegram_channel.tg.names import one_line
from telegram_channel.tg.raw import Fields, Malformed, optional_object, optional_text, required_integer

_NOT_PEOPLE = frozenset({777000, 1087968824, 136817688})
"""Accounts that stand for a channel's post, an anonymous administrator, a channel (tdlib, `UserManager`)."""

_CHAT_KINDS = {
    "private": ChatKind.PRIVATE,
    "group": ChatKind.GROUP,
    "supergroup": ChatKind.GROUP,
    "channel": ChatKind.CHANNEL,
}


class OfNoInterest(Exception):
    """The update is understood and is nothing for us; the argument names it."""


@dataclass(frozen=True, slots=True)
class Person:
    """A sender as the chat shows them."""

    sender: SenderId
    name: str
    username: str | None


def person_of(user: Fields | None) -> Person | None:
    """The person behind a `User`; None for bots and for accounts that stand for somebody else.

    Raises:
        Malformed: it has no id.
    """
    if user is None or user.get("is_bot") is True:
        return None
    number = required_integer(user, "id")
    if number in _NOT_PEOPLE or number <= 0:
        return None
    username = one_line(optional_text(user, "username")) or None
    full = one_line(f"{optional_text(user, 'first_name')} {optional_text(user, 'last_name')}")
    return Person(sender_id(number), full or username or str(number), username)


def place_of(chat: Fields, person: Person, thread: ThreadId | None = None) -> Place:
    """Where `person` did something.

    Raises:
        Malformed: it is no chat, or of no type we know.
    """
    kind = _CHAT_KINDS.get(optional_text(chat, "type"))
    if kind is None:
        raise Malformed("the chat is of no known type")
    title = one_line(optional_text(chat, "title"))
    where = chat_id(required_integer(chat, "id"))
    return Place(where, kind, person.sender, person.name, title, thread, person.username)


NOBODY_KNOWN = Person(NOBODY, "nobody", None)
"""For what happens to a chat, whoever did it."""


def author_of(message: Fields) -> Person:
    """Who wrote a message.

    Raises:
        OfNoInterest: no person did, or none is shown.
        Malformed: the author has no id.
    """
    if "sender_chat" in message:
        raise OfNoInterest("written in the name of a chat")
    person = person_of(optional_object(message, "from"))
    if person is None:
        raise OfNoInterest("written by no person")
    return person


def origin_of(origin: Fields | None) -> str | None:
    """Whom a forwarded message is from, as people call them; None for a message that was not forwarded."""
    if origin is None:
        return None
    user = optional_object(origin, "sender_user") or {}
    chat = optional_object(origin, "sender_chat") or optional_object(origin, "chat") or {}
    name = one_line(
        f"{optional_text(user, 'first_name')} {optional_text(user, 'last_name')}".strip()
        or optional_text(origin, "sender_user_name")
        or optional_text(chat, "title")
    )
    username = one_line(optional_text(user, "username") or optional_text(chat, "username"))
    signature = one_line(optional_text(origin, "author_signature"))
    parts = [name, f"(@{username})" if username else "", f"[{signature}]" if signature else ""]
    return " ".join(part for part in parts if part) or "unknown"
