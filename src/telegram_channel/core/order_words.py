"""What the bridge says about `/stop`, `/pause`, `/resume`, `/progress` and `/stream`: only what is known to be true.

What somebody else wrote (a name, a tool) is one visible line, never parsed.
"""

from collections import Counter
from collections.abc import Sequence

from telegram_channel.core.commands import BotCommand
from telegram_channel.core.orders import Order, OrderKind, StopFacts
from telegram_channel.core.text import Span, Style, Styled, styled
from telegram_channel.core.visible import visible_line

_LONGEST_NAME = 64
"""UTF-16 units of a person's or a tool's name inside a sentence."""
_MOST_NAMES = 5
"""More tools than these are only counted."""
_MOST_SESSIONS = 10
"""More sessions than these are only counted."""
_RESUME = Span("/resume", Style.CODE)


def _name(text: str) -> str:
    return visible_line(text, _LONGEST_NAME) or "somebody"


def _slash(command: BotCommand) -> Span:
    return Span(f"/{command.value}", Style.CODE)


def not_in_charge(command: BotCommand) -> Styled:
    """For somebody who may talk and tried to stop, pause or resume."""
    return styled(
        "You may talk to Claude, but ", _slash(command), " is for owners and approvers. Nothing was changed."
    )


def every_session(command: BotCommand) -> Styled:
    """For an approver who is limited to certain sessions and tried to pause."""
    return styled(
        _slash(command),
        " is about every session, and not every one is open to you. Nothing was changed. ",
        _slash(BotCommand.STOP),
        " stops one that is.",
    )


def old_order(command: BotCommand) -> Styled:
    """For an order that waited at Telegram while nobody polled."""
    return styled(
        "That ",
        _slash(command),
        " came while I was offline, so nothing was done. If you still want it, please send it again.",
    )


def no_session() -> Styled:
    """For `/stop` when no process of the session is alive."""
    return styled("No session is running, so there is nothing to stop.")


def which(command: BotCommand, labels: Sequence[str]) -> Styled:
    """For `/stop` or `/resume` when several sessions may be meant."""
    shown = [_name(label) for label in labels]
    if len(shown) > _MOST_SESSIONS:
        shown = [*shown[: _MOST_SESSIONS - 1], f"{len(shown) - _MOST_SESSIONS + 1} others"]
    example = Span(f"/{command.value} {_name(labels[0])}", Style.CODE)
    return styled(
        f"Which one? {', '.join(shown[:-1])} and {shown[-1]} are running, and nothing was changed. Send ",
        example,
        ", or reply with ",
        _slash(command),
        " to a message of the one you mean.",
    )


def only_one(command: BotCommand, typed: str, label: str) -> Styled:
    """For `/stop` or `/resume` with a name that is not the one of the only session."""
    return styled(
        f"No running session is called “{_name(typed)}”, so nothing was changed. The only one is {_name(label)}: ",
        _slash(command),
        " without a name is for it.",
    )


def holds_every_session(typed: str) -> Styled:
    """For `/pause` with a name: it cannot hold one of several."""
    return styled(
        _slash(BotCommand.PAUSE),
        f" cannot hold “{_name(typed)}” alone, so nothing was changed. Without a name it holds the messages for "
        "every session; ",
        Span(f"/{BotCommand.STOP.value} NAME", Style.CODE),
        " stops one.",
    )


def stop_answer(facts: StopFacts) -> Styled:
    """The answer to `/stop`: what is known, what was done, and what it does not do."""
    return styled(*_stop_head(facts), *_stop_tail(facts))


def _stop_head(facts: StopFacts) -> tuple[str | Span, ...]:
    until = (" until somebody begins a new turn or ", _RESUME, ".")
    if not facts.hooks:
        return (
            "⚠️ I cannot stop it from here: nothing has been heard from this session's hooks, so I see no turn and "
            "can refuse no tool call. Press Esc in the terminal to stop it.\n"
            "Should a hook report after all, tool calls are refused",
            *until,
        )
    if facts.nothing_to_stop:
        return ("Nothing is going on: no turn is in flight and no tool is running, so there is nothing to stop.",)
    seen = (
        "A turn is in flight, as far as I can see."
        if facts.in_flight
        else "No turn is in flight any more, but what it left behind is held as well."
    )
    return (f"✋ Stopping. {seen} Every further tool call is refused, in subagents too,", *until)


