"""`/sessions`, `/use`, `/to` and their buttons: what people say about whom they talk to."""

from dataclasses import replace
from typing import Any

import pytest

from telegram_channel.bridge.authorship import NOTED_AFTER_S, OwnChat
from telegram_channel.bridge.courier import Courier
from telegram_channel.bridge.presence import LOOK_EVERY_S, Presence
from telegram_channel.core.ids import BotId, ChatId, MessageId, PromptId, SessionId, ThreadId
from telegram_channel.core.messages import Batch, RepliedTo
from telegram_channel.core.outgoing import OutMessage, PartlySent, Refused, Uncertain
from telegram_channel.core.permission import Behavior, PermissionRequest, Prompt, TypedAnswer
from telegram_channel.core.text import Plain
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import Chat, SessionRecord
from telegram_channel.storage.memory import MemoryStore
from tests.bridge.house import ANN, BOB, TEAM, House
from tests.bridge.test_intake import FullInbox
from tests.chat import RecordingChat
from tests.clock import ManualClock
from tests.values import NOON
from tests.waiting import running


async def test_sessions_lists_who_is_there_with_a_button_each_and_marks_the_choice() -> None:
    house = await House().open("shop", "website")
    await house.begins("quiet", receives=False)
    await house.say("/sessions")
    [text] = house.chat.texts(ANN)
    assert text.startswith("2 sessions are running. This chat has chosen none")
    assert "shop" in text
    assert "website" in text
    assert "quiet" not in text
    assert house.asked(ANN) == ["shop", "website"]
    assert await house.press("website") == "What you write here goes to website from now on."
    assert [button.label for row in house.chat.edits[-1].buttons for button in row] == ["shop", "✓ website"]
    assert house.chat.edits[-1].body is None
    await house.say("/sessions")
    assert house.asked(ANN) == ["shop", "✓ website"]
    assert house.entries() == []


@pytest.mark.parametrize(
    ("typed", "said", "chosen"),
    [
        ("/use website", "What you write here goes to website from now on.", "website"),
        ("/use WEB", "What you write here goes to website from now on.", "website"),
        ("/use sho", "“sho” may be shop or shopping. Nothing was changed. Please write more of the name.", None),
        ("/use shop", "What you write here goes to shop from now on.", "shop"),
        ("/use blog", "No running session is called “blog”. Nothing was changed. Running: shop, website", None),
        ("/use", "Which session shall this chat talk to?", None),
    ],
)
async def test_use_chooses_by_name_or_its_beginning(typed: str, said: str, chosen: str | None) -> None:
    """MUST F39: `/use NAME` chooses for its chat; a unique beginning of the name is enough, in any letter case."""
    house = await House().open("shop", "website", "shopping")
    await house.say(typed)
    assert house.chat.texts(ANN)[0].startswith(said)
    assert await house.store.routes.chosen(ChatId(ANN)) == chosen
    assert await house.store.routes.chosen(ChatId(BOB)) is None


async def test_a_choice_settles_the_question_and_what_waited_goes_along() -> None:
    house = await House().open("shop", "website")
    await house.say("one")
    await house.say("/use shop")
    assert house.chat.texts(ANN)[-1] == (
        "What you write here goes to shop from now on. So does the message that waited."
    )
    assert house.destinations() == {"one": "shop"}
    assert house.chat.edits[-1].text == "For shop. /use changes it."


async def test_an_old_choice_does_not_count() -> None:
    """MUST F40: a choice that waited while nobody polled is not acted on."""
    house = await House().open("shop", "website")
    await house.say("one")
    await house.clock.advance(3600)
    await house.say("/use shop")
    assert house.chat.texts(ANN)[-1] == "That came while I was offline, so it does not count. Please do it again."
    await house.clock.advance(3600)
    await house.press("shop", on="501")
    assert house.chat.texts(ANN)[-1] == "That came while I was offline, so it does not count. Please do it again."
    assert house.destinations() == {"one": None}


async def test_an_old_message_for_a_named_session_is_a_message_all_the_same() -> None:
    house = await House().open("shop", "website")
    await house.clock.advance(3600)
    await house.say("/to shop hello")
    assert house.destinations() == {"hello": "shop"}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/to", "/to NAME text gives one message to one session"),
        ("/to shop", "/to NAME text gives one message to one session"),
        ("/to blog hello", "No running session is called “blog”. Nothing was passed on. Running: shop and website."),
        ("/to s", "/to NAME text gives one message to one session"),
    ],
)
async def test_to_without_a_name_or_a_text_passes_nothing_on(typed: str, said: str) -> None:
    house = await House().open("shop", "website")
    await house.say(typed)
    assert house.chat.texts(ANN)[0].startswith(said)
    assert house.entries() == []


