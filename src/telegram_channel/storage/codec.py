"""Every stored value is one versioned JSON document, and only a document that fits exactly is read.

Unknown names, missing or extra fields, wrong types: all of them are `CodecError`, because a state that is
half understood could let somebody in. A change of a core value that is stored here needs a new version of
its document, with a step in `upgrades` that makes the old form into the new one.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from telegram_channel.core.access import AccessState
from telegram_channel.core.audit import AuditRow
from telegram_channel.core.health import HealthReport
from telegram_channel.core.ids import SessionId
from telegram_channel.core.inbox import Fetch, QuarantinedUpdate
from telegram_channel.core.messages import ButtonPress, Deliverable, InboundMessage, ReactionChange
from telegram_channel.core.orders import Order
from telegram_channel.core.permission import Prompt
from telegram_channel.core.routing import Question, TopicBinding
from telegram_channel.core.wishes import Wishes
from telegram_channel.ports import SessionRecord
from telegram_channel.storage.shapes import TIME, CodecError, Shape, shape_of

T = TypeVar("T")
Upgrade = Callable[[Any], Any]
"""Makes the JSON value of one version into that of the next."""

_READABLE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_ESCAPED = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False)


class DocumentTooNew(CodecError):
    """A newer version of this program wrote the document."""


def _anything(_value: Any) -> None:
    return


@dataclass(frozen=True, slots=True)
class Document(Generic[T]):
    """One kind of stored value: `{"v": version, "data": …}`."""

    name: str
    shape: Shape
    version: int = 1
    upgrades: Mapping[int, Upgrade] = field(default_factory=dict)
    """By the version they start from: one for every version before the present one."""
    check: Callable[[T], None] = _anything
    """What must hold between the fields. Raises `CodecError`."""

    def encode(self, value: T) -> str:
        """The document as text that any UTF-8 column takes.

        Raises:
            ValueError: the value could not be read again, so it must not be written.
        """
        try:
            data = self.shape.encode(value)
            self.check(value)
        except CodecError as error:
            raise ValueError(f"{self.name} cannot be stored: {error}") from None
        document = {"v": self.version, "data": data}
        text = _READABLE.encode(document)
        try:
            text.encode()
        except UnicodeEncodeError:  # lone surrogates exist in JSON, but not in UTF-8
            return _ESCAPED.encode(document)
        return text

    def decode(self, text: object) -> T:
        """The value of a document.

        Raises:
            DocumentTooNew: its version is not known yet.
            CodecError: it does not fit exactly.
        """
        try:
            document = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            document = None
        if type(document) is not dict or document.keys() != {"v", "data"} or type(document["v"]) is not int:
            raise CodecError("is no document", (self.name,))
        version, data = document["v"], document["data"]
        if version > self.version:
            raise DocumentTooNew(f"has version {version}", (self.name,))
        try:
            while version < self.version:
                data = self._upgrade(version, data)
                version += 1
            value: T = self.shape.decode(data)
            self.check(value)
        except CodecError as error:
            raise error.inside(self.name) from None
        return value

    def _upgrade(self, version: int, data: Any) -> Any:
        if version not in self.upgrades:
            raise CodecError(f"has the unknown version {version}")
        try:
            return self.upgrades[version](data)
        except (KeyError, TypeError, AttributeError, IndexError):
            raise CodecError(f"is no valid version {version}") from None


def time_text(time: datetime) -> str:
    """A time for a column; such texts sort as the times do.

    Raises:
        ValueError: it is not aware.
    """
    try:
        text: str = TIME.encode(time)
    except CodecError as error:
        raise ValueError(str(error)) from None
    return text


def _keys_agree(state: AccessState) -> None:
    """Whoever is listed under an id is that person: two ids for one entry could admit the wrong one."""
    if any(key != sender.sender for key, sender in state.senders.items()):
        raise CodecError("must hold each sender under its own id", ("senders",))
    if any(key != group.chat for key, group in state.groups.items()):
        raise CodecError("must hold each group under its own id", ("groups",))


def _added(data: Any, **fields: Any) -> Any:
    """An older form with the fields it lacks; one that has any of them already is not of that version."""
    if data.keys() & fields.keys():
        raise CodecError("has fields of a later version")
    return data | fields


def _prompt_of_version_2(data: Any) -> Any:
    """A prompt asked before hooks told details, and before verdicts had more to them than yes and no."""
    verdict = data["verdict"]
    if verdict is not None:
        data = data | {"verdict": _added(verdict, always=None, reason="")}
    return _added(data, details=None)


def _session_of_version_2(data: Any) -> Any:
    """A process registered when every channel session, and no other, took messages."""
    return _added(data, receives=data["is_channel"], project="", branch="")


def _access_of_version_1(data: Any) -> Any:
    """A book from when everybody who was let in reached every session."""

    def unlimited(one: Any) -> Any:
        return _added(one, only=[]) if type(one) is dict else one  # whatever else it is, the shape refuses it

    senders, invitations = data["senders"], data["invitations"]
    if type(senders) is dict:
        senders = {key: unlimited(one) for key, one in senders.items()}
    if type(invitations) is list:
        invitations = [unlimited(one) for one in invitations]
    return data | {"senders": senders, "invitations": invitations}


ACCESS: Document[AccessState] = Document(
    "access", shape_of(AccessState), version=2, upgrades={1: _access_of_version_1}, check=_keys_agree
)
AUDIT: Document[AuditRow] = Document("audit", shape_of(AuditRow))
INBOUND: Document[Deliverable] = Document(
    "inbound",
    shape_of(Deliverable, {"message": InboundMessage, "press": ButtonPress, "reaction": ReactionChange}),
)
FETCH: Document[Fetch] = Document("fetch", shape_of(Fetch))
QUARANTINED: Document[QuarantinedUpdate] = Document("quarantined", shape_of(QuarantinedUpdate))
PROMPT: Document[Prompt] = Document("prompt", shape_of(Prompt), version=2, upgrades={1: _prompt_of_version_2})
ORDER: Document[Order] = Document("order", shape_of(Order))
WISHES: Document[Wishes] = Document("wishes", shape_of(Wishes))
SESSION: Document[SessionRecord] = Document(
    "session", shape_of(SessionRecord), version=2, upgrades={1: _session_of_version_2}
)
MOMENT: Document[datetime] = Document("moment", shape_of(datetime))
CHOICE: Document[SessionId] = Document("choice", shape_of(SessionId))
TOPIC: Document[TopicBinding] = Document("topic", shape_of(TopicBinding))
QUESTION: Document[Question] = Document("question", shape_of(Question))
HEALTH: Document[HealthReport] = Document("health", shape_of(HealthReport))
REASON: Document[str] = Document("reason", shape_of(str))