def _stop_tail(facts: StopFacts) -> list[str]:
    tail = []
    if facts.denied:
        requests = "1 open permission request was" if facts.denied == 1 else f"{facts.denied} open requests were"
        tail.append(f"\n{requests} denied.")
    if facts.hooks and facts.running:
        are, it = ("is", "it") if len(facts.running) == 1 else ("are", "them")
        tail.append(
            f"\n{_tools(facts.running)} {are} still running, as far as I can see; nothing after {it} will start."
        )
    if facts.hooks and facts.waiting:
        what = "1 message is" if facts.waiting == 1 else f"{facts.waiting} messages are"
        tail.append(f"\n{what} still on the way to Claude and may begin a new turn, which this does not stop.")
    return tail


def stopped(refused: Sequence[str], *, turn_ended: bool) -> Styled:
    """The one notice that a stop has taken effect; `refused` are the tools of the calls that were refused."""
    if refused:
        return styled(f"✋ Stopped. Refused: {_tools(refused)}.")
    if turn_ended:
        return styled("✋ Stopped. Claude's turn is over; no further tool call was tried.")
    return styled(
        "✋ That turn is over: a new one has begun, and the stop does not hold it. No tool call had to be refused."
    )


def _tools(names: Sequence[str]) -> str:
    counted = Counter(visible_line(name, _LONGEST_NAME) or "a tool" for name in names)
    shown = [name if count == 1 else f"{name} ({count} times)" for name, count in counted.items()]
    if len(shown) > _MOST_NAMES:
        shown = [*shown[: _MOST_NAMES - 1], f"{len(shown) - _MOST_NAMES + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def paused() -> Styled:
    """The answer to `/pause`."""
    return styled(
        "⏸ New messages are kept and held back; ",
        _RESUME,
        " releases them. What Claude was given before goes on; ",
        _slash(BotCommand.STOP),
        " stops it.",
    )


def held_back(pause: Order) -> Styled:
    """For the first message that a pause holds back in a chat."""
    return styled(
        f"⏸ {_name(pause.by_name)} paused this: your message is kept and held back, like all that follow, until an "
        "owner or approver sends ",
        _RESUME,
        ".",
    )


def resumed(lifted: Sequence[Order], kept: Order | None = None) -> Styled:
    """The answer to `/resume`: what was lifted, or that nothing was; `kept`: a pause that is not theirs to lift."""
    stop = next((order for order in lifted if order.kind is OrderKind.STOP), None)
    pause = next((order for order in lifted if order.kind is OrderKind.PAUSE), None)
    said = []
    if stop:
        said.append(f"The stop by {_name(stop.by_name)} is lifted: tools may be called again.")
    if pause:
        said.append(
            f"The pause by {_name(pause.by_name)} is lifted: what was held back goes to Claude now, in order."
        )
    if kept:
        whose = _name(kept.by_name)
        stands = f"The pause by {whose} is about every session, and not every one is open to you: it stands."
        if not said:
            return styled(stands)
        said.append(stands)
    return styled("▶️ " + "\n".join(said) if said else "Nothing was stopped or paused, so there was nothing to lift.")


def standing_lines(orders: Sequence[Order]) -> list[str]:
    """What `/status` says about orders that stand, a line each."""
    return [
        f"Paused by {_name(order.by_name)}: new messages are held back until /resume"
        if order.kind is OrderKind.PAUSE
        else f"Stop by {_name(order.by_name)}: it stands until somebody begins a new turn or /resume"
        for order in orders
    ]


_WISHES = {
    BotCommand.PROGRESS: "one message per turn that says what Claude is doing",
    BotCommand.STREAM: "Claude's text while it is being written",
}


def wish_kept(command: BotCommand, *, on: bool) -> Styled:
    """The answer to `/progress on` and the like."""
    return styled(f"{'On: this chat is shown' if on else 'Off: this chat is not shown'} {_WISHES[command]}.")


def wish_stands(command: BotCommand, *, on: bool) -> Styled:
    """The answer to `/progress` without a word that is understood: how it stands, and how to change it."""
    word = "off" if on else "on"
    return styled(
        f"This chat is {'' if on else 'not '}shown {_WISHES[command]}. ",
        Span(f"/{command.value} {word}", Style.CODE),
        " changes that.",
    )


def private_chats_only(command: BotCommand) -> Styled:
    """For `/stream` in a group."""
    return styled(_slash(command), " works in private chats only: Telegram shows drafts nowhere else.")
