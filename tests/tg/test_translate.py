"""Every update becomes exactly one value, says only what it really says, and stops nothing behind it."""

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.core.events import META_KEY
from telegram_channel.core.ids import BotId
from telegram_channel.core.messages import (
    AttachmentKind,
    ButtonPress,
    ChatKind,
    ChatMigration,
    Ignorable,
    Inbound,
    InboundMessage,
    MembershipChange,
    ReactionChange,
    Unreadable,
)
from telegram_channel.core.outgoing import BotIdentity
from telegram_channel.tg.translate import ALLOWED_UPDATES, translate
from tests.tg.updates import (
    ANN,
    BLOCKED,
    BOT,
    BOT_ID,
    CONTENTS,
    EXAMPLES,
    GROUP,
    NOON,
    PRESS,
    PRIVATE,
    REACTION,
    WITHOUT_FILE,
    Raw,
    file,
    message,
    said,
    update,
)

ME = BotIdentity(BotId(str(BOT_ID)), "Claude_Bot", "Claude")


def read(raw: object) -> Inbound:
    return translate(raw, ME)


def read_message(raw: Raw) -> InboundMessage:
    found = read(raw)
    assert isinstance(found, InboundMessage), found
    return found


# Messages


def test_a_text_is_read_with_its_place_and_time() -> None:
    found = read_message(said("hi"))
    assert (found.update, found.message, found.text) == (9001, "7", "hi")
    assert found.sent_at == datetime.fromtimestamp(NOON, UTC)
    place = found.place
    assert (place.chat, place.sender, place.sender_name, place.username) == ("1001", "1001", "Ann Lee", "ann")
    assert place.chat_kind is ChatKind.PRIVATE
    assert not found.edited
    assert not found.mentions_bot


@pytest.mark.parametrize("kind", CONTENTS)
def test_every_kind_of_file_becomes_an_attachment(kind: str) -> None:
    """MUST I1: every kind of message yields an event."""
    found = read_message(update(message=message(caption="look", **CONTENTS[kind])))
    assert found.text == "look"
    assert found.attachment is not None
    assert found.attachment.kind is AttachmentKind(kind)
    assert (found.attachment.size_bytes, found.attachment.unique) == (2048, "UNIQ")


def test_the_largest_size_of_a_photo_is_taken() -> None:
    found = read_message(update(message=message(**CONTENTS["photo"]))).attachment
    assert found is not None
    assert (found.file, found.mime) == ("LARGE", "image/jpeg")


def test_an_animation_is_not_mistaken_for_the_document_it_also_is() -> None:
    found = read_message(update(message=message(**CONTENTS["animation"]))).attachment
    assert found is not None
    assert (found.kind, found.file) == (AttachmentKind.ANIMATION, "ANIMATION")


def test_the_name_of_a_document_leads_nowhere() -> None:
    """MUST I2: a file name from the chat never leads out of the directory it is put in."""
    found = read_message(update(message=message(**CONTENTS["document"]))).attachment
    assert found is not None
    assert found.name == "report.pdf"


@pytest.mark.parametrize("kind", WITHOUT_FILE)
def test_what_has_no_file_says_what_it_is(kind: str) -> None:
    """MUST I1: every kind of message yields an event."""
    content, words = WITHOUT_FILE[kind]
    assert read_message(update(message=message(**content))).text == words


def test_facts_of_a_location_are_details() -> None:
    content, _ = WITHOUT_FILE["location"]
    assert read_message(update(message=message(**content))).details == {"latitude": "52.5", "longitude": "13.4"}


@pytest.mark.parametrize(
    "raw",
    EXAMPLES,
    ids=lambda raw: "+".join(k for part in raw.values() if isinstance(part, dict) for k in part)[-60:],
)
def test_details_can_be_event_meta(raw: Raw) -> None:
    found = read(raw)
    if isinstance(found, InboundMessage):
        assert all(META_KEY.fullmatch(key) and isinstance(value, str) for key, value in found.details.items())


def test_the_parts_of_an_album_share_its_name() -> None:
    assert read_message(update(message=message(media_group_id="55", **CONTENTS["photo"]))).album == "55"


def test_a_reply_shows_what_it_answers() -> None:
    """MUST I3: replied-to text, partial quote and forward origin are visible."""
    original = {**message(text="before"), "from": BOT, "message_id": 3}
    found = read_message(said("yes", reply_to_message=original, quote={"text": "bef", "position": 0}))
    assert found.reply_to is not None
    assert (found.reply_to.message, found.reply_to.text, found.reply_to.from_bot) == ("3", "before", True)
    assert found.quote == "bef"


def test_a_reply_to_a_photo_names_and_carries_it() -> None:
    found = read_message(said("this one", reply_to_message=message(**CONTENTS["photo"]))).reply_to
    assert found is not None
    assert found.text == "[photo]"
    assert found.attachment is not None
    assert found.attachment.file == "LARGE"


