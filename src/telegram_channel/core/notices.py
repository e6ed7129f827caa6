"""Every sentence the bot says by itself: short, kind, and true.

What somebody else wrote (a name, a code, a tool) stands in its own span and is never parsed.
"""

from dataclasses import dataclass

from telegram_channel.core.access import Role
from telegram_channel.core.health import BridgeState
from telegram_channel.core.order_words import standing_lines
from telegram_channel.core.orders import Order
from telegram_channel.core.pairing_code import PairingCode
from telegram_channel.core.pairing_rules import RULES, PairingRules
from telegram_channel.core.permission import Behavior, Closing, How, Prompt, Suggestion, Verdict, suggestion
from telegram_channel.core.suggestions import MOST_WORDS_UNITS
from telegram_channel.core.text import Markdown, Span, Style, Styled, styled
from telegram_channel.core.visible import visible_line

_LONGEST_NAME = 64
"""UTF-16 units of a person's or a project's name inside a sentence."""
_LONGEST_WAIT = 300
"""UTF-16 units of what the terminal says it waits for."""
_MOST_NAMES = 10
"""More sessions than these are only counted."""
_LONGEST_REASON = 200
"""UTF-16 units of what an approver gave as a reason for a denial, on the closed card."""


def _code(text: str) -> Span:
    return Span(text, Style.CODE)


def _bold(text: str) -> Span:
    return Span(text, Style.BOLD)


def pairing_code(code: PairingCode, rules: PairingRules = RULES) -> Styled:
    """For somebody unknown: their code, and how the operator lets them in with it."""
    minutes = round(rules.code_lifetime.total_seconds() / 60)
    return styled(
        "Hello! This bot belongs to a Claude Code session, and it does not know you yet.\n\nYour code: ",
        _code(code.shown),
        "\n\nTo let you in, whoever runs that session types this into it:\n",
        _code(f"/telegram:access pair {code.shown}"),
        f"\n\nThe code is good for {minutes} minutes. Nothing you write before that is read or kept.",
    )


def pairing_reminder(minutes_left: int) -> Styled:
    """For somebody who has a code and writes again; said once."""
    return styled(
        f"You already have a code, a few messages up; it is good for {_count(minutes_left, 'more minute')}. "
        "Whoever runs the session types ",
        _code("/telegram:access pair"),
        " and that code. Until then nothing you write is read or kept.",
    )


_MAY = {
    Role.OWNER: "You may talk to Claude and answer its permission prompts.",
    Role.APPROVER: "You may talk to Claude and answer its permission prompts.",
    Role.SENDER: "You may talk to Claude. Its permission prompts go to others.",
}


def greeting(role: Role, *, door_closed: bool = False) -> Styled:
    """For somebody who was just let in. `door_closed`: strangers cannot ask for a code any more."""
    door = (
        "\n\nNobody else can ask to come in from now on. To let somebody in, make an invitation in the session with "
    )
    return styled(
        f"You are in, as {role.value}. {_MAY[role]}\n\n"
        "Write here as you would in the terminal; files and photos work, too. "
        "👀 on a message means that it is safely stored. ",
        _code("/help"),
        " says more.",
        *((door, _code("/telegram:access invite"), ".") if door_closed else ()),
    )


def already_paired(role: Role) -> Styled:
    """For somebody who sends `/start` and is in."""
    return styled(f"You are already in, as {role.value}. {_MAY[role]} Just write.")


def help_text(role: Role) -> Styled:
    """What `/help` says to this role."""
    prompts = (
        (
            "\n\n",
            _bold("Permission prompts"),
            " come as a card with buttons. You can also write ",
            _code("yes"),
            " or ",
            _code("no"),
            " followed by the five letters on the card. The first answer counts, here or in the terminal.",
        )
        if role.may_approve
        else ("\n\nPermission prompts go to others; they decide.",)
    )
    orders = (
        (
            _code("/stop"),
            " holds Claude: no further tool call until somebody begins a new turn.\n",
            _code("/pause"),
            " holds new messages back, ",
            _code("/resume"),
            " lifts both.\n",
        )
        if role.may_approve
        else ()
    )
    return styled(
        "Whatever you write here goes to a Claude Code session, and its answers come back. "
        "Replies, quotes, forwards, edits, photos, files and voice messages go along.\n\n"
        "👀 on a message means that it is safely stored, ✍ that Claude has read it; "
        "“typing” means that the session was given it, or works on it.",
        *prompts,
        "\n\n",
        _code("/status"),
        " says whether the session is listening.\n",
        *orders,
        _code("/progress on"),
        " shows what Claude is doing, ",
        _code("/stream on"),
        " its text while it is written (in private chats); ",
        _code("off"),
        " ends it.\n",
        _code("/sessions"),
        " lists the sessions that are running. With several, ",
        _code("/use NAME"),
        " chooses one for this chat, and ",
        _code("/to NAME text"),
        " gives one message to another; a reply goes to whoever wrote what you reply to.\n",
        _code("/help"),
        " is this text.\nEvery other command goes to Claude.",
    )


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """What `/status` tells; whoever asks it has collected these a moment ago."""

    role: Role
    session: str
    """The name of the project the session works in, empty when there is none."""
    state: BridgeState
    queued: int
    """Messages stored and not given to the session yet."""
    unread: int = 0
    """Messages given to the session without a sign that it read them."""
    waiting_prompts: int = 0
    last_poll_s: float | None = None
    """Seconds since Telegram last answered a poll, None when it never did."""
    problem: str = ""
    """What is wrong and what to do, empty when nothing is."""
    standing: tuple[Order, ...] = ()
    """The orders that stand for the session and for every session."""
    working_s: float | None = None
    """How long the turn that is in flight has lasted; None when there is none, or it is not known."""
    others: tuple[str, ...] = ()
    """Labels of further living sessions; when `session` is empty, none of them was chosen."""


