"""Every number Telegram sets, with its unit and where it is written, and the pace we keep below it.

Sources: "Bot API" is the public Bot API reference (version 10.1); "Bots FAQ" is its question "My bot is
hitting limits, how do I avoid this?".
"""

from telegram_channel.core.pacing import Rate

TEXT_UNITS = 4096
"""Longest text of one message, after entities are parsed (Bot API, sendMessage). Budgeted in UTF-16 units."""

CAPTION_UNITS = 1024
"""Longest caption of one file, after entities are parsed (Bot API, sendPhoto). Budgeted in UTF-16 units."""

MOST_ENTITIES = 100
"""Entities of one message that count; further ones are ignored (Bot API, limits of formatting)."""

CALLBACK_DATA_BYTES = 64
"""Longest `callback_data` of a button, in UTF-8 (Bot API, InlineKeyboardButton)."""

COPY_CHARACTERS = 256
"""Longest text that a button copies (Bot API, CopyTextButton)."""

LABEL_CHARACTERS = 64
"""Longest button label we send. Telegram names no limit; phones cut off what is longer."""

PRESS_ANSWER_CHARACTERS = 200
"""Longest answer to a button press (Bot API, answerCallbackQuery)."""

TOPIC_NAME_CHARACTERS = 128
"""Longest name of a topic (Bot API, createForumTopic)."""

MOST_BUTTONS = 100
"""Buttons below one message. Telegram refuses more as "reply markup too long"; its reference names no number."""

DOWNLOAD_BYTES = 20 * 1024 * 1024
"""Largest file a bot can fetch: 20 MB (Bot API, getFile), read generously: Telegram itself refuses first."""

UPLOAD_BYTES = 50_000_000
"""Largest file a bot can send: 50 MB (Bot API, sendDocument), read strictly: a longer upload is for nothing."""

PHOTO_BYTES = 10_000_000
"""Largest file that can be sent as a photo: 10 MB (Bot API, sending files)."""

ALBUM_ITEMS = 10
"""Most files of one album; the fewest are two (Bot API, sendMediaGroup)."""

UPDATES_PER_FETCH = 100
"""Most updates of one getUpdates call; fewer mean that nothing more is waiting (Bot API, getUpdates)."""

_REACTIONS = """
    ❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤\u200d🔥 🌚 🌭 💯 🤣 ⚡ 🍌
    🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u200d💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒
    💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷\u200d♂ 🤷 🤷\u200d♀ 😡
"""
REACTIONS = frozenset(_REACTIONS.split())
"""The emoji a reaction may be (Bot API, ReactionTypeEmoji), without variation selectors."""

MOST_FLOOD_WAIT_S = 60.0
"""Longest time one send waits, in all, because Telegram asks it to; after that the author is told."""

# Each time is a little longer than Telegram's own, because what leaves evenly need not arrive evenly.

PRIVATE_PACE = Rate(most=5, within_s=5.2)
"""About one message a second in one chat, short bursts allowed (Bots FAQ): a whole answer leaves at once."""

GROUP_PACE = Rate(most=20, within_s=61.0)
"""20 messages a minute in one group (Bots FAQ)."""

REACTION_PACE = Rate(most=20, within_s=10.0)
"""Reactions in one chat. Telegram names no limit; what is too many, it says, and only reactions wait then."""

OVERALL_PACE = Rate(most=30, within_s=1.1)
"""30 messages a second over all (Bots FAQ)."""