def test_a_message_in_a_topic_does_not_answer_the_message_that_opened_it() -> None:
    opened = message(chat=GROUP, forum_topic_created={"name": "Bugs", "icon_color": 1})
    found = read_message(said(chat=GROUP, is_topic_message=True, message_thread_id=7, reply_to_message=opened))
    assert found.reply_to is None
    assert found.place.thread == "7"


def test_a_thread_of_replies_is_no_topic() -> None:
    """MUST I4: thread_id only where there really is a topic."""
    assert read_message(said(chat=GROUP, message_thread_id=7)).place.thread is None


def test_a_reply_to_a_message_of_another_chat_is_not_mistaken_for_one_of_this_chat() -> None:
    found = read_message(
        said(external_reply={"origin": {"type": "user", "sender_user": ANN}, "message_id": 3, **CONTENTS["photo"]})
    )
    assert found.reply_to is None
    assert found.details == {
        "external_reply_from": "Ann Lee (@ann)",
        "external_reply_kind": "[photo]",
        "external_reply_file_id": "LARGE",
    }


@pytest.mark.parametrize(
    ("origin", "shown"),
    [
        ({"type": "user", "sender_user": ANN}, "Ann Lee (@ann)"),
        ({"type": "hidden_user", "sender_user_name": "Somebody"}, "Somebody"),
        ({"type": "chat", "sender_chat": {"title": "Team"}, "author_signature": "Bo"}, "Team [Bo]"),
        ({"type": "channel", "chat": {"title": "News", "username": "news"}, "message_id": 1}, "News (@news)"),
        ({"type": "of the future"}, "unknown"),
    ],
)
def test_a_forwarded_message_names_its_origin(origin: Raw, shown: str) -> None:
    """MUST I3: replied-to text, partial quote and forward origin are visible."""
    assert read_message(said(forward_origin=origin)).forwarded_from == shown


def test_an_edit_names_the_original_and_has_its_own_time() -> None:
    found = read_message(update(edited_message=message(text="hello!", edit_date=NOON + 60)))
    assert found.edited
    assert found.message == "7"
    assert found.sent_at == datetime.fromtimestamp(NOON + 60, UTC)


def test_a_live_location_that_moves_is_no_message() -> None:
    content, _ = WITHOUT_FILE["live location"]
    assert isinstance(read(update(edited_message=message(edit_date=NOON, **content))), Ignorable)


@pytest.mark.parametrize(
    ("text", "entity", "called"),
    [
        ("@claude_BOT hi", {"type": "mention", "offset": 0, "length": 11}, True),
        ("👍👍 @Claude_Bot", {"type": "mention", "offset": 5, "length": 11}, True),
        ("/start@claude_bot", {"type": "bot_command", "offset": 0, "length": 17}, True),
        ("/start", {"type": "bot_command", "offset": 0, "length": 6}, False),
        ("/start@other_bot", {"type": "bot_command", "offset": 0, "length": 16}, False),
        ("/start@not_claude_bot", {"type": "bot_command", "offset": 0, "length": 21}, False),
        ("hey you", {"type": "text_mention", "offset": 4, "length": 3, "user": BOT}, True),
        ("hey you", {"type": "text_mention", "offset": 4, "length": 3, "user": ANN}, False),
        ("@claude_bot2", {"type": "mention", "offset": 0, "length": 12}, False),
        ("@claude_bot", {"type": "url", "offset": 0, "length": 11}, False),
        ("@claude_bot", {"type": "mention", "offset": -3, "length": 11}, False),
    ],
)
def test_only_an_entity_that_names_the_bot_calls_it(text: str, entity: Raw, called: bool) -> None:
    """MUST I5: a mention counts only as an entity of the bot's own name."""
    assert read_message(said(text, entities=[entity])).mentions_bot is called


def test_the_caption_of_a_photo_can_call_the_bot() -> None:
    raw = update(
        message=message(
            caption="@Claude_Bot",
            caption_entities=[{"type": "mention", "offset": 0, "length": 11}],
            **CONTENTS["photo"],
        )
    )
    assert read_message(raw).mentions_bot


# Who is named as the sender


@pytest.mark.parametrize(
    "author",
    [
        {"sender_chat": GROUP, "from": {"id": 1087968824, "is_bot": True, "first_name": "Group"}},
        {"sender_chat": GROUP},
        {"from": {"id": 1087968824, "is_bot": False, "first_name": "Group"}},
        {"from": {"id": 777000, "is_bot": False, "first_name": "Telegram"}},
        {"from": BOT},
        {"from": None},
    ],
)
def test_what_no_person_wrote_is_nobodys(author: Raw) -> None:
    """MUST I6: anonymous administrators, channel posts and bots are never taken for a person."""
    assert isinstance(read(update(message=message(text="let me in", **{**author, "chat": GROUP}))), Ignorable)


