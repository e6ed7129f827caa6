"""A permission card shows what will really happen: the command, path or change itself, at once and whole.

What Claude or a file wrote stands only inside code blocks and quotes, with everything invisible spelled out,
so that it can fake no line of the card. What does not fit is left out visibly and goes, whole, into a file.
What the client itself left out can be shown by nobody, so the card says that it is missing.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from telegram_channel.core.card_layout import (
    ONE_LINE,
    SHELL_LANGUAGES,
    Block,
    changed_file,
    command_of,
    lay_out,
    read_fields,
)
from telegram_channel.core.notices import decision
from telegram_channel.core.outgoing import Button, ButtonRows, OutFile
from telegram_channel.core.pairs import LEFT_OUT
from telegram_channel.core.permission import (
    MOST_SUGGESTIONS,
    Behavior,
    Details,
    PermissionRequest,
    Prompt,
    button_data,
    is_request_id,
    suggestion_data,
)
from telegram_channel.core.suggestions import MOST_WORDS_UNITS
from telegram_channel.core.text import Span, Style, Styled, styled, utf16_len, utf16_prefix
from telegram_channel.core.visible import visible, visible_line

MOST_CARD_UNITS = 3_500
"""UTF-16 units of a card. The rest up to Telegram's 4,096 is kept for the line that closes it."""
_MOST_TOOL_UNITS = 120
_MOST_DESCRIPTION_UNITS = 400
_MOST_PROJECT_UNITS = 64
_MOST_AGENT_UNITS = 64
_MOST_INLINE_UNITS = 200
"""Longer values get a block of their own."""
_MOST_LABEL_UNITS = 40
"""What a narrow phone shows of a button; a longer choice stands on the card, and its button gives the number."""
_MOST_COPIED_UNITS = 256
"""Source: Bot API, `CopyTextButton.text`."""
_GAP_UNITS = 80
"""Room for the line that says how much was left out of a block."""
_WHOLE_CODE_POINTS = 3_400
"""Of a longer field the client hands over the beginning and the end only (source: channel contract)."""
_SHORTENED = (
    "\n⚠️ Something may be missing, here and in any file: Claude Code hands over only the beginning and the end of "
    "what is long. The terminal shows all of it."
)
_AGAIN = "Sent again: the first card may not have arrived. One answer is enough.\n"
_ENDING = re.compile(
    r"\n\nAnswer with a button, or write yes ([a-km-z]{5}) or no \1\."
    r"(?: Reply to this message to deny with a reason\.)?\Z"
)
"""What `_ending` writes. Nothing that Claude or a file wrote comes after it."""
_REORDERED = "\n⚠️ It holds letters that are written from right to left, so parts of it may appear in another order."


