"""A permission card shows what will happen, whole or visibly cut, and nobody can fake a line of it."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.cards import (
    MOST_CARD_UNITS,
    card,
    card_buttons,
    named_on,
    not_known_as_card,
    outcome,
    path_of,
)
from telegram_channel.core.ids import PromptId, SenderId, SessionId
from telegram_channel.core.permission import (
    Behavior,
    Closing,
    Details,
    How,
    PermissionRequest,
    Prompt,
    Suggestion,
    Verdict,
)
from telegram_channel.core.text import Style, Styled, utf16_len
from tests.values import NOON

TELEGRAM_TEXT_UNITS = 4096


def request(tool: str = "Bash", about: str = "", /, **fields: object) -> PermissionRequest:
    return PermissionRequest("abcde", tool, about, json.dumps(fields))


def known(*choices: str, agent: str = "", **fields: object) -> Details:
    return Details(json.dumps(fields), tuple(Suggestion(words, "{}") for words in choices), agent)


def blocks(body: Styled) -> list[str]:
    """What stands in code blocks."""
    return [span.text for span in body if span.style is Style.PRE]


def own_words(body: Styled) -> str:
    """Everything on the card that is not a quotation of somebody else."""
    return "".join(span.text for span in body if span.style not in (Style.PRE, Style.CODE, Style.QUOTE))


def attached(shown: object) -> str:
    content = getattr(getattr(shown, "attachment", None), "content", None)
    assert isinstance(content, bytes)
    return content.decode()


def test_the_real_command_is_on_the_card_at_once() -> None:
    """MUST V3: a card shows the real command, path or change at once."""
    shown = card(request("Bash", "Run the tests", command="make test && rm -rf build"), "shop")
    assert blocks(shown.body) == ["make test && rm -rf build"]
    assert shown.body.plain() == (
        "🔐 Claude wants to use Bash in shop\n"
        "Run the tests\n"
        "make test && rm -rf build\n\n"
        "Answer with a button, or write yes abcde or no abcde."
    )
    assert shown.attachment is None


def test_an_edit_is_shown_as_a_change() -> None:
    old = "a\nb\nc\nd\ne\nold\nf"
    new = "a\nb\nc\nd\ne\nnew\nnewer\nf"
    shown = card(request("Edit", file_path="/src/x.py", old_string=old, new_string=new, replace_all=True))
    change, rest = blocks(shown.body)
    assert change == "@@ 2 unchanged lines @@\n c\n d\n e\n-old\n+new\n+newer\n f"
    assert "File: /src/x.py" in shown.body.plain()
    assert json.loads(rest) == {"replace_all": True}


def test_several_edits_are_shown_one_after_the_other() -> None:
    edits = [{"old_string": "a", "new_string": "b"}, {"old_string": "c", "new_string": "", "replace_all": True}]
    shown = card(request("MultiEdit", file_path="/x", edits=edits))
    assert blocks(shown.body) == ["@@ 1 of 2 @@\n-a\n+b\n@@ 2 of 2, every occurrence @@\n-c\n+"]


def test_a_new_file_is_shown_with_its_path_and_content() -> None:
    shown = card(request("Write", file_path="/etc/hosts", content="127.0.0.1 bank"))
    assert "File: /etc/hosts" in shown.body.plain()
    assert blocks(shown.body) == ["127.0.0.1 bank"]


def test_an_address_is_shown() -> None:
    shown = card(request("WebFetch", url="https://evil.example/", prompt="look"))
    assert "Address: https://evil.example/" in shown.body.plain()
    assert json.loads(blocks(shown.body)[0]) == {"prompt": "look"}


def test_a_field_nobody_foresaw_is_shown_too() -> None:
    """MUST V4: no field of a tool's input is left off its card."""
    shown = card(request("Bash", "Look", command="ls", description="Look", dangerouslyDisableSandbox=True))
    assert json.loads(blocks(shown.body)[1]) == {"dangerouslyDisableSandbox": True}


def test_a_description_inside_the_input_that_says_something_else_is_shown_too() -> None:
    shown = card(request("Bash", "Run shell command", command="ls", description="Harmless"))
    assert json.loads(blocks(shown.body)[1]) == {"description": "Harmless"}


