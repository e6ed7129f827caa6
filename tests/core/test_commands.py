"""The bridge answers its own commands; everything else is for Claude."""

import pytest

from telegram_channel.core.commands import BotCommand, parse_command, start_payload


@pytest.mark.parametrize(
    ("text", "command", "rest"),
    [
        ("/help", BotCommand.HELP, ""),
        (" /STATUS ", BotCommand.STATUS, ""),
        ("/help@Demo_Bot", BotCommand.HELP, ""),
        ("/start abc-DEF_1", BotCommand.START, "abc-DEF_1"),
        ("/start\nabc", BotCommand.START, "abc"),
    ],
)
def test_our_own_commands_are_recognised(text: str, command: BotCommand, rest: str) -> None:
    parsed = parse_command(text, "demo_bot")
    assert parsed
    assert (parsed.command, parsed.rest) == (command, rest)


@pytest.mark.parametrize(
    "text", ["/deploy", "/help@another_bot", "help", "see /help", "/helpme", "/", "/help!", "", "//help"]
)
def test_everything_else_is_for_claude(text: str) -> None:
    assert parse_command(text, "demo_bot") is None


@pytest.mark.parametrize(
    ("text", "payload"),
    [("/start abc", "abc"), ("/start", ""), ("/help abc", ""), ("start abc", ""), ("/start@demo_bot abc", "abc")],
)
def test_the_payload_of_a_link_follows_start(text: str, payload: str) -> None:
    assert start_payload(text) == payload