def test_a_post_of_a_channel_is_nobodys() -> None:
    """MUST I6: anonymous administrators, channel posts and bots are never taken for a person."""
    post = {"message_id": 1, "chat": {"id": -5, "type": "channel", "title": "News"}, "date": NOON, "text": "news"}
    assert read(update(channel_post=post)) == Ignorable(read(said()).update, "channel_post")


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ({"id": 5}, "5"),
        ({"id": 5, "username": "bo"}, "bo"),
        ({"id": 5, "first_name": "Bo\n\u202eEvil", "last_name": "\x07Lee"}, "Bo Evil Lee"),
        ({"id": 5, "first_name": "\u202e \u200b"}, "5"),
    ],
)
def test_a_sender_always_has_a_name_on_one_line(user: Raw, name: str) -> None:
    assert read_message(update(message={**message(text="hi"), "from": user})).place.sender_name == name


# Other kinds


def test_a_press_knows_the_label_of_its_button() -> None:
    found = read(PRESS)
    assert isinstance(found, ButtonPress)
    assert (found.press, found.data, found.message, found.label) == ("777", "choice:2", "8", "Two")
    assert found.place.sender == "1001"


def test_a_press_below_a_message_too_old_to_be_shown_still_counts() -> None:
    raw = copy.deepcopy(PRESS)
    raw["callback_query"]["message"] = {"message_id": 8, "chat": PRIVATE, "date": 0}
    found = read(raw)
    assert isinstance(found, ButtonPress)
    assert found.label == ""


def test_a_reaction_says_what_came_and_what_went() -> None:
    found = read(REACTION)
    assert isinstance(found, ReactionChange)
    assert (found.added, found.removed) == (("🔥", "[custom emoji]"), ("👍",))


def test_an_anonymous_reaction_is_nobodys() -> None:
    raw = copy.deepcopy(REACTION)
    raw["message_reaction"]["actor_chat"] = GROUP
    del raw["message_reaction"]["user"]
    assert isinstance(read(raw), Ignorable)


@pytest.mark.parametrize(
    ("member", "reachable"),
    [
        ({"status": "member"}, True),
        ({"status": "administrator"}, True),
        ({"status": "kicked"}, False),
        ({"status": "left"}, False),
        ({"status": "restricted", "is_member": True, "can_send_messages": True}, True),
        ({"status": "restricted", "is_member": True, "can_send_messages": False}, False),
        ({"status": "restricted", "is_member": False}, False),
    ],
)
def test_membership_says_whether_the_bot_may_write(member: Raw, reachable: bool) -> None:
    raw = copy.deepcopy(BLOCKED)
    raw["my_chat_member"]["new_chat_member"] = {**member, "user": BOT}
    found = read(raw)
    assert isinstance(found, MembershipChange)
    assert found.reachable is reachable


def test_both_sides_of_a_migration_say_the_same() -> None:
    old, new = {"id": -500, "type": "group", "title": "T"}, {"id": -1009, "type": "supergroup", "title": "T"}
    for raw in (
        update(message=message(chat=old, migrate_to_chat_id=-1009)),
        update(message=message(chat=new, migrate_from_chat_id=-500, sender_chat=new)),
    ):
        found = read(raw)
        assert isinstance(found, ChatMigration)
        assert (found.place.chat, found.new_chat) == ("-500", "-1009")


@pytest.mark.parametrize(
    "field", ["new_chat_members", "left_chat_member", "pinned_message", "forum_topic_created", "video_chat_started"]
)
def test_notices_about_the_chat_are_ignored_by_name(field: str) -> None:
    assert read(update(message=message(chat=GROUP, **{field: {}}))) == Ignorable(read(said()).update, field)


@pytest.mark.parametrize("kind", ["inline_query", "poll", "chat_member", "business_message", "edited_channel_post"])
def test_kinds_nobody_asked_for_are_ignored_by_name(kind: str) -> None:
    assert read({"update_id": 9001, kind: {}}) == Ignorable(read(said()).update, kind)


def test_exactly_what_can_be_read_is_asked_for() -> None:
    assert set(ALLOWED_UPDATES) == {
        "message",
        "edited_message",
        "callback_query",
        "message_reaction",
        "my_chat_member",
    }


# What cannot be read


def test_an_update_nobody_understands_is_kept_with_its_sender() -> None:
    """MUST I7: an update nobody understands is kept and reported, and blocks nothing."""
    found = read(update(teleport={"from": ANN, "text": "secret"}))
    assert isinstance(found, Unreadable)
    assert found.sender == "1001"
    assert "teleport" in found.reason
    assert json.loads(found.raw)["teleport"]["text"] == "secret"