def status_text(facts: StatusFacts) -> Styled:
    """What `/status` answers."""
    if facts.session:
        session: tuple[str | Span, ...] = ("Session: ", _code(visible_line(facts.session, _LONGEST_NAME)))
    else:
        session = ("Session: none is chosen" if facts.others else "Session: none is running",)
    lines = [
        f"\nYou are: {facts.role.value}",
        f"\nBridge: {facts.state.sentence}",
        f"\nQueue: {_count(facts.queued, 'message')} waiting to be given to the session",
        f"\nLast poll: {_ago(facts.last_poll_s)}",
    ]
    if facts.others:
        lines.insert(0, f"\n{'Other sessions' if facts.session else 'Running'}: {_names(facts.others)}")
    if facts.working_s is not None:
        lines.append(f"\nClaude is at work: for {lasting(facts.working_s)}")
    lines.extend(f"\n{line}" for line in standing_lines(facts.standing))
    if facts.unread:
        lines.append(f"\nGiven to the session, no sign of reading yet: {_count(facts.unread, 'message')}")
    if facts.waiting_prompts and facts.role.may_approve:
        lines.append(f"\nPermission prompts that wait for an answer: {facts.waiting_prompts}")
    if facts.problem:
        lines.append(f"\n\n{visible_line(facts.problem, 1000)}")
    return styled(*session, *lines)