async def test_to_gives_one_message_and_changes_no_choice() -> None:
    """MUST F41: `/to NAME text` gives that one message to that session, without the command."""
    house = await House().open("shop", "website")
    await house.store.routes.choose(ChatId(ANN), SessionId("website"))
    await house.say("/to shop run the tests\n  now")
    await house.say("and you?")
    assert house.destinations() == {"run the tests\n  now": "shop", "and you?": "website"}


async def test_what_somebody_else_said_is_no_command() -> None:
    house = await House().open("shop", "website")
    await house.store.routes.choose(ChatId(ANN), SessionId("website"))
    for text in ("/use shop", "/to shop hello", "/sessions"):
        await house.say(text, forwarded_from="Eve")
    assert house.destinations() == {"/use shop": "website", "/to shop hello": "website", "/sessions": "website"}
    assert house.chat.sent == []


async def test_anybody_admitted_chooses_for_their_chat_and_strangers_are_told_nothing() -> None:
    house = await House().open("shop", "website")
    await house.say("one", chat=TEAM)
    assert await house.press("shop", "6666", TEAM) == ""
    assert house.destinations() == {"one": None}
    assert (await house.press("shop", BOB, TEAM)).startswith("What you write here goes to shop")
    assert house.destinations() == {"one": "shop"}


async def test_the_same_press_taken_again_changes_nothing() -> None:
    house = await House().open("shop", "website")
    await house.say("one")
    for _ in range(2):
        await house.press("website", on="501")
    assert house.destinations() == {"one": "website"}
    assert len(house.chat.sent) == 1


async def test_a_limited_person_sees_and_chooses_only_what_is_open_to_them() -> None:
    """MUST F42: sessions that are not open to a person are neither shown to them nor chosen by them."""
    house = await House().open("shop", "website", "blog")

    def limit(state: Any) -> Any:
        bob = replace(state.senders[BOB], only=frozenset({"website", "blog"}))
        return replace(state, senders={**state.senders, BOB: bob}), None, ()

    await house.store.access.transact(limit)
    await house.say("/sessions", BOB)
    assert house.asked(BOB) == ["website", "blog"]
    await house.say("/use shop", BOB)
    assert "No running session is called “shop”" in house.chat.texts(BOB)[-1]
    await house.say("one", ANN, TEAM)
    assert await house.press("shop", BOB, TEAM) == "!That session is not open to you. Nothing was passed on."
    await house.say("hello", BOB)
    assert house.asked(BOB) == ["website", "blog"]


async def test_stop_by_reply_and_in_a_topic_is_about_that_session() -> None:
    house = await House().open("shop", "website")
    await house.wrote("website", "600")
    await house.answer("/stop", "600")
    [order] = await house.store.orders.standing(SessionId("website"))
    assert order.session == "website"
    assert await house.store.orders.standing(SessionId("shop")) == ()


async def test_the_same_five_letters_in_two_sessions_need_to_be_told_apart() -> None:
    """MUST F43: a typed answer that fits requests of two sessions decides none, unless its place or reply
    names one.
    """
    house = await House().open("shop", "website")
    request = PermissionRequest("abcde", "Bash", "Run", "{}")
    for session in ("shop", "website"):
        await house.store.prompts.open(Prompt(PromptId(f"p-{session}"), SessionId(session), request, NOON))
    await house.say("yes abcde")
    assert "Two sessions ask with the letters abcde" in house.chat.texts(ANN)[-1]
    assert len(await house.store.prompts.open_prompts()) == 2
    await house.wrote("website", "600")
    said = house.said("yes abcde", reply_to=RepliedTo(MessageId("600"), from_bot=True))
    for _ in range(2):  # a batch that could not be stored comes again
        await house.approvals.answered_by_text(
            said,
            TypedAnswer(Behavior.ALLOW, "abcde"),
            fresh=True,
            state=await house.store.access.read(),
            meant=SessionId("website"),
        )
    [left] = await house.store.prompts.open_prompts()
    assert left.session == "shop"
    await house.say("no abcde")
    assert await house.store.prompts.open_prompts() == ()
    assert house.entries() == []


