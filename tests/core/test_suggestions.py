"""A further choice is offered only where plain words say all of it, and is handed back as it came."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.suggestions import MOST_WORDS_UNITS, read_suggestions
from telegram_channel.core.text import utf16_len


def rules(*each: object, where: object = "session", behavior: object = "allow") -> dict[str, object]:
    return {"type": "addRules", "rules": list(each), "behavior": behavior, "destination": where}


def rule(content: object = "npm test:*", tool: object = "Bash") -> dict[str, object]:
    return {"toolName": tool, "ruleContent": content}


def folders(*each: object, where: object = "session") -> dict[str, object]:
    return {"type": "addDirectories", "directories": list(each), "destination": where}


def mode(name: object, where: object = "session") -> dict[str, object]:
    return {"type": "setMode", "mode": name, "destination": where}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (rules(rule()), "Always allow `npm test:*` (Bash) in this session"),
        (rules(rule(), where="localSettings"), "Always allow `npm test:*` (Bash) in this project (only for you)"),
        (rules(rule(), where="projectSettings"), "Always allow `npm test:*` (Bash) in this project (for everybody)"),
        (rules(rule(), where="userSettings"), "Always allow `npm test:*` (Bash) everywhere"),
        (
            rules(rule("ls:*"), rule("cat:*"), rule("/x/**", "Read")),
            "Always allow `ls:*` (Bash), `cat:*` (Bash) and `/x/**` (Read) in this session",
        ),
        (rules({"toolName": "WebSearch"}), "Always allow every use of WebSearch in this session"),
        (rules(rule("*")), "Always allow every use of Bash in this session"),
        (rules(rule("  x")), "Always allow `  x` (Bash) in this session"),
        (rules(rule("a\nb\u202e")), "Always allow `a␊b⟨U+202E⟩` (Bash) in this session"),
        (folders("/x/project"), "Always allow access to /x/project in this session"),
        (folders("/a", "/b"), "Always allow access to /a and /b in this session"),
        (folders("/a b in this session"), "Always allow access to `/a b in this session` in this session"),
        (folders("/a,/b", where="userSettings"), "Always allow access to `/a,/b` everywhere"),
        (mode("acceptEdits"), "Switch to accept-edits in this session"),
        (mode("plan"), "Switch to plan mode in this session"),
        (mode("default"), "Switch to the default mode in this session"),
    ],
)
def test_a_choice_of_the_terminal_is_told_in_plain_words(item: dict[str, object], words: str) -> None:
    """MUST V22: the terminal's further choices are offered in words that say what is allowed and how far."""
    (one,) = read_suggestions(json.dumps([item]))
    assert one.words == words
    assert json.loads(one.raw) == item


@pytest.mark.parametrize(
    "item",
    [
        mode("bypassPermissions"),
        mode("dontAsk"),
        mode("auto"),
        mode(None),
        mode(["plan"]),
        mode("plan", "userSettings"),
        {**mode("plan"), "more": 1},
        rules(rule(), behavior="deny"),
        rules(rule(), behavior="ask"),
        rules(rule(), behavior=None),
        rules(rule(), where="cliArg"),
        rules(rule(), where=["session"]),
        rules(),
        rules(rule(), "x"),
        rules(rule(), {**rule("ls"), "more": 1}),
        rules(rule(tool="Bash` (Read")),
        rules(rule(tool="")),
        rules(rule(tool=None)),
        rules(rule(None)),
        rules(rule("")),
        rules(rule("  ")),
        rules(rule(["ls"])),
        rules(rule("ls` (Bash) in this session. Never `rm")),
        rules(rule("rm א; ls")),
        rules(rule("x" * 400)),
        rules(*[rule(f"command {number}") for number in range(30)]),
        {"type": "addRules", "rules": [rule()], "behavior": "allow"},
        {**rules(rule()), "more": True},
        folders(),
        folders(""),
        folders(7),
        folders("/a", None),
        folders("/a`b"),
        folders("/\u05d0"),
        folders("/" + "x" * 300),
        {**folders("/a"), "type": "removeDirectories"},
        {**rules(rule()), "type": "removeRules"},
        {**rules(rule()), "type": "replaceRules"},
        {"type": "somethingNew", "destination": "session"},
        {"type": ["setMode"]},
        {},
        "setMode",
        None,
        [mode("plan")],
    ],
)
def test_what_cannot_be_told_whole_is_not_offered(item: object) -> None:
    """MUST V23: what cannot be said completely in plain words, and the mode that asks nobody, gets no button."""
    assert read_suggestions(json.dumps([item])) == ()
    assert [one.words for one in read_suggestions(json.dumps([item, mode("plan")]))] == [
        "Switch to plan mode in this session"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        "[",
        json.dumps(mode("plan")),
        '[{"type":"setMode","mode":"plan","mode":"plan","destination":"session"}]',
        '[{"type":"setMode","mode":"plan","destination":"session"},NaN]',
        "[" * 100_000,
        "[" + " " * 100_001 + "]",
    ],
)
def test_text_that_is_no_list_of_choices_offers_nothing(text: str) -> None:
    assert read_suggestions(text) == ()


def test_at_most_four_choices_are_offered_and_none_twice() -> None:
    items = [folders(f"/{number}") for number in (1, 1, 2, 3, 4, 5)]
    assert [one.words[24] for one in read_suggestions(json.dumps(items))] == list("1234")


def test_a_broken_letter_is_shown_and_handed_back() -> None:
    (one,) = read_suggestions('[{"type":"addDirectories","directories":["/\\ud800"],"destination":"session"}]')
    assert "/⟨U+D800⟩" in one.words
    assert json.loads(one.raw)["directories"] == ["/\ud800"]
    one.raw.encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["session", "allow", "addRules", "plan"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["type", "rules"]), inner),
    max_leaves=20,
)
CLOSE = st.builds(rules, st.builds(rule, JSON, JSON), where=JSON) | st.builds(folders, JSON) | st.builds(mode, JSON)


@given(st.lists(CLOSE | JSON, max_size=8) | JSON)
def test_no_json_breaks_the_reader_and_all_it_offers_is_one_visible_line(value: object) -> None:
    items = value if isinstance(value, list) else []
    for one in read_suggestions(json.dumps(value)):
        assert json.loads(one.raw) in items
        assert one.words.isprintable()
        assert utf16_len(one.words) <= MOST_WORDS_UNITS


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    assert isinstance(read_suggestions(text), tuple)


@given(st.text(min_size=1, max_size=60))
def test_what_a_rule_allows_cannot_leave_its_quotation(content: str) -> None:
    for one in read_suggestions(json.dumps([rules(rule(content))])):
        if content != "*":
            before, quoted, after = one.words.split("`")
            assert (before, after) == ("Always allow ", " (Bash) in this session")
            assert quoted
