"""What the emulator refuses, in the platform's own words."""

from typing import Any

import pytest

from telegram_channel.demo.botapi import BotApi
from telegram_channel.demo.botapi_parameters import PARAMETERS
from telegram_channel.demo.botapi_wire import Answer, Upload
from telegram_channel.demo.phone import picture
from tests.demo.desk import BEGINNING, TOKEN, Desk

ADA = 7_000_000_001
BOB = 7_000_000_002
HERE = {"chat_id": ADA}
BAD = "400 Bad Request: "


def keyboard(*buttons: Any) -> dict[str, Any]:
    return {"reply_markup": {"inline_keyboard": [list(buttons)]}}


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("sendMessage", {**HERE}, BAD + "message text is empty"),
    ("sendMessage", {**HERE, "text": ""}, BAD + "message text is empty"),
    ("sendMessage", {**HERE, "text": " \n\u200b "}, BAD + "text must be non-empty"),
    ("sendMessage", {**HERE, "text": "x" * 4097}, BAD + "message is too long"),
    ("sendMessage", {**HERE, "text": "😀" * 2049}, BAD + "message is too long"),
    ("sendMessage", {"text": "x"}, BAD + "chat_id is empty"),
    ("sendMessage", {"chat_id": "not_a_chat", "text": "x"}, BAD + "chat not found"),
    ("sendMessage", {"chat_id": 0, "text": "x"}, BAD + "chat not found"),
    ("sendMessage", {"chat_id": -1, "text": "x"}, BAD + "chat not found"),
    ("sendMessage", {"chat_id": 424242, "text": "x"}, BAD + "chat not found"),
    ("sendMessage", {"chat_id": BOB, "text": "x"}, "403 Forbidden: bot can't initiate conversation with a user"),
    ("sendMessage", {**HERE, "text": "x", "parse_mode": "INVALID"}, BAD + "unsupported parse_mode"),
    (
        "sendMessage",
        {**HERE, "text": "<b>x</b>", "parse_mode": "HTML"},
        BAD + "can't parse entities: this server reads no parse mode, send entities",
    ),
    ("sendMessage", {**HERE, "text": "x", "message_thread_id": 999}, BAD + "message thread not found"),
    (
        "sendMessage",
        {**HERE, "text": "x", "reply_parameters": {"message_id": 999}},
        BAD + "message to be replied not found",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", "reply_parameters": {"quote": "x"}},
        BAD + 'can\'t find field "message_id"',
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", "reply_parameters": {"message_id": 1, "quote": "absent"}},
        BAD + "QUOTE_TEXT_INVALID",
    ),
    ("sendMessage", {**HERE, "text": "x", "reply_parameters": "{"}, BAD + "can't parse reply parameters JSON object"),
    (
        "sendMessage",
        {**HERE, "text": "x", "reply_markup": "{"},
        BAD + "can't parse reply keyboard markup JSON object",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", "reply_markup": {"inline_keyboard": "bad"}},
        BAD + 'field "inline_keyboard" must be of type Array',
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", "reply_markup": {"inline_keyboard": [{"text": "a", "callback_data": "b"}]}},
        BAD + 'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays',
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", **keyboard({"callback_data": "x"})},
        BAD + "can't parse inline keyboard button: Can't find field \"text\"",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", **keyboard({"text": "b"})},
        BAD + "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", **keyboard({"text": "b", "callback_data": ""})},
        BAD + "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", **keyboard({"text": "b", "callback_data": "x" * 65})},
        BAD + "BUTTON_DATA_INVALID",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", **keyboard({"text": "b", "callback_data": "ж" * 33})},
        BAD + "BUTTON_DATA_INVALID",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", **keyboard({"text": "b", "copy_text": {"text": ""}})},
        BAD + "BUTTON_COPY_TEXT_INVALID",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", **keyboard({"text": "b", "copy_text": {"text": "x" * 257}})},
        BAD + "BUTTON_COPY_TEXT_INVALID",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", **keyboard({"text": "b", "url": "not-a-url"})},
        BAD + "inline keyboard button URL 'not-a-url' is invalid: Wrong HTTP URL",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", **keyboard({"text": "b", "url": "ftp://example.com"})},
        BAD + "inline keyboard button URL 'ftp://example.com' is invalid: Unsupported URL protocol",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", "link_preview_options": {"is_disabled": "yes"}},
        BAD + 'field "is_disabled" must be of type Boolean',
    ),
    ("sendMessage", {**HERE, "text": "x", "reply_markup": []}, BAD + "object expected as reply markup"),
    ("sendMessage", {**HERE, "text": "x", "reply_parameters": []}, BAD + "object expected as reply parameters"),
    (
        "sendMessage",
        {**HERE, "text": "x", "reply_parameters": {"message_id": "one"}},
        BAD + 'field "message_id" must be a valid Number',
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", "link_preview_options": []},
        BAD + "object expected as link preview options",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", **keyboard("Yes")},
        BAD + "can't parse inline keyboard button: InlineKeyboardButton must be an Object",
    ),
    (
        "sendMessage",
        {**HERE, "text": "x", **keyboard({"text": "b", "callback_data": 5})},
        BAD + 'can\'t parse inline keyboard button: Field "callback_data" must be of type String',
    ),
    (
        "setMessageReaction",
        {**HERE, "message_id": 1, "reaction": {"a": 1}},
        BAD + "expected an Array of ReactionType",
    ),
    (
        "setMessageReaction",
        {**HERE, "message_id": 1, "reaction": [{"type": "emoji"}]},
        BAD + "can't parse ReactionType: Can't find field \"emoji\"",
    ),
    ("editMessageText", {"inline_message_id": "x", "text": "x"}, BAD + "MESSAGE_ID_INVALID"),
    ("editMessageText", {**HERE, "message_id": 999, "text": "x"}, BAD + "message to edit not found"),
    ("editMessageText", {**HERE, "message_id": 1, "text": "x"}, BAD + "message can't be edited"),
    ("editMessageText", {**HERE, "message_id": 1}, BAD + "message text is empty"),
    ("editMessageReplyMarkup", {**HERE, "message_id": 999}, BAD + "message to edit not found"),
    ("deleteMessage", {**HERE, "message_id": 999}, BAD + "message to delete not found"),
    ("pinChatMessage", {**HERE, "message_id": 999}, BAD + "message to pin not found"),
    ("unpinChatMessage", {**HERE}, BAD + "message to unpin not found"),
    (
        "setMessageReaction",
        {**HERE, "message_id": 999, "reaction": [{"type": "emoji", "emoji": "👍"}]},
        BAD + "message to react not found",
    ),
    (
        "setMessageReaction",
        {**HERE, "message_id": 1, "reaction": [{"type": "emoji", "emoji": "✅"}]},
        BAD + "REACTION_INVALID",
    ),
    (
        "setMessageReaction",
        {**HERE, "message_id": 1, "reaction": [{"type": "custom_emoji", "custom_emoji_id": "1"}]},
        BAD + "REACTION_INVALID",
    ),
    (
        "setMessageReaction",
        {**HERE, "message_id": 1, "reaction": [{"type": "emoji", "emoji": "👍"}, {"type": "emoji", "emoji": "👎"}]},
        BAD + "REACTIONS_TOO_MANY",
    ),
    (
        "setMessageReaction",
        {**HERE, "message_id": 1, "reaction": "["},
        BAD + "can't parse reaction types JSON object",
    ),
    ("sendChatAction", {**HERE, "action": "dancing"}, BAD + "wrong parameter action in request"),
    ("sendChatAction", {"chat_id": 0, "action": "typing"}, BAD + "chat not found"),
    (
        "answerCallbackQuery",
        {"callback_query_id": "1"},
        BAD + "query is too old and response timeout expired or query ID is invalid",
    ),
    ("answerCallbackQuery", {}, BAD + 'parameter "callback_query_id" is required'),
    ("getFile", {}, BAD + "file_id not specified"),
    ("getFile", {"file_id": "nonsense"}, BAD + "invalid file_id"),
    ("sendDocument", {**HERE}, BAD + "there is no document in the request"),
    ("sendDocument", {**HERE, "document": "https://example.com/a.pdf"}, BAD + "failed to get HTTP URL content"),
    (
        "sendPhoto",
        {**HERE, "photo": "nonsense"},
        BAD + "wrong remote file identifier specified: can't unserialize it. Wrong last symbol",
    ),
    ("sendPhoto", {**HERE, "caption": "x" * 1025}, BAD + "message caption is too long"),
    ("sendMediaGroup", {**HERE}, BAD + 'parameter "media" is required'),
    ("sendMediaGroup", {**HERE, "media": "["}, BAD + "can't parse media JSON object"),
    ("sendMediaGroup", {**HERE, "media": {}}, BAD + "expected an Array of InputMedia"),
    ("sendMediaGroup", {**HERE, "media": []}, BAD + "there are no messages to send"),
    ("sendMediaGroup", {**HERE, "media": [{"type": "photo"}]}, BAD + "can't parse InputMedia: media not found"),
    (
        "sendMediaGroup",
        {**HERE, "media": [{"type": "sticker", "media": "x"}]},
        BAD + 'can\'t parse InputMedia: type "sticker" is unsupported',
    ),
    (
        "sendMediaGroup",
        {**HERE, "media": [{"type": "photo", "media": "x"}] * 11},
        BAD + "too many messages to send as an album",
    ),
    (
        "sendMediaGroup",
        {**HERE, "media": [{"type": "photo", "media": "x"}, {"type": "document", "media": "x"}]},
        BAD + "document can't be mixed with other media types",
    ),
    ("sendMessageDraft", {**HERE, "text": "x"}, BAD + "invalid draft identifier specified"),
    ("setMyCommands", {"commands": [{"command": "Bad", "description": "x"}]}, BAD + "BOT_COMMAND_INVALID"),
    ("setMyCommands", {"commands": [{"command": "a", "description": ""}]}, BAD + "BOT_COMMAND_DESCRIPTION_INVALID"),
    ("setWebhook", {"url": "http://a.b"}, BAD + "bad webhook: An HTTPS URL must be provided for webhook"),
    ("createForumTopic", {**HERE, "name": "x"}, BAD + "the chat is not a forum"),
    ("getChat", {"chat_id": 0}, BAD + "chat not found"),
    ("getChatMember", {**HERE, "user_id": 1}, BAD + "PARTICIPANT_ID_INVALID"),
]