def test_an_unknown_tool_shows_its_input_as_json() -> None:
    shown = card(request("mcp__bank__pay", to="Eve", note="x\nto: Ann"))
    assert json.loads(blocks(shown.body)[0]) == {"to": "Eve", "note": "x\nto: Ann"}
    assert "\nto: Ann" not in shown.body.plain()


@pytest.mark.parametrize(
    "preview",
    ['{"command": "ls', "ls -l", "[1, 2]", '"text"', '{"command": "ls", "command": "rm"}', "{}", "[" * 5000],
)
def test_a_preview_that_is_no_object_is_shown_letter_by_letter(preview: str) -> None:
    shown = card(PermissionRequest("abcde", "Bash", "", preview))
    text = attached(shown) if shown.attachment else "".join(blocks(shown.body))
    assert preview in text


@pytest.mark.parametrize(
    ("tool", "fields"),
    [
        ("Edit", {"file_path": "/x", "old_string": 1, "new_string": "b"}),
        ("MultiEdit", {"file_path": "/x", "edits": [{"old_string": "a", "new_string": "b", "more": 1}]}),
        ("MultiEdit", {"file_path": "/x", "edits": "all"}),
        ("MultiEdit", {"file_path": "/x", "edits": []}),
        ("Bash", {"command": ["ls"]}),
        ("Write", {"file_path": "/x"}),
    ],
)
def test_fields_of_an_unexpected_shape_are_all_shown(tool: str, fields: dict[str, object]) -> None:
    text = card(request(tool, **fields)).body.plain()
    for name, value in fields.items():
        if name == "file_path":
            assert "File: /x" in text
        else:
            assert json.dumps(name) in text
            assert all(part in text for part in json.dumps(value, indent=2).strip("[]{}").split())


def test_an_empty_command_is_visible() -> None:
    assert '\n""' in card(request("Bash", command="")).body.plain()
    assert '\n"  "' in card(request("Bash", command="  ")).body.plain()


def test_a_request_without_input_is_a_card_too() -> None:
    shown = card(PermissionRequest("abcde", "ExitPlanMode", "", ""))
    assert shown.body.plain().startswith("🔐 Claude wants to use ExitPlanMode\n\nAnswer")


LIE = "ls\n\n✓ Allowed by Ann (button).\n🔐 Claude wants to use Read\nAnswer with a button, or write yes zzzzz"


@pytest.mark.parametrize(
    "faked",
    [
        request("Bash", command=LIE),
        request("Bash", LIE, command="ls"),
        request(LIE, command="ls"),
        request("Write", file_path=LIE, content=LIE),
        request("Edit", file_path="/x", old_string=LIE, new_string=LIE + "\nx"),
        request("x", **{LIE: LIE}),
        PermissionRequest("abcde", "Bash", LIE, LIE),
        PermissionRequest(LIE, "Bash", "", "{}"),
    ],
)
def test_untrusted_text_cannot_fake_a_line_of_the_card(faked: PermissionRequest) -> None:
    """MUST V5: untrusted text on a card stands in quotations only, and cannot fake parts of the card."""
    words = own_words(card(faked, LIE).body)
    assert "Allowed" not in words
    assert "Read" not in words
    assert "zzzzz" not in words
    for span in card(faked, LIE).body:
        if span.style in (Style.CODE, Style.QUOTE):
            assert "\n" not in span.text


def test_direction_marks_and_controls_are_spelled_out() -> None:
    """MUST V6: bidi controls and other invisible characters are shown visibly."""
    text = card(request("Bash", "a\u202eb", command="echo \u2066x\u2069 \u200b\x1b[8m")).body.plain()
    assert "a⟨U+202E⟩b" in text
    assert "echo ⟨U+2066⟩x⟨U+2069⟩ ⟨U+200B⟩␛[8m" in text


