"""The one fake of `ports.Chat`: it remembers what it was asked to do and answers as it was told to.

    chat = RecordingChat()
    chat.will("send", Uncertain("the connection broke"))   # the next send only; later ones are Sent
    chat.will_open(Refused("no rights"))                    # the next topic; later ones are opened
    chat.topics_in.add("-1005")                             # where `has_topics` is true
    gate = chat.hold("1002")                                # whatever concerns that chat waits
    ...
    gate.set()
    assert chat.texts("1001") == ["hello"]

Without a script everything succeeds: messages get the ids 501, 502, … in the order they were sent, topics
the threads 71, 72, …
`calls` holds every call in the order it was made, whether it is finished or not; the lists by kind
(`sent`, `edits`, …) hold the same in detail.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from telegram_channel.core.ids import BotId, ChatId, FileRef, MessageId, PressId, ThreadId
from telegram_channel.core.outgoing import (
    BotIdentity,
    ButtonRows,
    Downloaded,
    DownloadOutcome,
    NotDownloaded,
    OutMessage,
    SendOutcome,
    Sent,
    TopicOpened,
    TopicOutcome,
)
from telegram_channel.core.text import Body
from telegram_channel.ports import Chat


@dataclass(frozen=True, slots=True)
class Edit:
    """One call of `edit`."""

    chat: ChatId
    message: MessageId
    body: Body | None
    buttons: ButtonRows

    @property
    def text(self) -> str:
        """The words of the new text."""
        return words(self.body)


@dataclass(frozen=True, slots=True)
class Reaction:
    """One call of `react`."""

    chat: ChatId
    message: MessageId
    emoji: str | None


@dataclass(frozen=True, slots=True)
class PressAnswer:
    """One call of `answer_press`."""

    press: PressId
    text: str
    alert: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """One call of `draft`."""

    chat: ChatId
    number: int
    body: Body
    thread: ThreadId | None

    @property
    def text(self) -> str:
        """The words of the draft."""
        return words(self.body)


@dataclass(frozen=True, slots=True)
class TopicCall:
    """One call of `open_topic`, `rename_topic`, `close_topic` or `reopen_topic`."""

    what: str
    """`open`, `rename`, `close` or `reopen`."""
    chat: ChatId
    thread: ThreadId | None = None
    """None when it is opened."""
    name: str = ""


def words(body: Body | None) -> str:
    """What a body says, whatever it looks like."""
    if body is None:
        return ""
    return getattr(body, "source", None) or getattr(body, "text", None) or getattr(body, "plain", str)()


class RecordingChat:
    """A `telegram_channel.ports.Chat` that a test owns."""

    def __init__(self, identity: BotIdentity | None = None) -> None:
        self._identity = identity or BotIdentity(BotId("900"), "demo_bot", "Demo")
        self._numbers = count(501)
        self._threads = count(71)
        self._openings: deque[TopicOutcome] = deque()
        self._scripts: dict[str, deque[SendOutcome]] = defaultdict(deque)
        self._gates: dict[str, asyncio.Event] = {}
        self.calls: list[str] = []
        """`send 1001`, `edit 1001`, … in the order the calls were made."""
        self.sent: list[OutMessage] = []
        self.edits: list[Edit] = []
        self.reactions: list[Reaction] = []
        self.typed: list[tuple[ChatId, ThreadId | None]] = []
        self.drafts: list[Draft] = []
        self.press_answers: list[PressAnswer] = []
        self.downloaded: list[tuple[FileRef, Path]] = []
        self.files: dict[str, bytes] = {}
        """What `download` finds, by file reference."""
        self.commands: Mapping[str, str] = {}
        self.topics_in: set[str] = set()
        """The chats in which `has_topics` is true; it is false in all others."""
        self.topics_unknown_in: set[str] = set()
        """The chats for which `has_topics` cannot be found out."""
        self.topic_calls: list[TopicCall] = []

    def will(self, method: str, *outcomes: SendOutcome) -> None:
        """Let the next calls of a method end like this, one after the other.

        `send`, `edit`, `react`, `rename_topic`, `close_topic` or `reopen_topic`.
        """
        self._scripts[method].extend(outcomes)

    def will_open(self, *outcomes: TopicOutcome) -> None:
        """Let the next calls of `open_topic` end like this, one after the other."""
        self._openings.extend(outcomes)

    def hold(self, chat: str) -> asyncio.Event:
        """Let everything that concerns `chat` wait until the returned event is set."""
        return self._gates.setdefault(chat, asyncio.Event())

    def texts(self, chat: str) -> list[str]:
        """What was sent to one chat, as words."""
        return [words(message.body) for message in self.sent if message.chat == chat]

    async def identity(self) -> BotIdentity:
        return self._identity

    async def send(self, message: OutMessage) -> SendOutcome:
        self.sent.append(message)
        return await self._outcome("send", message.chat)

    async def edit(
        self, chat: ChatId, message: MessageId, body: Body | None, buttons: ButtonRows = ()
    ) -> SendOutcome:
        self.edits.append(Edit(chat, message, body, buttons))
        return await self._outcome("edit", chat, message)

    async def react(self, chat: ChatId, message: MessageId, emoji: str | None) -> SendOutcome:
        self.reactions.append(Reaction(chat, message, emoji))
        return await self._outcome("react", chat, message)

    async def typing(self, chat: ChatId, thread: ThreadId | None = None) -> None:
        self.typed.append((chat, thread))

    async def draft(self, chat: ChatId, draft: int, body: Body, thread: ThreadId | None = None) -> None:
        self.drafts.append(Draft(chat, draft, body, thread))
        await self._pass(chat)

    async def answer_press(self, press: PressId, text: str = "", *, alert: bool = False) -> None:
        self.press_answers.append(PressAnswer(press, text, alert))

    async def download(self, file: FileRef, to: Path) -> DownloadOutcome:
        self.downloaded.append((file, to))
        await self._pass(file)
        if file not in self.files:
            return NotDownloaded("The file is not there any more.", again=False)
        to.write_bytes(self.files[file])  # noqa: ASYNC240 - a few bytes, in a test
        return Downloaded(len(self.files[file]))

    async def has_topics(self, chat: ChatId) -> bool | None:
        await self._pass(chat)
        return None if chat in self.topics_unknown_in else chat in self.topics_in

    async def open_topic(self, chat: ChatId, name: str) -> TopicOutcome:
        self.topic_calls.append(TopicCall("open", chat, None, name))
        self.calls.append(f"open_topic {chat}")
        scripted = self._openings.popleft() if self._openings else None
        opened = scripted or TopicOpened(ThreadId(str(next(self._threads))))
        await self._pass(chat)
        return opened

    async def rename_topic(self, chat: ChatId, thread: ThreadId, name: str) -> SendOutcome:
        return await self._change_topic(TopicCall("rename", chat, thread, name))

    async def close_topic(self, chat: ChatId, thread: ThreadId) -> SendOutcome:
        return await self._change_topic(TopicCall("close", chat, thread))

    async def reopen_topic(self, chat: ChatId, thread: ThreadId) -> SendOutcome:
        return await self._change_topic(TopicCall("reopen", chat, thread))

    async def _change_topic(self, call: TopicCall) -> SendOutcome:
        self.topic_calls.append(call)
        method = f"{call.what}_topic"
        self.calls.append(f"{method} {call.chat}")
        script = self._scripts[method]
        outcome = script.popleft() if script else Sent(())
        await self._pass(call.chat)
        return outcome

    async def announce_commands(self, commands: Mapping[str, str]) -> None:
        self.commands = commands

    async def _outcome(self, method: str, chat: ChatId, message: MessageId | None = None) -> SendOutcome:
        self.calls.append(f"{method} {chat}")
        number = MessageId(str(next(self._numbers))) if message is None else message
        script = self._scripts[method]
        outcome = script.popleft() if script else Sent((number,))
        await self._pass(chat)
        return outcome

    async def _pass(self, what: str) -> None:
        gate = self._gates.get(what)
        if gate:
            async with asyncio.timeout(10):  # a forgotten gate fails the test instead of hanging it
                await gate.wait()


def as_port(chat: RecordingChat) -> Chat:
    """The same object, as the flows know it: the type checker proves here that it keeps the contract."""
    return chat