@pytest.mark.parametrize(("method", "params", "words"), REFUSALS, ids=lambda one: one if isinstance(one, str) else "")
def test_a_wrong_call_is_refused_in_the_words_of_the_platform(
    method: str, params: dict[str, Any], words: str
) -> None:
    desk = Desk()

    assert desk.refusal(method, **params) == words
    assert desk.phone.inbox() == []
    assert [act.refusal for act in desk.api.refused] == [words.partition(" ")[2]]


@pytest.mark.parametrize("token", ["nonsense", "12", "12:", ":abc", "12:a/b"])
def test_something_that_is_no_token_is_not_found(token: str) -> None:
    answer = Desk().api.call(token, "getMe", now=BEGINNING)

    assert isinstance(answer, Answer)
    assert answer.json() == {"ok": False, "error_code": 404, "description": "Not Found"}


def test_an_unknown_token_is_unauthorized() -> None:
    answer = Desk().api.call("500000001:another-secret", "getMe", now=BEGINNING)

    assert isinstance(answer, Answer)
    assert (answer.status, answer.json()) == (401, {"ok": False, "error_code": 401, "description": "Unauthorized"})


def test_a_revoked_token_is_unauthorized_for_methods_and_files() -> None:
    desk = Desk()
    stored = desk.phone.send_document(b"x").file
    assert stored
    desk.api.revoked.add(TOKEN)

    assert desk.refusal("getUpdates") == "401 Unauthorized"
    assert desk.api.file(TOKEN, stored.path).status == 401


