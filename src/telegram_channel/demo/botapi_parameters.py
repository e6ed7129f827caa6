"""The methods this emulator knows and the parameters each of them documents (source: Bot API 10.1).

A parameter that is not listed is ignored, as the platform does, and becomes a complaint.
"""

from typing import Final

_TO: Final = "business_connection_id chat_id message_thread_id direct_messages_topic_id"
_HOW: Final = (
    "disable_notification protect_content allow_paid_broadcast message_effect_id suggested_post_parameters "
    "reply_parameters reply_markup"
)
_CAPTION: Final = "caption parse_mode caption_entities"
_VISUAL: Final = "show_caption_above_media has_spoiler"
_EDIT: Final = "business_connection_id chat_id message_id inline_message_id reply_markup"

_DOCUMENTED: Final = {
    "getUpdates": "offset limit timeout allowed_updates",
    "setWebhook": "url certificate ip_address max_connections allowed_updates drop_pending_updates secret_token",
    "deleteWebhook": "drop_pending_updates",
    "getWebhookInfo": "",
    "getMe": "",
    "setMyCommands": "commands scope language_code",
    "getMyCommands": "scope language_code",
    "deleteMyCommands": "scope language_code",
    "sendMessage": f"{_TO} text parse_mode entities link_preview_options {_HOW}",
    "sendPhoto": f"{_TO} photo {_CAPTION} {_VISUAL} {_HOW}",
    "sendDocument": f"{_TO} document thumbnail {_CAPTION} disable_content_type_detection {_HOW}",
    "sendVoice": f"{_TO} voice {_CAPTION} duration {_HOW}",
    "sendAudio": f"{_TO} audio {_CAPTION} duration performer title thumbnail {_HOW}",
    "sendVideo": (
        f"{_TO} video duration width height thumbnail cover start_timestamp {_CAPTION} {_VISUAL} "
        f"supports_streaming {_HOW}"
    ),
    "sendAnimation": f"{_TO} animation duration width height thumbnail {_CAPTION} {_VISUAL} {_HOW}",
    "sendMediaGroup": (
        f"{_TO} media disable_notification protect_content allow_paid_broadcast message_effect_id reply_parameters"
    ),
    "sendChatAction": "business_connection_id chat_id message_thread_id action",
    "sendMessageDraft": "chat_id message_thread_id draft_id text parse_mode entities",
    "setMessageReaction": "chat_id message_id reaction is_big",
    "editMessageText": f"{_EDIT} text parse_mode entities link_preview_options rich_message",
    "editMessageCaption": f"{_EDIT} {_CAPTION} show_caption_above_media",
    "editMessageReplyMarkup": _EDIT,
    "deleteMessage": "chat_id message_id",
    "answerCallbackQuery": "callback_query_id text show_alert url cache_time",
    "getFile": "file_id",
    "getChat": "chat_id",
    "getChatMember": "chat_id user_id",
    "pinChatMessage": "business_connection_id chat_id message_id disable_notification",
    "unpinChatMessage": "business_connection_id chat_id message_id",
    "createForumTopic": "chat_id name icon_color icon_custom_emoji_id",
    "editForumTopic": "chat_id message_thread_id name icon_custom_emoji_id",
    "closeForumTopic": "chat_id message_thread_id",
    "reopenForumTopic": "chat_id message_thread_id",
}

PARAMETERS: Final = {method: frozenset(names.split()) for method, names in _DOCUMENTED.items()}
METHOD_NAMES: Final = {method.lower(): method for method in PARAMETERS}
"""The server takes a method's name in any letter case."""