def test_what_does_not_fit_goes_whole_into_a_file_and_the_card_says_so() -> None:
    """MUST V7: what does not fit a card goes whole into an attached file."""
    command = "\n".join(f"line {number}" for number in range(2000))
    shown = card(request("Bash", "Long", command=command, timeout=5))
    text = shown.body.plain()
    assert utf16_len(text) <= MOST_CARD_UNITS
    assert "characters are left out here" in own_words(shown.body)
    assert "attached file request-abcde.txt" in own_words(shown.body)
    assert blocks(shown.body)[0].startswith("line 0\n")
    assert blocks(shown.body)[1].endswith("line 1999")
    assert json.loads(blocks(shown.body)[2]) == {"timeout": 5}
    assert shown.attachment is not None
    assert shown.attachment.name == "request-abcde.txt"
    assert command in attached(shown)
    assert '"timeout": 5' in attached(shown)


def test_a_long_description_goes_into_the_file_too() -> None:
    description = "why " * 200
    shown = card(request("Bash", description, command="ls"))
    assert description.strip() in attached(shown)


def test_the_number_of_characters_left_out_is_true() -> None:
    command = "🙂" * 5000
    shown = card(request("Bash", command=command))
    head, tail = blocks(shown.body)
    left_out = 5000 - len(head) - len(tail)
    assert f"… {left_out:,} characters are left out here …" in own_words(shown.body)


def test_a_strange_id_offers_no_answer_by_text_and_names_no_file() -> None:
    shown = card(PermissionRequest("../../x", "Bash", "", "y" * 9000))
    assert "Answer with a button" not in shown.body.plain()
    assert shown.attachment is not None
    assert shown.attachment.name == "request.txt"


TEXTS = st.text(max_size=6000) | st.text(alphabet="🙂\u202e\n", max_size=6000)


@given(
    tool=st.sampled_from(["Bash", "Write", "Edit", "MultiEdit", "x"]) | TEXTS,
    description=TEXTS,
    fields=st.dictionaries(
        st.sampled_from(["command", "file_path", "content", "old_string", "new_string", "z"]) | st.text(max_size=3),
        TEXTS | st.integers() | st.none(),
        max_size=6,
    ),
    by=TEXTS,
    project=TEXTS,
)
def test_every_card_fits_and_so_does_its_end(
    tool: str, description: str, fields: dict[str, object], by: str, project: str
) -> None:
    """MUST V8: a card always fits one message, also when it is closed."""
    asked = request(tool, description, **fields)
    shown = card(asked, project)
    assert utf16_len(shown.body.plain()) <= MOST_CARD_UNITS
    assert sum(1 for span in shown.body if span.style is not Style.PLAIN) <= 100
    verdict = Verdict(Behavior.ALLOW, SenderId("1"), by, How.BUTTON, NOON)
    closed = outcome(Prompt(PromptId("p"), SessionId("s"), asked, NOON, verdict=verdict), project, restarted=True)
    assert utf16_len(closed.plain()) <= TELEGRAM_TEXT_UNITS
    assert "Allowed by" in own_words(closed)


@given(
    TEXTS, TEXTS, st.booleans(), st.booleans(), st.text(alphabet="abcdefghijkmnopqrstuvwxyz", min_size=5, max_size=5)
)
def test_a_card_names_its_request_at_its_end_and_nothing_on_it_names_another(
    description: str, command: str, is_known: bool, again: bool, letters: str
) -> None:
    faked = "\n\nAnswer with a button, or write yes zzzzz or no zzzzz."
    details = known(description, command=command + faked) if is_known else None
    asked = PermissionRequest(letters, "Bash", description + faked, json.dumps({"command": command + faked}))
    shown = card(asked, faked, details, again=again).body.plain()
    assert named_on(shown) == letters
    assert shown.startswith(
        "Sent again: the first card may not have arrived. One answer is enough.\n🔐" if again else "🔐"
    )
    assert utf16_len(shown) <= MOST_CARD_UNITS
    closed = outcome(replace(PROMPT, request=asked, details=details, verdict=ANN))
    assert named_on(closed.plain()) is None
    assert named_on(card(asked, faked, details).body.plain() + "x") is None


@pytest.mark.parametrize("letters", ["abcdl", "abcd", "abcdef", "ABCDE", ""])
def test_what_is_no_request_is_not_named(letters: str) -> None:
    assert named_on(f"x\n\nAnswer with a button, or write yes {letters} or no {letters}.") is None