# What a session sends is its own.


def own_chat() -> tuple[OwnChat, RecordingChat, MemoryStore, ManualClock]:
    clock, chat = ManualClock(NOON), RecordingChat()
    store = MemoryStore(BotId("900"), now=clock.now)
    return OwnChat(chat, store, clock, Courier(), SessionId("shop")), chat, store, clock


def as_port(chat: OwnChat) -> Chat:
    """The type checker proves here that it keeps the contract."""
    return chat


@pytest.mark.parametrize(
    ("outcome", "noted"),
    [
        (None, ["501"]),
        (PartlySent((MessageId("9"), MessageId("10")), 3, "broke"), ["9", "10"]),
        (Uncertain("broke"), []),
        (Refused("no"), []),
    ],
)
async def test_what_arrived_is_noted_as_the_sessions_own_beside_the_answer(outcome: Any, noted: list[str]) -> None:
    """MUST F44: a reply to a message that a session sent finds that session."""
    own, chat, store, clock = own_chat()
    if outcome:
        chat.will("send", outcome)
    await own.send(OutMessage(ChatId(ANN), Plain("hello")))
    numbers = ("501", "9", "10")
    assert [await store.routes.author(ChatId(ANN), MessageId(one)) for one in numbers] == [None] * 3
    await clock.advance(NOTED_AFTER_S)
    found = [one for one in numbers if await store.routes.author(ChatId(ANN), MessageId(one)) == "shop"]
    assert found == noted


async def test_a_full_disk_does_not_keep_an_answer_back() -> None:
    own, chat, store, clock = own_chat()
    store.fault = StateUnwritable("The disk is full.")
    await own.send(OutMessage(ChatId(ANN), Plain("hello")))
    await clock.advance(1)
    assert chat.texts(ANN) == ["hello"]


async def test_everything_else_is_passed_on_as_it_is() -> None:
    own, chat, _, _ = own_chat()
    port = as_port(own)
    where, number, thread = ChatId(ANN), MessageId("1"), ThreadId("7")
    await port.edit(where, number, Plain("x"))
    await port.react(where, number, "👍")
    await port.typing(where, thread)
    await port.draft(where, 1, Plain("y"), thread)
    await port.rename_topic(where, thread, "name")
    await port.close_topic(where, thread)
    await port.reopen_topic(where, thread)
    await port.open_topic(where, "new")
    await port.announce_commands({"use": "NAME"})
    assert await port.has_topics(where) is False
    assert (await port.identity()).bot == (await chat.identity()).bot
    assert chat.calls == [f"{what} {ANN}" for what in ("edit", "react", "rename_topic", "close_topic")] + [
        f"reopen_topic {ANN}",
        f"open_topic {ANN}",
    ]
    assert (len(chat.typed), len(chat.drafts), chat.commands) == (1, 1, {"use": "NAME"})


async def test_a_process_says_with_each_beat_which_branch_its_project_is_on() -> None:
    """MUST F45: a session is listed with its project and the branch it is on now."""
    clock = ManualClock(NOON)
    store = MemoryStore(BotId("900"), now=clock.now)
    record = SessionRecord(SessionId("s"), 7, NOON, NOON, "shop", True, project="/srv/shop", branch="main")

    async def branch() -> str:
        return "feature"

    async with running(Presence(store, clock, record, branch).run()):
        await clock.until_sleeping()
        assert [one.branch for one in await store.sessions.list()] == ["main"]
        store.fault = StateUnwritable("The disk is full.")
        await clock.advance(LOOK_EVERY_S)
        store.fault = None
        await clock.advance(1)
        assert [(one.branch, one.receives) for one in await store.sessions.list()] == [("feature", True)]


async def test_a_batch_that_could_not_be_stored_is_taken_again_with_the_choice_it_made() -> None:
    house = await House().open("shop", "website")
    batch = Batch((house.said("/use shop"), house.said("one")), house.said("x").update, drained=True)
    inbox, house.store.inbox = house.store.inbox, FullInbox(house.store)
    with pytest.raises(StateUnwritable):
        await house.reception.take(batch)
    house.store.inbox = inbox
    await house.reception.take(batch)
    await house.settled()
    assert house.destinations() == {"one": "shop"}
    assert house.chat.texts(ANN) == ["What you write here goes to shop from now on."]