@dataclass(frozen=True, slots=True)
class CardText:
    """What is sent to an approver; `attachment` holds everything when the card could not."""

    body: Styled
    attachment: OutFile | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request with all that is known about it, laid out."""

    request: PermissionRequest
    project: str
    agent: str
    input: str
    """The whole input, or the preview where that is all there is."""
    is_whole: bool
    """Whether the client left nothing out of `input`."""
    blocks: list[Block]
    choices: tuple[str, ...]
    """Further choices in full, numbered, where a button alone would not show all of them."""


def card(
    request: PermissionRequest,
    project: str = "",
    details: Details | None = None,
    before: str | None = None,
    *,
    again: bool = False,
) -> CardText:
    """The card of a request; `project` names the session that asks, where it has a name.

    `details` is what the client's hook said about it: then the card shows the whole input instead of the
    preview. `before` is what the file of `path_of` holds now; None where there is none or it may not be shown.
    `again`: whoever gets it may have one already.
    """
    asked = _asked(request, project, details, before)
    ending = _ending(request.request_id, may_reason=details is not None) if is_request_id(request.request_id) else ()
    choices = _listed(asked.choices)
    first = (Span(_AGAIN, Style.ITALIC),) if again else ()
    body, whole = _shown(asked, _units([*first, *choices, *ending]))
    attachment = None if whole else OutFile(_file_name(request), content=_file(asked))
    return CardText(Styled((*first, *body, *choices, *ending)), attachment)


def named_on(text: str) -> str | None:
    """The request that a text names at its end as a card does; None for any other text.

    No proof that it is a card: anybody may write such a text.
    """
    match = _ENDING.search(text)
    return match[1] if match else None


def not_known_as_card(request_id: str) -> Styled:
    """To whoever allows something by a reply to what only looks like its card."""
    word = Span(f"yes {request_id}", Style.CODE)
    return styled("I am not sure that this is a card of mine. To allow it, press its button, or write ", word, ".")


def outcome(prompt: Prompt, project: str = "", *, restarted: bool = False, before: str | None = None) -> Styled:
    """The card of a prompt that takes no answer any more: what was asked, and what became of it.

    `before` is what its file held when the card was sent, not what it holds now.
    """
    body, _ = _shown(_asked(prompt.request, project, prompt.details, before), 0)
    return Styled((*body, Span("\n\n"), Span(decision(prompt, restarted=restarted), Style.BOLD)))


def card_buttons(prompt: Prompt) -> ButtonRows:
    """The buttons of a prompt's card: yes and no, one row for each further choice, and one that copies a command.

    A press gives the data that `parse_button` reads; whether its choice exists says `offers`.
    """
    yes_no = (
        Button("✓ Allow", button_data(Behavior.ALLOW, prompt.prompt)),
        Button("✗ Deny", button_data(Behavior.DENY, prompt.prompt)),
    )
    more = [
        (Button(_label(at, words), suggestion_data(at, prompt.prompt)),) for at, words in _choices(prompt.details)
    ]
    command = _copied(prompt.request, prompt.details)
    return (yes_no, *more, *(((Button("Copy the command", copy=command),),) if command else ()))


def path_of(request: PermissionRequest, details: Details | None) -> str | None:
    """The file whose present content the card should be given as `before`; None where it would show none."""
    text, is_whole = _input(request, details)
    return changed_file(request.tool_name, text) if is_whole else None


def _asked(request: PermissionRequest, project: str, details: Details | None, before: str | None) -> _Asked:
    text, is_whole = _input(request, details)
    return _Asked(
        request,
        project,
        details.agent if details else "",
        text,
        is_whole,
        # Held against a preview that misses its middle, the file would seem to lose it.
        lay_out(request.tool_name, request.description, text, before if is_whole else None),
        tuple(f"{at + 1}. {words}" for at, words in _choices(details) if words not in _label(at, words)),
    )


def _input(request: PermissionRequest, details: Details | None) -> tuple[str, bool]:
    """The input as far as it is known, and whether that is all of it."""
    if details and read_fields(details.tool_input) is not None:
        return details.tool_input, True
    return request.input_preview, not _is_shortened(request.input_preview)


def _choices(details: Details | None) -> list[tuple[int, str]]:
    """Index and words of those further choices that can be told whole."""
    suggestions = details.suggestions[:MOST_SUGGESTIONS] if details else ()
    words = [visible(one.words, lines=False) for one in suggestions]
    return [(at, told) for at, told in enumerate(words) if told.strip() and utf16_len(told) <= MOST_WORDS_UNITS]


def _label(at: int, words: str) -> str:
    """A button's label: the whole choice, or its number where a phone would cut it."""
    label = f"✓ {words}"
    if utf16_len(label) <= _MOST_LABEL_UNITS:
        return label
    return f"✓ {'Always' if words.startswith('Always ') else 'Allow'}: choice {at + 1}"


def _copied(request: PermissionRequest, details: Details | None) -> str | None:
    """The command for the phone's clipboard: whole, short enough, and nothing in it that would not be seen."""
    text, is_whole = _input(request, details)
    command = command_of(request.tool_name, text) if is_whole else None
    if not command or not command.strip() or utf16_len(command) > _MOST_COPIED_UNITS or visible(command) != command:
        return None
    return command


def _listed(choices: Sequence[str]) -> list[Span]:
    spans = [Span("\n\nThe choices below allow this and also change what is asked from now on:")] if choices else []
    for choice in choices:
        spans += [Span("\n"), Span(choice, Style.QUOTE)]
    return spans


def _ending(request_id: str, *, may_reason: bool) -> tuple[Span, ...]:
    """How to answer. A reason reaches Claude through the hook alone, so without one none is asked for."""
    yes, no = Span(f"yes {request_id}", Style.CODE), Span(f"no {request_id}", Style.CODE)
    reason = " Reply to this message to deny with a reason." if may_reason else ""
    return styled("\n\nAnswer with a button, or write ", yes, " or ", no, f".{reason}").spans