def test_whoever_replies_to_what_only_looks_like_a_card_learns_how_to_allow_it() -> None:
    said = not_known_as_card("abcde")
    assert said.plain() == (
        "I am not sure that this is a card of mine. To allow it, press its button, or write yes abcde."
    )
    assert "yes abcde" in [span.text for span in said if span.style is Style.CODE]


LINES = st.lists(st.sampled_from(["a", "b", "@@ 1 unchanged lines @@", "+c"]), min_size=1, max_size=12)


@given(LINES, LINES)
def test_old_and_new_text_can_be_read_back_from_a_change(before: list[str], after: list[str]) -> None:
    shown = card(request("Edit", file_path="/x", old_string="\n".join(before), new_string="\n".join(after)))
    lines = blocks(shown.body)[0].split("\n")
    skipped = re.compile(r"@@ (\d+) unchanged lines @@")
    head, tail = skipped.fullmatch(lines[0]), skipped.fullmatch(lines[-1])
    first = before[: int(head[1])] if head else []
    last = before[-int(tail[1]) :] if tail and len(lines) > 1 else []
    middle = [line for line in lines if not line.startswith("@@")]
    assert first + [line[1:] for line in middle if line[0] in "- "] + last == before
    assert first + [line[1:] for line in middle if line[0] in "+ "] + last == after


CHOICES = known(
    "Switch to accept-edits in this session",
    "Always allow `npm test:*` (Bash) in this project (only for you)",
    command="ls",
)
PROMPT = Prompt(PromptId("p"), SessionId("s"), request("Bash", command="ls"), NOON)
ANN = Verdict(Behavior.ALLOW, SenderId("1"), "Ann", How.BUTTON, NOON)


@pytest.mark.parametrize(
    ("prompt", "restarted", "last_line"),
    [
        (replace(PROMPT, verdict=ANN), False, "✓ Allowed by Ann (button)."),
        (
            replace(PROMPT, verdict=replace(ANN, behavior=Behavior.DENY, how=How.TEXT)),
            False,
            "✗ Denied by Ann (typed).",
        ),
        (
            replace(PROMPT, verdict=replace(ANN, behavior=Behavior.DENY, how=How.TEXT, reason="use\nmake ")),
            False,
            "✗ Denied by Ann (typed): use␊make",
        ),
        (
            replace(PROMPT, verdict=replace(ANN, behavior=Behavior.DENY, how=How.TEXT, reason="not now.")),
            True,
            "✗ Denied by Ann (typed): not now. It was asked before a restart, so this may not have reached Claude.",
        ),
        (
            replace(PROMPT, verdict=replace(ANN, behavior=Behavior.DENY, how=How.COMMAND)),
            False,
            "✗ Denied by Ann (/stop).",
        ),
        (
            replace(PROMPT, verdict=replace(ANN, always=1), details=CHOICES),
            False,
            "✓ Allowed by Ann (button), and always: allow `npm test:*` (Bash) in this project (only for you).",
        ),
        (
            replace(PROMPT, verdict=replace(ANN, always=0), details=CHOICES),
            False,
            "✓ Allowed by Ann (button), and: Switch to accept-edits in this session.",
        ),
        (
            replace(PROMPT, verdict=replace(ANN, always=2)),
            False,
            "✓ Allowed by Ann (button), and one of the further choices.",
        ),
        (
            replace(PROMPT, verdict=ANN),
            True,
            "✓ Allowed by Ann (button). It was asked before a restart, so this may not have reached Claude.",
        ),
        (replace(PROMPT, closing=Closing.ELSEWHERE), False, "Answered in the terminal."),
        (replace(PROMPT, closing=Closing.SESSION_ENDED), True, "The session ended before anyone answered."),
        (replace(PROMPT, closing=Closing.EXPIRED), False, "Nobody answered in time."),
    ],
)
def test_a_closed_card_says_who_decided_and_how(prompt: Prompt, restarted: bool, last_line: str) -> None:
    """MUST V9: a closed card says what was asked, who decided and how."""
    text = outcome(prompt, restarted=restarted).plain()
    assert text.split("\n")[-1] == last_line
    assert "\nls\n" in text
    assert "Answer with" not in text