def test_an_unknown_method_is_not_found_and_complained_about() -> None:
    desk = Desk()

    assert desk.refusal("sendLove", chat_id=ADA) == "404 Not Found"
    assert desk.api.complaints == ["sendLove: no such method here"]


def test_a_method_name_counts_in_any_letter_case() -> None:
    assert Desk().call("GETME")["username"] == "claude_bot"


def test_an_undocumented_parameter_is_ignored_and_complained_about() -> None:
    desk = Desk()

    desk.send("hi", reply_to_message_id=1)

    assert desk.phone.inbox()[0].reply_to is None
    assert desk.api.complaints == ["sendMessage: the parameter reply_to_message_id is not documented"]


def test_every_method_in_the_table_exists() -> None:
    desk = Desk()

    for method in PARAMETERS:
        assert desk.answer(method).status != 404, method
    assert desk.api.complaints == []


def test_somebody_who_stopped_the_bot_cannot_be_written_to_but_old_messages_can_be_edited() -> None:
    desk = Desk()
    sent = desk.send("one")
    desk.phone.block()

    assert desk.refusal("sendMessage", chat_id=ADA, text="x") == "403 Forbidden: bot was blocked by the user"
    assert (
        desk.refusal("sendChatAction", chat_id=ADA, action="typing") == "403 Forbidden: bot was blocked by the user"
    )
    desk.call("editMessageText", chat_id=ADA, message_id=sent["message_id"], text="two")