def _shown(asked: _Asked, ending_units: int) -> tuple[tuple[Span, ...], bool]:
    """The card without its end, for which it leaves room, and whether everything is on it."""
    request = asked.request
    top = [Span("🔐 Claude wants to use "), Span(visible_line(request.tool_name, _MOST_TOOL_UNITS), Style.CODE)]
    if asked.project:
        top += [Span(" in "), Span(visible_line(asked.project, _MOST_PROJECT_UNITS), Style.CODE)]
    if asked.agent.strip():
        top += [Span("\nAsked by the subagent "), Span(visible_line(asked.agent, _MOST_AGENT_UNITS), Style.CODE)]
    if request.description.strip():
        top += [Span("\n"), Span(visible_line(request.description, _MOST_DESCRIPTION_UNITS), Style.QUOTE)]
    whole = (
        _fits(request.tool_name, _MOST_TOOL_UNITS)
        and _fits(request.description, _MOST_DESCRIPTION_UNITS)
        and _fits(asked.agent, _MOST_AGENT_UNITS)
    )
    what, warnings = "The whole request", []
    if not asked.is_whole:
        what, warnings = "What Claude Code handed over", [Span(_SHORTENED, Style.BOLD)]
    if any(_is_reordered(block) for block in asked.blocks):
        warnings.append(Span(_REORDERED, Style.BOLD))
    note = f"\n{what} is in the attached file {_file_name(request)}."
    room = MOST_CARD_UNITS - ending_units - _units([*top, *warnings]) - utf16_len(note)
    rendered = [span for block in asked.blocks for span in _rendered(block)]
    if _units(rendered) > room:
        whole = False
        rendered = _shortened(asked.blocks, room)
    return (*top, *rendered, *(() if whole else (Span(note, Style.ITALIC),)), *warnings), whole


def _is_shortened(preview: str) -> bool:
    """Whether the client may have left something out before we saw it."""
    fields = read_fields(preview)
    waiting: list[object] = [preview] if fields is None else [dict(fields)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and (len(value) > _WHOLE_CODE_POINTS or LEFT_OUT.search(value)):
            return True
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
    return False


def _is_reordered(block: Block) -> bool:
    """Whether what is carried out may look different from what it is: phones turn such letters around."""
    is_carried_out = block.label in ONE_LINE or block.language in SHELL_LANGUAGES
    return is_carried_out and any(unicodedata.bidirectional(char) in ("R", "AL") for char in block.text)


def _fits(text: str, units: int) -> bool:
    return utf16_len(visible(text.strip(), lines=False)) <= units


def _units(spans: list[Span]) -> int:
    return sum(utf16_len(span.text) for span in spans)


def _rendered(block: Block) -> list[Span]:
    label = f"\n{block.label}: " if block.label else "\n"
    if not block.text.strip():
        return [Span(label), Span(json.dumps(block.text), Style.CODE)]  # quotes show where nothing else would
    if block.label in ONE_LINE and utf16_len(block.text) <= _MOST_INLINE_UNITS:
        return [Span(label), Span(block.text, Style.CODE)]
    return [Span(label.rstrip(" ") + ("\n" if block.label else "")), Span(block.text, Style.PRE, block.language)]


def _shortened(blocks: list[Block], room: int) -> list[Span]:
    """The blocks, cut so that they fill `room` and no more; small ones stay whole."""
    labels = sum(len(block.label) + 4 for block in blocks)
    shares = _shares([utf16_len(block.text) for block in blocks], room - labels - _GAP_UNITS * len(blocks))
    spans: list[Span] = []
    for block, share in zip(blocks, shares, strict=True):
        size = utf16_len(block.text)
        if size <= share:
            spans += _rendered(block)
            continue
        head = utf16_prefix(block.text, share * 3 // 4)
        tail = utf16_prefix(block.text[::-1], share - share * 3 // 4)[::-1]
        left_out = len(block.text) - len(head) - len(tail)
        start = f"\n{block.label}:\n" if block.label else "\n"
        spans += [
            Span(start),
            Span(head, Style.PRE, block.language),
            Span(f"\n… {left_out:,} characters are left out here …\n", Style.ITALIC),
            Span(tail, Style.PRE, block.language),
        ]
    return spans


def _shares(sizes: list[int], room: int) -> list[int]:
    """How many units each block gets: what it needs if it is small, an equal part of the rest if not."""
    shares = [0] * len(sizes)
    left = max(0, room)
    for done, index in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        shares[index] = min(sizes[index], left // (len(sizes) - done))
        left -= shares[index]
    return shares


def _file_name(request: PermissionRequest) -> str:
    return f"request-{request.request_id}.txt" if is_request_id(request.request_id) else "request.txt"


def _file(asked: _Asked) -> bytes:
    """Everything that was asked, readable, with nothing left out."""
    lines = [f"Tool: {visible(asked.request.tool_name, lines=False)}"]
    if asked.project:
        lines.append(f"Project: {visible(asked.project, lines=False)}")
    if asked.agent.strip():
        lines.append(f"Subagent: {visible(asked.agent, lines=False)}")
    lines.append(f"Description: {visible(asked.request.description)}")
    for block in asked.blocks:
        lines += ["", f"{block.label or 'Input'}:", block.text]
    if any(block.abridged for block in asked.blocks):
        lines += ["", "The whole input:", *(block.text for block in lay_out("", "", asked.input))]
    return ("\n".join(lines) + "\n").encode("utf-8")
