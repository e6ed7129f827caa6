"""Whether a text speaks to the bot: by its @name, by a mention of its account, or by `/command@name`."""

from collections.abc import Sequence

from telegram_channel.core.outgoing import BotIdentity
from telegram_channel.tg.raw import Fields, optional_integer, optional_object, optional_text


def mentions(text: str, entities: Sequence[Fields], me: BotIdentity) -> bool:
    """Whether one of the entities of a message names the bot, in any letter case.

    Only entities count: Telegram marks every mention, and text that merely looks like one is none.
    """
    name = f"@{me.username}".casefold()
    for entity in entities:
        match optional_text(entity, "type"):
            case "text_mention":
                if str(optional_integer(optional_object(entity, "user") or {}, "id")) == me.bot:
                    return True
            case "mention":
                if _covered(text, entity).casefold() == name:
                    return True
            case "bot_command":
                if _covered(text, entity).casefold().endswith(name):
                    return True
            case _:
                pass
    return False


def _covered(text: str, entity: Fields) -> str:
    """The part of the text that the entity is about; its offsets are UTF-16 code units."""
    offset, length = optional_integer(entity, "offset"), optional_integer(entity, "length")
    if offset is None or length is None or offset < 0 or length <= 0:
        return ""
    units = text.encode("utf-16-le")
    return units[2 * offset : 2 * (offset + length)].decode("utf-16-le", "replace")