def test_a_deleted_account_is_refused() -> None:
    desk = Desk()
    desk.ada.is_deactivated = True

    assert desk.refusal("sendMessage", chat_id=ADA, text="x") == "403 Forbidden: user is deactivated"


def test_an_edit_that_changes_nothing_is_refused() -> None:
    desk = Desk()
    buttons = keyboard({"text": "Yes", "callback_data": "y"})
    sent = desk.send("same", entities=[{"type": "bold", "offset": 0, "length": 4}], **buttons)
    same = {
        "chat_id": ADA,
        "message_id": sent["message_id"],
        "text": "same ",
        "entities": [{"type": "bold", "offset": 0, "length": 4}],
    }

    assert desk.refusal("editMessageText", **same, **buttons) == (
        "400 Bad Request: message is not modified: specified new message content and reply markup are exactly the "
        "same as a current content and reply markup of the message"
    )
    desk.call("editMessageText", **same)
    assert desk.phone.inbox()[0].labels == []


def test_the_wrong_kind_of_edit_is_refused() -> None:
    desk = Desk()
    text = desk.send("text")["message_id"]
    photo = desk.call("sendPhoto", {"photo": Upload("a.png", picture())}, chat_id=ADA)["message_id"]

    assert desk.refusal("editMessageText", chat_id=ADA, message_id=photo, text="x") == (
        "400 Bad Request: there is no text in the message to edit"
    )
    assert desk.refusal("editMessageCaption", chat_id=ADA, message_id=text, caption="x") == (
        "400 Bad Request: there is no caption in the message to edit"
    )
    assert desk.refusal("editMessageText", chat_id=ADA, message_id=text, text="x" * 4097) == (
        "400 Bad Request: MESSAGE_TOO_LONG"
    )
    assert desk.refusal("editMessageCaption", chat_id=ADA, message_id=photo, caption="x" * 1025) == (
        "400 Bad Request: MEDIA_CAPTION_TOO_LONG"
    )


def test_what_the_documentation_forbids_and_the_platform_tolerates_is_complained_about() -> None:
    desk = Desk()

    desk.send("x", **keyboard({"text": "b", "callback_data": "a", "url": "https://example.com"}))
    desk.send("x", reply_markup={"keyboard": [["A"]]})
    photo = {"a": Upload("a.png", picture())}
    desk.call("sendMediaGroup", photo, chat_id=ADA, media=[{"type": "photo", "media": "attach://a"}])

    assert desk.api.complaints == [
        "sendMessage: a button has url and callback_data: the platform takes the first",
        "sendMessage: a reply markup that is not an inline keyboard is not emulated",
        "sendMediaGroup: an album of one: the documentation asks for 2 to 10",
    ]


def test_whatever_is_thrown_at_a_method_the_server_never_fails() -> None:
    desk = Desk()
    thrown = [
        "",
        "0",
        "x",
        "[]",
        "{}",
        "[[]]",
        '[{"type":"photo","media":"x"}]',
        '[{"text":1}]',
        "-1",
        "null",
        "\ud800",
    ]

    for method, names in PARAMETERS.items():
        for junk in thrown:
            params: dict[str, object] = dict.fromkeys(names, junk)
            for known in ({}, {"chat_id": ADA}, {"chat_id": ADA, "text": "x", "message_id": 1}):
                outcome = desk.raw(method, params | {key: value for key, value in known.items() if key in names})
                assert not isinstance(outcome, Answer) or outcome.status != 500, (method, junk, desk.api.complaints)


def test_two_bots_have_chats_of_their_own_with_the_same_person() -> None:
    api = BotApi()
    first, second = api.add_bot("1:first-token"), api.add_bot("2:second-token", username="other_bot")
    ada = api.add_person("Ada")
    api.world.private_chat(first, ada)

    answer = api.call(second.token, "sendMessage", {"chat_id": ada.id, "text": "x"}, now=BEGINNING)

    assert isinstance(answer, Answer)
    assert answer.description == "Forbidden: bot can't initiate conversation with a user"
