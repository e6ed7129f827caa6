"""Groups and topics: who hears what, who may do what, and the traps of thread ids."""

import pytest
from telegram import Update

from telegram_channel.demo.botapi_wire import Json
from telegram_channel.demo.phone import Phone
from tests.demo.desk import Desk

EVERYTHING = ["message", "edited_message", "callback_query", "message_reaction", "my_chat_member"]


def news(desk: Desk) -> list[Json]:
    """What the bot is told since the last look, without update ids; every update parses."""
    updates = desk.updates(allowed_updates=EVERYTHING)
    if updates:
        desk.updates(offset=updates[-1]["update_id"] + 1)
    for update in updates:
        Update.de_json(update, None)
    return [{key: value for key, value in update.items() if key != "update_id"} for update in updates]


def message(desk: Desk) -> Json:
    """The one message the bot was told of."""
    (update,) = news(desk)
    found = update["message"]
    assert isinstance(found, dict)
    return found


def test_in_a_group_privacy_mode_shows_only_what_is_meant_for_the_bot() -> None:
    desk = Desk()
    group = desk.phone.create_group("Crew", desk.bob, desk.bot)
    desk.call("sendMessage", chat_id=group.id, text="hello all")
    own = desk.phone.inbox(group)[-1]
    news(desk)
    say = desk.phone.say
    say("just talking", chat=group)
    say("hey @Claude_Bot", chat=group)
    say("hey @somebody_else", chat=group)
    say("/status", chat=group)
    say("/status@claude_bot", chat=group)
    say("/status@other_bot", chat=group)
    say("an answer", chat=group, reply_to=own)

    heard = [update["message"]["text"] for update in news(desk)]
    assert heard == ["hey @Claude_Bot", "/status", "/status@claude_bot", "an answer"]


def test_an_administrator_and_a_bot_without_privacy_mode_hear_everything() -> None:
    desk = Desk()
    group = desk.phone.create_group("Crew", desk.bot)
    desk.phone.set_member(group, desk.bot, "administrator")
    news(desk)
    spoken = desk.phone.say("just talking", chat=group)
    desk.phone.react(spoken, "🔥")
    assert [next(iter(update)) for update in news(desk)] == ["message", "message_reaction"]

    desk.phone.set_member(group, desk.bot, "member")
    desk.bot.reads_all_group_messages = True
    news(desk)
    spoken = desk.phone.say("still talking", chat=group)
    desk.phone.react(spoken, "🔥")
    assert [next(iter(update)) for update in news(desk)] == ["message"]
    assert desk.call("getMe")["can_read_all_group_messages"] is True


def test_joining_and_leaving_a_group_is_told() -> None:
    desk = Desk()
    group = desk.phone.create_group("Crew", desk.bot)
    desk.phone.set_member(group, desk.bob, "member")
    desk.phone.set_member(group, desk.bob, "left")
    desk.phone.set_member(group, desk.bot, "kicked")
    desk.phone.say("@claude_bot are you there?", chat=group)

    told = news(desk)
    assert told[0]["my_chat_member"]["new_chat_member"]["status"] == "member"
    assert told[1]["message"]["new_chat_members"][0]["username"] == "claude_bot"
    assert told[2]["message"]["new_chat_members"][0]["first_name"] == "Bob"
    assert told[3]["message"]["left_chat_member"]["first_name"] == "Bob"
    assert told[4]["my_chat_member"]["new_chat_member"] == {
        "user": desk.bot.view(),
        "status": "kicked",
        "until_date": 0,
    }
    assert len(told) == 5


def test_a_group_that_moves_says_so_in_both_places() -> None:
    desk = Desk()
    group = desk.phone.create_group("Crew", desk.bot)
    news(desk)
    successor = desk.phone.migrate(group)
    desk.phone.say("/go", chat=successor)

    away, arrived, after = (update["message"] for update in news(desk))
    assert (away["chat"]["id"], away["migrate_to_chat_id"]) == (group.id, successor.id)
    assert (arrived["chat"]["id"], arrived["migrate_from_chat_id"]) == (successor.id, group.id)
    assert after["chat"] == {"id": successor.id, "title": "Crew", "type": "supergroup"}


def test_an_anonymous_administrator_is_nobody() -> None:
    desk = Desk()
    group = desk.phone.create_group("Crew", desk.bot, supergroup=True)
    news(desk)
    desk.phone.say("/yes", chat=group, anonymous=True)

    seen = message(desk)
    assert seen["from"]["username"] == "GroupAnonymousBot"
    assert seen["sender_chat"]["id"] == group.id