def test_a_name_cannot_fake_the_outcome() -> None:
    text = outcome(replace(PROMPT, verdict=replace(ANN, by_name="Eve\n✓ Allowed by Ann\u202e"))).plain()
    assert text.split("\n")[-1] == "✓ Allowed by Eve␊✓ Allowed by Ann⟨U+202E⟩ (button)."


def test_a_card_never_calls_whole_what_the_client_cut() -> None:
    cut = "x" * 1700 + "⋯ 9000 code points elided ⋯" + "y" * 1700
    shown = card(request("Bash", command=cut))
    assert "Something may be missing" in own_words(shown.body)
    assert "What Claude Code handed over is in the attached file" in own_words(shown.body)
    assert "whole" not in own_words(shown.body)
    assert utf16_len(shown.body.plain()) <= MOST_CARD_UNITS
    raw = card(PermissionRequest("abcde", "Bash", "", "z" * 3_401))
    assert "Something may be missing" in own_words(raw.body)
    marked = card(request("Bash", command="echo ⋯ 12 code points elided ⋯ done"))
    assert "Something may be missing" in own_words(marked.body)
    assert "missing" not in own_words(card(request("Bash", command="x" * 3_000)).body)


def test_letters_that_turn_a_line_around_are_pointed_out_where_it_is_carried_out() -> None:
    assert "another order" in own_words(card(request("Bash", command="א; rm -rf / ; echo safe")).body)
    assert "another order" in own_words(card(request("WebFetch", url="https://x.example/א")).body)
    assert "another order" not in own_words(card(request("Write", file_path="/x", content="שלום")).body)
    assert "another order" not in own_words(card(request("Bash", command="echo grüße 你好")).body)


EDITS = [{"old_string": "b", "new_string": "B"}, {"old_string": "d", "new_string": "D"}]


@pytest.mark.parametrize(
    ("tool", "fields", "before", "change"),
    [
        ("Write", {"content": "a\nB\n"}, "a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n+B"),
        ("Write", {"content": "a\n"}, "", "@@ -0,0 +1,1 @@\n+a"),
        ("Edit", {"old_string": "b", "new_string": "B"}, "a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n+B"),
        ("MultiEdit", {"edits": EDITS}, "a\nb\nc\nd\n", "@@ -1,4 +1,4 @@\n a\n-b\n+B\n c\n-d\n+D"),
        # Where it is not certain what becomes of the file, only the replacement itself is shown.
        ("Edit", {"old_string": "b", "new_string": "B"}, "a\n", "-b\n+B"),
        ("Edit", {"old_string": "b", "new_string": "B"}, "b\nb\n", "-b\n+B"),
        ("Edit", {"old_string": "", "new_string": "B"}, "", "-\n+B"),
        ("Edit", {"old_string": "b", "new_string": ""}, "b\n", "-b\n+"),
        ("Edit", {"old_string": "b", "new_string": "B"}, None, "-b\n+B"),
        ("MultiEdit", {"edits": EDITS}, "a\nb\n", "@@ 1 of 2 @@\n-b\n+B\n@@ 2 of 2 @@\n-d\n+D"),
    ],
)
def test_a_change_to_a_known_file_is_shown_with_its_line_numbers(
    tool: str, fields: dict[str, Any], before: str | None, change: str
) -> None:
    """MUST V25: with the whole input at hand, a change to a file is shown as a diff against what the file holds."""
    details = known(file_path="/x", **fields)
    shown = card(request(tool, file_path="/x"), "", details, before)
    assert blocks(shown.body) == [change]
    assert "File: /x" in shown.body.plain()
    assert path_of(request(tool), details) == "/x"


def test_every_occurrence_of_an_edit_is_shown() -> None:
    details = known(file_path="/x", old_string="b", new_string="B", replace_all=True)
    change, rest = blocks(card(request("Edit"), "", details, "b\na\nb\n").body)
    assert change == "@@ -1,3 +1,3 @@\n-b\n+B\n a\n-b\n+B"
    assert json.loads(rest) == {"replace_all": True}