def test_the_skeleton_holds_nothing_anybody_wrote() -> None:
    """MUST I8: a stranger's text is neither stored nor logged."""
    found = read(update(teleport={"from": ANN, "text": "secret", "Tell secret": ["secret", "x"]}))
    assert isinstance(found, Unreadable)
    assert "secret" not in found.skeleton + found.reason
    assert json.loads(found.skeleton)["teleport"]["text"] == "str"


def test_an_unreadable_update_of_an_anonymous_administrator_has_no_sender() -> None:
    """MUST I6: anonymous administrators, channel posts and bots are never taken for a person."""
    found = read(update(message={"from": ANN, "sender_chat": GROUP, "date": "never"}))
    assert isinstance(found, Unreadable)
    assert found.sender is None


@pytest.mark.parametrize("raw", [None, 5, "x", [], {}, {"update_id": True}, {"update_id": 2**70}, {"update_id": -4}])
def test_an_update_without_a_usable_id_is_kept_too(raw: object) -> None:
    found = read(raw)
    assert isinstance(found, Unreadable)
    assert found.update == -1


def test_half_a_character_does_not_make_a_text_unstorable() -> None:
    found = read_message(said("a\ud83d b", entities=[{"type": "mention", "offset": 0, "length": 2}]))
    assert found.text == "a\ufffd b"


def test_text_of_any_length_of_names_is_kept_but_ids_are_numbers() -> None:
    assert isinstance(read(said(chat={"id": "1001", "type": "private"})), Unreadable)
    assert isinstance(read(said(chat={"id": 1001, "type": "mystery"})), Unreadable)
    assert isinstance(read(said(date=10**17)), Unreadable)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        found += paths(part, (*path, key))
    return found


@st.composite
def spoiled_updates(draw: st.DrawFn) -> Any:
    """A valid update with up to three of its values replaced, removed or joined by others."""
    raw = copy.deepcopy(draw(st.sampled_from(EXAMPLES)))
    for _ in range(draw(st.integers(1, 3))):
        ways = [path for path in paths(raw) if path]
        if not ways:
            break
        *way, key = draw(st.sampled_from(ways))
        target: Any = raw
        for step in way:
            target = target[step]
        if draw(st.booleans()):
            target[key] = draw(JSON | st.sampled_from([[], {}, "", 0, -1, 2**65, True, "\ud800"]))
        elif isinstance(target, dict):
            del target[key]
    return raw


def texts(value: object) -> Iterator[str]:
    """Every text in a value made of dataclasses, mappings and tuples."""
    match value:
        case str():
            yield value
        case dict():
            for key, part in value.items():
                yield from (*texts(key), *texts(part))
        case list() | tuple():
            for part in value:
                yield from texts(part)


def storable(found: Inbound) -> bool:
    """Everything in it can be written as UTF-8 and as a 64-bit integer."""
    for text in texts(asdict(found)):
        text.encode("utf-8")
    return -1 <= found.update < 2**63


@settings(deadline=None)  # the machine may be busy
@given(raw=spoiled_updates())
def test_a_spoiled_update_is_read_or_kept_and_never_fails(raw: Any) -> None:
    """MUST I7: an update nobody understands is kept and reported, and blocks nothing."""
    found = read(raw)
    assert storable(found)
    if isinstance(found, InboundMessage | ButtonPress | ReactionChange):
        assert found.place.sender == str(ANN["id"]) or found.place.sender.isdecimal()
        assert found.place.sender_name


@settings(deadline=None)  # the machine may be busy
@given(raw=JSON | st.dictionaries(st.sampled_from(["update_id", *ALLOWED_UPDATES, "x"]), JSON))
def test_anything_at_all_is_kept_and_never_fails(raw: Any) -> None:
    """MUST I7: an update nobody understands is kept and reported, and blocks nothing."""
    assert storable(read(raw))


def test_nesting_without_end_is_kept_and_never_fails() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    found = read(update(teleport=deep))
    assert isinstance(found, Unreadable)
    # Taken apart by hand: freeing it in one go is what CPython itself cannot do safely everywhere.
    while deep:
        deep = deep.pop("a")


def test_an_unknown_file_kind_keeps_the_rest_of_a_batch_readable() -> None:
    """MUST I7: an update nobody understands is kept and reported, and blocks nothing."""
    found = [read(raw) for raw in (said("one"), update(message=message(voice="broken")), said("two"))]
    assert [type(one) for one in found] == [InboundMessage, Unreadable, InboundMessage]


def test_facts_of_a_sticker_and_an_audio_are_details() -> None:
    sticker = read_message(update(message=message(**CONTENTS["sticker"])))
    audio = read_message(update(message=message(audio=file(performer="Bach", title="Air"))))
    assert sticker.details == {"sticker_emoji": "👍", "sticker_set_name": "Cats"}
    assert audio.details == {"performer": "Bach", "title": "Air"}
