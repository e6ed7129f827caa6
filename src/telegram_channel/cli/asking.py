"""The two questions that commands put to Telegram: who the bot is, and whether a webhook takes its messages.

Loading this module loads the library for Telegram. Nothing here ever asks for updates.
"""

import asyncio
from urllib.parse import urlsplit

from telegram_channel.clock import SystemClock
from telegram_channel.core.ids import BotId
from telegram_channel.core.outgoing import BotIdentity
from telegram_channel.errors import Ambiguous, ConfigurationError
from telegram_channel.settings import Settings, Token
from telegram_channel.tg.client import TelegramChat
from telegram_channel.tg.connection import Connection

PATIENCE_S = 15.0
"""Somebody is watching the terminal."""


async def ask_identity(settings: Settings, token: Token, patience_s: float = PATIENCE_S) -> BotIdentity:
    """Who the bot is, asked for `patience_s` seconds at most.

    Raises:
        ChatError: Telegram does not know the token, or could not be asked.
        ConfigurationError: the answer is about another bot, or the proxy cannot be used.
    """
    chat = TelegramChat(token.reveal(), SystemClock(), api_base=settings.api_base, proxy=settings.proxy)
    try:
        async with asyncio.timeout(patience_s):
            identity = await chat.identity()
    except TimeoutError:
        raise Ambiguous("Telegram did not answer in time.") from None
    finally:
        await chat.close()
    if identity.bot != BotId(token.bot):
        raise ConfigurationError(
            f"{settings.api_base} answered for bot {identity.bot}, but the token is that of bot {token.bot}.",
            "Look at TELEGRAM_API_BASE: this is not the Bot API.",
        )
    return identity


async def ask_webhook(settings: Settings, token: Token) -> str:
    """The host that a webhook sends the bot's messages to, empty when none is set. Its path may be a secret.

    Raises:
        ChatError: Telegram could not be asked.
        ConfigurationError: the proxy cannot be used.
    """
    connection = Connection(token.reveal(), settings.api_base, settings.proxy)
    try:
        found = await connection.ask(connection.bot.get_webhook_info(), PATIENCE_S)
    finally:
        await connection.close()
    return (urlsplit(found.url).hostname or "another program") if found.url else ""
