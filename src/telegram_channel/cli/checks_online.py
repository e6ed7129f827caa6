"""What `doctor` asks Telegram: whether it knows the token, and who else takes the bot's messages.

It never asks for updates: that would end the poll of the process that receives them.
"""

from telegram_channel.cli.checks import Check
from telegram_channel.core.outgoing import BotIdentity
from telegram_channel.core.visible import visible_line
from telegram_channel.errors import ChannelError
from telegram_channel.settings import Settings


async def check_telegram(settings: Settings, *, all_messages: bool) -> list[Check]:
    """The bot and its webhook. `all_messages`: some group is to be heard in full."""
    from telegram_channel.cli.asking import ask_identity, ask_webhook  # the library takes its time to load

    token = settings.token()
    try:
        identity = await ask_identity(settings, token)
    except ChannelError as error:
        remedy = error.remedy or "Look at the network connection; TELEGRAM_PROXY names a proxy."
        return [Check("telegram", False, str(error), remedy)]
    name = visible_line(identity.name, 64)
    checks = [Check("telegram", True, f"Telegram knows the bot: @{identity.username} ({name}).")]
    try:
        checks.append(_about_webhook(await ask_webhook(settings, token)))
    except ChannelError as error:
        checks.append(Check("webhook", None, str(error), "Run this again."))
    checks.append(_about_privacy(identity, all_messages=all_messages))
    return checks


def _about_webhook(host: str) -> Check:
    if not host:
        return Check("webhook", True, "No webhook takes the bot's messages.")
    return Check(
        "webhook",
        False,
        f"A webhook sends the bot's messages to {visible_line(host, 200)}, so nobody can poll.",
        "Switch it off there (the method deleteWebhook), or give this program a bot of its own.",
    )


def _about_privacy(identity: BotIdentity, *, all_messages: bool) -> Check:
    if identity.reads_all_group_messages:
        return Check("groups", True, "In groups the bot sees every message; it acts on what the access rules allow.")
    text = "In groups the bot sees only commands, mentions and answers to it (privacy mode)."
    if not all_messages:
        return Check("groups", True, text)
    return Check(
        "groups",
        None,
        f"{text} Some group is opted in with all messages.",
        "Let @BotFather switch privacy mode off (/setprivacy), then remove the bot from the group and add it again.",
    )
