"""Which bot a command is about: the one asked for, else the token's, else the one in the store used last.

Before there is any, the operator may fill a book that the first bot takes over: that of the empty id.
"""

import argparse
import re

from telegram_channel.core.ids import BotId
from telegram_channel.errors import ConfigurationError
from telegram_channel.ports import Store
from telegram_channel.settings import Settings
from telegram_channel.storage import known_bots, open_store

UNCLAIMED = BotId("")


def choose_bot(settings: Settings, asked: BotId | None = None) -> BotId:
    """The bot to talk about.

    Raises:
        StateError: the store cannot be read.
    """
    if asked:
        return asked
    try:
        return settings.token().bot
    except ConfigurationError:  # none here (it may be in the plugin's options), or one that is mistyped
        bots = known_bots(settings.database)
        return bots[0] if bots else UNCLAIMED


def bot_id(text: str) -> BotId:
    """The argument of `--bot`."""
    if not re.fullmatch(r"[0-9]{1,20}", text):
        raise argparse.ArgumentTypeError("the id of a bot is the number before the colon of its token")
    return BotId(text)


async def open_chosen(settings: Settings, asked: BotId | None = None) -> Store:
    """The store of that bot.

    Raises:
        StateError: it cannot be opened.
    """
    return await open_store(settings.database, choose_bot(settings, asked))