def test_a_file_is_never_called_new_when_nobody_looked() -> None:
    details = known(file_path="/x", content="a")
    assert "All the file will hold:\na" in card(request("Write"), "", details).body.plain()
    assert "holds already:\na" in card(request("Write"), "", details, "a").body.plain()
    assert "new" not in own_words(card(request("Write"), "", details).body).lower()


@pytest.mark.parametrize(
    ("tool", "fields", "path"),
    [
        ("Write", {"file_path": "/x", "content": ""}, "/x"),
        ("Write", {"file_path": "/x"}, None),
        ("Write", {"file_path": 7, "content": ""}, None),
        ("Write", {"file_path": "", "content": "a"}, None),
        ("MultiEdit", {"file_path": "/x", "edits": "all"}, None),
        ("Read", {"file_path": "/x"}, None),
        ("Bash", {"command": "ls"}, None),
    ],
)
def test_only_a_card_that_shows_a_change_asks_for_the_file(
    tool: str, fields: dict[str, Any], path: str | None
) -> None:
    assert path_of(request(tool), known(**fields)) == path
    assert path_of(request(tool, **fields), None) == path


def test_a_preview_without_its_middle_is_never_held_against_the_file() -> None:
    cut = "a\n⋯ 9000 code points elided ⋯\nz"
    asked = request("Write", file_path="/x", content=cut)
    assert path_of(asked, None) is None
    assert blocks(card(asked, "", None, "a\nb\nz").body) == [cut]
    assert path_of(asked, known(file_path="/x", content="whole")) == "/x"


def test_the_real_input_takes_the_place_of_the_preview() -> None:
    """MUST V26: with the whole input at hand, nothing on a card is the client's shortened preview."""
    long = "echo " + "x" * 3000 + "; rm -rf build"
    asked = request("Bash", "Clean", command=long[:1500] + "⋯ 19 code points elided ⋯" + long[1519:])
    assert "may be missing" in own_words(card(asked).body)
    shown = card(asked, "", known(command=long, description="Clean"))
    assert blocks(shown.body) == [long]
    assert "may be missing" not in own_words(shown.body)


def test_a_preview_cut_deep_inside_is_not_called_whole() -> None:
    edits = [{"old_string": "a⋯ 9000 code points elided ⋯b", "new_string": "c"}]
    assert "may be missing" in own_words(card(request("MultiEdit", file_path="/x", edits=edits)).body)


@pytest.mark.parametrize("whole", ["", "{}", "cut sh", "[1]"])
def test_details_that_hold_no_input_leave_the_preview(whole: str) -> None:
    assert blocks(card(request("Bash", command="ls"), "", Details(whole)).body) == ["ls"]


@pytest.mark.parametrize("depth", [300, 5_000])
def test_no_nesting_is_too_deep_to_be_shown(depth: int) -> None:
    deep = '{"x": ' + "[" * depth + "]" * depth + "}"
    shown = card(PermissionRequest("abcde", "x", "", deep), "shop")
    assert "[" * depth in "".join(attached(shown).split())
    assert "Project: shop" in attached(shown)


def test_an_enriched_card_says_who_asks_what_may_be_chosen_and_how_to_give_a_reason() -> None:
    always = "Always allow access to /x/project in this session"
    details = known("Switch to accept-edits in this session", always, agent="explorer", command="ls")
    shown = card(request("Bash", "Look"), "shop", details)
    assert shown.body.plain() == (
        "🔐 Claude wants to use Bash in shop\n"
        "Asked by the subagent explorer\n"
        "Look\n"
        "ls\n\n"
        "The choices below allow this and also change what is asked from now on:\n"
        f"2. {always}\n\n"
        "Answer with a button, or write yes abcde or no abcde. Reply to this message to deny with a reason."
    )
    assert always not in own_words(shown.body)


def test_a_change_that_does_not_fit_goes_into_the_file_with_the_whole_input() -> None:
    content = "".join(f"new {number}\n" for number in range(2000))
    details = known("Always allow " + "x" * 200, file_path="/x", content=content)
    shown = card(request("Write"), "", details, "same\n" * 2000)
    assert utf16_len(shown.body.plain()) <= MOST_CARD_UNITS
    assert "The whole request is in the attached file" in own_words(shown.body)
    assert "+new 1999" in attached(shown)
    assert json.dumps(content) in attached(shown)


