"""A permission card shows what will happen, whole or visibly cut, and nobody can fake a line of it."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.cards import MOST_CARD_UNITS, card, outcome
from telegram_channel.core.ids import PromptId, SenderId, SessionId
from telegram_channel.core.permission import Behavior, Closing, How, PermissionRequest, Prompt, Verdict
from telegram_channel.core.text import Style, Styled, utf16_len
from tests.values import NOON

TELEGRAM_TEXT_UNITS = 4096


def request(tool: str = "Bash", about: str = "", /, **fields: object) -> PermissionRequest:
    return PermissionRequest("abcde", tool, about, json.dumps(fields))


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