def test_an_answer_in_a_plain_supergroup_has_a_thread_that_is_no_topic() -> None:
    desk = Desk()
    group = desk.phone.create_group("Crew", desk.bot, supergroup=True)
    first = desk.phone.say("/one", chat=group)
    news(desk)
    desk.phone.say("/two", chat=group, reply_to=first)

    seen = message(desk)
    assert seen["message_thread_id"] == first.id
    assert "is_topic_message" not in seen


def test_topics_carry_their_id_and_their_opening_message() -> None:
    desk = Desk()
    forum = desk.phone.create_group("Forum", is_forum=True)
    desk.phone.set_member(forum, desk.bot, "administrator")
    topic = desk.phone.open_topic(forum, "Bugs")
    news(desk)
    desk.phone.say("in the topic", chat=forum, thread=topic)
    desk.phone.say("in General", chat=forum)

    inside, general = (update["message"] for update in news(desk))
    assert (inside["message_thread_id"], inside["is_topic_message"]) == (topic.thread, True)
    assert inside["reply_to_message"]["forum_topic_created"]["name"] == "Bugs"
    assert "message_thread_id" not in general

    sent = desk.call("sendMessage", chat_id=forum.id, text="fixed", message_thread_id=topic.thread)
    assert (sent["message_thread_id"], sent["is_topic_message"]) == (topic.thread, True)
    assert desk.refusal("sendMessage", chat_id=forum.id, text="x", message_thread_id=1) == (
        "400 Bad Request: message thread not found"
    )


def test_a_bot_opens_renames_closes_and_reopens_topics() -> None:
    desk = Desk()
    forum = desk.phone.create_group("Forum", desk.bot, is_forum=True)
    assert desk.refusal("createForumTopic", chat_id=forum.id, name="Bugs") == (
        "400 Bad Request: not enough rights to create a topic"
    )
    desk.phone.set_member(forum, desk.bot, "administrator")

    topic = desk.call("createForumTopic", chat_id=forum.id, name="Bugs")
    place = {"chat_id": forum.id, "message_thread_id": topic["message_thread_id"]}
    desk.call("editForumTopic", **place, name="Ideas")
    assert desk.refusal("editForumTopic", **place, name="Ideas") == "400 Bad Request: TOPIC_NOT_MODIFIED"
    desk.call("closeForumTopic", **place)
    assert desk.refusal("closeForumTopic", **place) == "400 Bad Request: TOPIC_NOT_MODIFIED"
    desk.phone.set_member(forum, desk.bot, "member")
    assert desk.refusal("sendMessage", **place, text="x") == "400 Bad Request: TOPIC_CLOSED"
    desk.phone.set_member(forum, desk.bot, "administrator")
    desk.call("reopenForumTopic", **place)
    assert forum.topics[topic["message_thread_id"]].name == "Ideas"


def test_without_the_right_an_administrator_changes_only_topics_of_its_own() -> None:
    desk = Desk()
    forum = desk.phone.create_group("Forum", desk.bot, is_forum=True)
    desk.phone.set_member(forum, desk.bot, "administrator")
    own = desk.call("createForumTopic", chat_id=forum.id, name="Bugs")["message_thread_id"]
    other = desk.phone.open_topic(forum, "Lunch")
    desk.phone.set_member(forum, desk.bot, "administrator", without=["can_manage_topics"])

    seen = desk.call("getChatMember", chat_id=forum.id, user_id=desk.bot.id)
    assert (seen["can_manage_topics"], seen["can_pin_messages"]) == (False, True)
    assert desk.refusal("createForumTopic", chat_id=forum.id, name="x") == (
        "400 Bad Request: not enough rights to create a topic"
    )
    for method, more in (("editForumTopic", {"name": "x"}), ("closeForumTopic", {})):
        desk.call(method, chat_id=forum.id, message_thread_id=own, **more)
        assert desk.refusal(method, chat_id=forum.id, message_thread_id=other.thread, **more) == (
            "400 Bad Request: not enough rights to edit the topic"
        )
    desk.phone.close_topic(forum, other)
    desk.call("sendMessage", chat_id=forum.id, message_thread_id=own, text="x")
    assert desk.refusal("sendMessage", chat_id=forum.id, message_thread_id=other.thread, text="x") == (
        "400 Bad Request: TOPIC_CLOSED"
    )
    desk.phone.reopen_topic(forum, other)
    desk.call("sendMessage", chat_id=forum.id, message_thread_id=other.thread, text="x")