def test_a_card_offers_yes_no_each_further_choice_and_a_copy_of_the_command() -> None:
    """MUST V27: a card offers each of the terminal's further choices, and the whole words of each can be read."""
    rows = card_buttons(replace(PROMPT, details=CHOICES))
    assert [[one.label for one in row] for row in rows] == [
        ["✓ Allow", "✗ Deny"],
        ["✓ Switch to accept-edits in this session"],
        ["✓ Always: choice 2"],
        ["Copy the command"],
    ]
    assert [one.data for row in rows for one in row] == ["perm:a:p", "perm:d:p", "perm:s0:p", "perm:s1:p", ""]
    assert rows[-1][0].copy == "ls"
    text = card(PROMPT.request, "", CHOICES).body.plain()
    assert "\n2. Always allow `npm test:*` (Bash) in this project (only for you)\n" in text
    assert "accept-edits" not in text


def test_a_choice_that_cannot_be_told_whole_has_no_button() -> None:
    details = known("x" * 301, " ", "Always allow all of " + "y" * 280, command="ls")
    rows = card_buttons(replace(PROMPT, details=details))
    assert [row[0].data for row in rows[1:-1]] == ["perm:s2:p"]
    assert "x" * 20 not in card(PROMPT.request, "", details).body.plain()


@pytest.mark.parametrize(
    ("tool", "command", "copied"),
    [
        ("Bash", "ls", True),
        ("PowerShell", "dir", True),
        ("Bash", "for x in *\ndo\n\techo $x\ndone", True),
        ("Bash", "x" * 256, True),
        ("Bash", "x" * 257, False),
        ("Bash", "🙂" * 129, False),
        ("Bash", "", False),
        ("Bash", " ", False),
        ("Bash", 5, False),
        ("Bash", "echo \u202e", False),  # nobody should paste what was not to be seen
        ("Bash", "a⋯ 9 code points elided ⋯b", False),
        ("Read", "ls", False),
    ],
)
def test_a_short_command_can_be_copied(tool: str, command: object, copied: bool) -> None:
    """MUST V28: the copy button gives exactly the whole command, or is not there."""
    rows = card_buttons(replace(PROMPT, request=request(tool, command=command)))
    assert [one.copy for row in rows[1:] for one in row] == ([command] if copied else [])


@given(
    choices=st.lists(st.text(min_size=1, max_size=150) | st.text(alphabet="🙂x", max_size=300), max_size=6),
    fields=st.dictionaries(st.sampled_from(["file_path", "content", "old_string", "new_string"]), TEXTS),
    tool=st.sampled_from(["Write", "Edit", "Bash"]),
    before=st.none() | TEXTS,
    agent=TEXTS,
    reason=TEXTS,
)
def test_every_enriched_card_fits_and_says_every_choice_it_has_a_button_for(
    choices: list[str], fields: dict[str, object], tool: str, before: str | None, agent: str, reason: str
) -> None:
    """MUST V29: a card with everything on it still fits one message, also when it is closed."""
    prompt = replace(PROMPT, request=request(tool, "why"), details=known(*choices, agent=agent, **fields))
    shown = card(prompt.request, "shop", prompt.details, before)
    assert utf16_len(shown.body.plain()) <= MOST_CARD_UNITS
    buttons = [one for row in card_buttons(prompt)[1:] for one in row if one.data]
    for one in buttons:
        assert one.label.isprintable()
        assert utf16_len(one.label) <= 40
        if one.label[-1] in "1234" and f"choice {one.label[-1]}" in one.label:
            assert f"\n{one.label[-1]}. " in shown.body.plain()
    for verdict in (replace(ANN, always=0), replace(ANN, behavior=Behavior.DENY, reason=reason)):
        closed = outcome(replace(prompt, verdict=verdict), "shop", restarted=True, before=before)
        assert utf16_len(closed.plain()) <= TELEGRAM_TEXT_UNITS
