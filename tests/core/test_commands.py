"""The bridge answers its own commands; everything else is for Claude."""

import pytest

from telegram_channel.core.commands import MENU, BotCommand, on_or_off, parse_command, start_payload


@pytest.mark.parametrize(
    ("text", "command", "rest"),
    [
        ("/help", BotCommand.HELP, ""),
        (" /STATUS ", BotCommand.STATUS, ""),
        ("/help@Demo_Bot", BotCommand.HELP, ""),
        ("/start abc-DEF_1", BotCommand.START, "abc-DEF_1"),
        ("/start\nabc", BotCommand.START, "abc"),
        ("/stop", BotCommand.STOP, ""),
        ("/STOP it now!", BotCommand.STOP, "it now!"),
        ("/pause@demo_bot", BotCommand.PAUSE, ""),
        ("/resume", BotCommand.RESUME, ""),
        ("/progress on", BotCommand.PROGRESS, "on"),
        ("/stream  OFF ", BotCommand.STREAM, "OFF"),
        ("/sessions", BotCommand.SESSIONS, ""),
        ("/use shop/Main 2", BotCommand.USE, "shop/Main 2"),
        ("/To@demo_bot shop run\nthe tests ", BotCommand.TO, "shop run\nthe tests"),
    ],
)
def test_our_own_commands_are_recognised(text: str, command: BotCommand, rest: str) -> None:
    parsed = parse_command(text, "demo_bot")
    assert parsed
    assert (parsed.command, parsed.rest) == (command, rest)


@pytest.mark.parametrize(
    "text",
    [
        "/deploy",
        "/stopp",
        "stop",
        "/stop@another_bot",
        "/help@another_bot",
        "help",
        "see /help",
        "/helpme",
        "/user ann",
        "/tools",
        "/to!",
        "/use@another_bot shop",
        "/",
        "/help!",
        "",
        "//help",
    ],
)
def test_everything_else_is_for_claude(text: str) -> None:
    assert parse_command(text, "demo_bot") is None


@pytest.mark.parametrize(
    ("text", "payload"),
    [("/start abc", "abc"), ("/start", ""), ("/help abc", ""), ("start abc", ""), ("/start@demo_bot abc", "abc")],
)
def test_the_payload_of_a_link_follows_start(text: str, payload: str) -> None:
    assert start_payload(text) == payload


@pytest.mark.parametrize(
    ("rest", "on"),
    [("on", True), (" OFF ", False), ("On", True), ("", None), ("of", None), ("on off", None), ("yes", None)],
)
def test_a_wish_is_on_or_off_or_not_understood(rest: str, on: bool | None) -> None:
    assert on_or_off(rest) is on


def test_the_menu_offers_every_command_but_start() -> None:
    assert set(MENU) == {command.value for command in BotCommand} - {"start"}
    assert all(3 <= len(words) <= 256 for words in MENU.values())


def test_each_command_is_of_one_kind_at_most() -> None:
    assert all(sum((one.is_order, one.is_wish, one.is_routing)) <= 1 for one in BotCommand)
    assert {one for one in BotCommand if one.is_routing} == {BotCommand.SESSIONS, BotCommand.USE, BotCommand.TO}