def _names(names: tuple[str, ...]) -> str:
    shown = [visible_line(name, _LONGEST_NAME) for name in names[:_MOST_NAMES]]
    return ", ".join([*shown, f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else shown)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{lasting(seconds)} ago"


def lasting(seconds: float) -> str:
    """A length of time for people, in the unit that fits."""
    if seconds < 120:
        return f"{max(0, round(seconds))} s"
    if seconds < 7200:
        return f"{round(seconds / 60)} minutes"
    return f"{round(seconds / 3600)} hours"


def unread(count: int) -> Styled:
    """The one notice about messages that were given to the session without any sign that it read them."""
    what, them = ("This message was", "it") if count == 1 else (f"{count} messages up to this one were", "them")
    return styled(
        f"⚠️ {what} given to the session, which shows no sign of having read {them}. Likely causes:\n"
        "• the session was started without ",
        _code("--channels"),
        " naming this plugin, so Claude Code drops what we hand over\n"
        "• it is busy, or a dialog in the terminal waits for somebody\n"
        "• it ended or hangs\n\n"
        f"A look at the terminal tells which. If Claude does not come back to {them}, please write again.",
    )


def mirrored(words: str) -> Markdown:
    """Claude's final words, for a chat that asked and got no answer of its own."""
    return Markdown(f"🖥 *From the terminal:*\n\n{words.strip()}")


def nothing_said() -> Styled:
    """For a chat that asked, when the turn ended without a word."""
    return styled("🖥 Claude finished without an answer. The terminal shows what it did.")


def words_withheld() -> Styled:
    """For a chat that asked, when the final words hold what must not leave."""
    return styled(
        "🖥 Claude finished. Its last words are in the terminal only: they hold the bot's token, which is never sent."
    )


def desk_waits(project: str, text: str) -> Styled:
    """For an owner, when the terminal waits for something that cannot be answered from here."""
    where = f" in {visible_line(project, _LONGEST_NAME)}" if project.strip() else ""
    what = f": {visible_line(text, _LONGEST_WAIT)}" if text.strip() else "."
    return styled(f"⌨️ The terminal{where} waits for somebody{what}")


def answered(behavior: Behavior, *, with_reason: bool = False) -> Styled:
    """For the approver whose answer counts. `with_reason`: they wrote why, and that was taken as the reason."""
    if with_reason:
        return styled("Denied, with what you wrote as the reason for Claude.")
    return styled("Allowed." if behavior is Behavior.ALLOW else "Denied.")


def not_passed_on(behavior: Behavior) -> Styled:
    """For an approver of whose answer Claude Code took the yes or no and nothing else."""
    if behavior is Behavior.ALLOW:
        return styled(
            "⚠️ It was allowed this once only: Claude Code did not wait for the further choice any more, "
            "so nothing was changed for the next time."
        )
    return styled("⚠️ It was denied, but your reason could not be passed on. For Claude to know it, write it again.")


def answer_not_awaited() -> Styled:
    """For an approver whose answer came when Claude Code had stopped waiting for it."""
    return styled(
        "⚠️ Claude Code did not wait for this answer any more, so it may not have counted. "
        "The terminal shows what happened."
    )


def not_approver() -> Styled:
    """For somebody who may talk and tried to answer a permission prompt."""
    return styled("You may talk to Claude, but not answer its permission prompts. Nothing was decided or passed on.")


def not_approver_there() -> Styled:
    """For an approver who is limited to certain sessions and tried to answer a prompt of another."""
    return styled("That request is of a session that is not open to you. Nothing was decided or passed on.")


def may_deny_only() -> Styled:
    """For an approver who is limited to certain sessions, and it is not known any more which one asked."""
    return styled(
        "The session that asked has ended or was restarted, so only somebody who may approve everywhere can allow "
        "this. Nothing was decided; you may still deny it."
    )


def unknown_request(request_id: str) -> Styled:
    """For `yes abcde` that names no request anybody knows. It is not passed on, and this says so."""
    return styled(
        "There is no permission request ",
        _code(request_id),
        ", so nothing was decided, and nothing was passed on. If this was meant for Claude, say it in other words.",
    )


def several_requests(request_id: str) -> Styled:
    """For a typed answer when requests of several sessions are called by the same five letters."""
    return styled(
        "Two sessions ask with the letters ",
        _code(request_id.lower()),
        ", so nothing was decided. Press a button on the card you mean, or reply to it.",
    )


def unknown_card() -> Styled:
    """For a press on a card that belongs to no request anybody knows."""
    return styled("Nobody knows this request any more. Nothing was decided.")


def request_file_missing() -> Styled:
    """For an approver whose card speaks of a file that is not known to have arrived."""
    return styled(
        "⚠️ The file with all of this request may not have arrived. Please look at the terminal before you allow it."
    )


def old_answer() -> Styled:
    """For an answer that waited at Telegram while nobody polled."""
    return styled("That answer came while I was offline, so it does not count. Please answer again.")


def old_press(label: str) -> Styled:
    """For a press of one of Claude's buttons that waited at Telegram while nobody polled."""
    return styled(
        "A press of “",
        visible_line(label, _LONGEST_NAME) or "a button",
        "” came while I was offline, so it does not count. Please press again.",
    )


def already_decided(prompt: Prompt) -> Styled:
    """For an answer that came after somebody else's, or after a closing."""
    return styled("Too late, this one is settled. ", decision(prompt))


def decision(prompt: Prompt, *, restarted: bool = False) -> str:
    """What became of a prompt, in one line; empty while it is open.

    `restarted`: the process that serves the session began after the prompt was asked, so a verdict may
    not have reached what asked.
    """
    if prompt.verdict:
        doubt = " It was asked before a restart, so this may not have reached Claude." if restarted else ""
        said = _verdict(prompt.verdict, suggestion(prompt, prompt.verdict.always))
        return f"{said.rstrip('.')}.{doubt}" if doubt else said
    return _CLOSINGS[prompt.closing] if prompt.closing else ""


_HOW = {How.BUTTON: "button", How.TEXT: "typed", How.COMMAND: "/stop"}


def _verdict(verdict: Verdict, accepted: Suggestion | None) -> str:
    by = f"by {visible_line(verdict.by_name, _LONGEST_NAME)} ({_HOW[verdict.how]})"
    if verdict.behavior is Behavior.DENY:
        reason = visible_line(verdict.reason, _LONGEST_REASON)
        return f"✗ Denied {by}: {reason}" if reason else f"✗ Denied {by}."
    return f"✓ Allowed {by}{_accepted(accepted) if verdict.always is not None else ''}."


def _accepted(accepted: Suggestion | None) -> str:
    """The further choice that came with the answer, as the rest of a sentence."""
    if accepted is None:
        return ", and one of the further choices"
    words = visible_line(accepted.words, MOST_WORDS_UNITS)
    return f", and always: {words.removeprefix('Always ')}" if words.startswith("Always ") else f", and: {words}"


_CLOSINGS = {
    Closing.SESSION_ENDED: "The session ended before anyone answered.",
    Closing.EXPIRED: "Nobody answered in time.",
    Closing.ELSEWHERE: "Answered in the terminal.",
}