def test_a_deleted_topic_takes_everything_in_it_along() -> None:
    desk = Desk()
    forum = desk.phone.create_group("Forum", desk.bot, is_forum=True)
    desk.phone.set_member(forum, desk.bot, "administrator")
    topic = desk.phone.open_topic(forum, "Bugs")
    place = {"chat_id": forum.id, "message_thread_id": topic.thread}
    sent = desk.call("sendMessage", **place, text="inside")
    desk.call("sendMessage", chat_id=forum.id, text="outside")
    news(desk)

    desk.phone.delete_topic(forum, topic)

    assert [one.text for one in desk.phone.inbox(forum)] == ["outside"]
    assert news(desk) == []
    assert desk.refusal("sendMessage", **place, text="x") == "400 Bad Request: message thread not found"
    for method in ("editForumTopic", "closeForumTopic", "reopenForumTopic"):
        assert desk.refusal(method, **place, name="x") == "400 Bad Request: TOPIC_ID_INVALID"
    assert desk.refusal("editMessageText", chat_id=forum.id, message_id=sent["message_id"], text="x") == (
        "400 Bad Request: message to edit not found"
    )


def test_the_icon_of_a_topic_stays_unless_it_is_named_and_an_empty_name_keeps_the_old_one() -> None:
    desk = Desk()
    forum = desk.phone.create_group("Forum", desk.bot, is_forum=True)
    desk.phone.set_member(forum, desk.bot, "administrator")
    thread = desk.call("createForumTopic", chat_id=forum.id, name="Bugs", icon_custom_emoji_id="5")[
        "message_thread_id"
    ]
    place, topic = {"chat_id": forum.id, "message_thread_id": thread}, forum.topics[thread]

    desk.call("editForumTopic", **place, name="Ideas")
    assert (topic.name, topic.icon_custom_emoji_id) == ("Ideas", "5")
    desk.call("editForumTopic", **place, name="", icon_custom_emoji_id="")
    assert (topic.name, topic.icon_custom_emoji_id) == ("Ideas", "")
    assert desk.refusal("editForumTopic", **place, name="x" * 129) == "400 Bad Request: TOPIC_TITLE_EMPTY"


def test_topics_of_private_chats_are_renamed_and_never_closed() -> None:
    desk = Desk()
    desk.bot.has_topics = True
    topic = desk.call("createForumTopic", chat_id=desk.ada.id, name="Bugs")
    place = {"chat_id": desk.ada.id, "message_thread_id": topic["message_thread_id"]}

    desk.call("editForumTopic", **place, name="Ideas")
    for method in ("closeForumTopic", "reopenForumTopic"):
        assert desk.refusal(method, **place) == "400 Bad Request: the chat is not a forum"


def test_private_chats_have_topics_for_a_bot_that_has_them() -> None:
    desk = Desk()
    desk.bot.has_topics = True

    topic = desk.call("createForumTopic", chat_id=desk.ada.id, name="Bugs")
    desk.send("x", message_thread_id=topic["message_thread_id"])

    assert desk.call("getMe")["has_topics_enabled"] is True
    assert desk.phone.inbox()[-1].is_topic_message


def test_two_phones_in_one_group_see_the_same() -> None:
    desk = Desk()
    group = desk.phone.create_group("Crew", desk.bob, desk.bot)
    desk.call("sendMessage", chat_id=group.id, text="hello")

    bobs = Phone(desk.api, desk.bob, desk.bot, lambda: desk.now)
    assert [one.text for one in bobs.inbox(group)] == [one.text for one in desk.phone.inbox(group)] == ["hello"]


@pytest.mark.parametrize(
    ("status", "supergroup", "words"),
    [
        ("kicked", False, "403 Forbidden: bot was kicked from the group chat"),
        ("kicked", True, "403 Forbidden: bot was kicked from the supergroup chat"),
        ("left", False, "403 Forbidden: bot is not a member of the group chat"),
        ("left", True, "403 Forbidden: bot is not a member of the supergroup chat"),
    ],
)
def test_a_bot_outside_a_group_cannot_write_there(status: str, supergroup: bool, words: str) -> None:
    desk = Desk()
    group = desk.phone.create_group("Crew", desk.bot, supergroup=supergroup)
    desk.phone.set_member(group, desk.bot, status)

    assert desk.refusal("sendMessage", chat_id=group.id, text="x") == words


def test_a_group_that_became_a_supergroup_names_its_new_id() -> None:
    desk = Desk()
    group = desk.phone.create_group("Crew", desk.bot)
    successor = desk.phone.migrate(group)

    answer = desk.answer("sendMessage", {"chat_id": group.id, "text": "x"})

    assert answer.json() == {
        "ok": False,
        "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": successor.id},
    }
    desk.call("sendMessage", chat_id=successor.id, text="x")
