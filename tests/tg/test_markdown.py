"""What Claude writes is shown as it was meant, and nothing a reader needs is dropped."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.core.text import Markdown, Plain, Span, Style, Styled, styled, utf16_len
from telegram_channel.tg.entities import Entity, Rendered, is_blank, most_valuable, tidy
from telegram_channel.tg.markdown import NotMarkdown, convert_markdown
from telegram_channel.tg.render import in_one_message, render


def covered(rendered: Rendered, entity: Entity) -> str:
    units = rendered.text.encode("utf-16-le")
    return units[2 * entity.offset : 2 * entity.end].decode("utf-16-le")


def shown(source: str) -> tuple[str, list[tuple[str, str]]]:
    """The text, and each entity as its type (with target or language) and the words it covers."""
    rendered = render(Markdown(source))
    looks = [
        (":".join(part for part in (e.type, e.url or e.language) if part), covered(rendered, e))
        for e in rendered.entities
    ]
    return rendered.text, looks


@pytest.mark.parametrize(
    ("source", "text", "looks"),
    [
        ("plain", "plain", []),
        ("**b** *i* ~~s~~ `c`", "b i s c", [("bold", "b"), ("italic", "i"), ("strikethrough", "s"), ("code", "c")]),
        ("👍 **b**", "👍 b", [("bold", "b")]),
        ("# Head", "Head", [("bold", "Head"), ("underline", "Head")]),
        ("[ok](https://x.org)", "ok", [("text_link:https://x.org", "ok")]),
        ("```python\nx = 1\n```", "x = 1", [("pre:python", "x = 1")]),
        ("```python title=a.py\nx\n```", "x", [("pre:python", "x")]),
        ("> quoted", "quoted", [("blockquote", "quoted")]),
        ("- a\n- b\n  1. c", "• a\n• b\n  1. c", []),
        ("- [ ] to do\n- [x] done", "☐ to do\n☑ done", []),
    ],
)
def test_markdown_becomes_entities(source: str, text: str, looks: list[tuple[str, str]]) -> None:
    """MUST R20: Markdown becomes entities, never a parse error."""
    assert shown(source) == (text, looks)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("use List<String> here", "use List<String> here"),
        ("<T extends Foo>", "<T extends Foo>"),
        ("Map<K, List<V>> and <div class='x'>", "Map<K, List<V>> and <div class='x'>"),
        ("<div>\nhi <b>x</b>\n</div>\n\nend", "<div>\nhi <b>x</b>\n</div>\n\nend"),
        ("<!-- note -->", "<!-- note -->"),
        ("<tg-spoiler>x</tg-spoiler>", "<tg-spoiler>x</tg-spoiler>"),
        ("a || b || c", "a || b || c"),
        ("x ||| y", "x ||| y"),
        ("cd $HOME/$USER", "cd $HOME/$USER"),
        ("costs $5 or $6", "costs $5 or $6"),
        ("about ~3 to ~4", "about ~3 to ~4"),
        ("[warn]: deprecated", "[warn]: deprecated"),
        ("- [error]: broken", "• [error]: broken"),
        ("[INFO]:\nstarted", "[INFO]:\nstarted"),
        ("regex `\\(a\\)` and \\(b\\)", "regex \\(a\\) and (b)"),
        ("a &lt; b &amp; c", "a < b & c"),
    ],
)
def test_what_only_looks_like_markup_stays(source: str, text: str) -> None:
    """MUST M3: no text is lost on the way into Telegram's formatting."""
    assert shown(source) == (text, [("code", "\\(a\\)")] if source.startswith("regex") else [])


@pytest.mark.parametrize("code", ["List<String>", "a || b", "$HOME", "<div>\n</div>", "[x]: y", "\\<b\\>"])
def test_code_is_shown_letter_by_letter(code: str) -> None:
    """MUST M3: no text is lost on the way into Telegram's formatting."""
    assert shown(f"```\n{code}\n```") == (code, [("pre", code)])
    if "\n" not in code:
        assert shown(f"see `{code}`.") == (f"see {code}.", [("code", code)])


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("[app](src/app.py#L3)", "app (src/app.py#L3)"),
        ("[here](http://localhost:3000/x)", "here (http://localhost:3000/x)"),
        ("[mail](mailto:me@x.org)", "mail (me@x.org)"),
        ("<me@x.org>", "me@x.org"),
        ("**[a](b)** and 👍 [c](d)", "a (b) and 👍 c (d)"),
        ("| a |\n|---|\n| [x](https://y.org/z) |", "a                  \n-------------------\nx (https://y.org/z)"),
    ],
)
def test_a_link_that_opens_nothing_on_a_phone_is_spelled_out(source: str, text: str) -> None:
    """MUST M3: no text is lost on the way into Telegram's formatting."""
    assert shown(source)[0] == text


def test_a_spelled_out_link_moves_what_follows() -> None:
    text, looks = shown("**[a](b) x** `c` [d](https://e.org)")
    assert text == "a (b) x c d"
    assert looks == [("bold", "a (b) x"), ("code", "c"), ("text_link:https://e.org", "d")]


def test_a_definition_that_is_used_is_a_link_and_not_shown() -> None:
    assert shown("see [docs]\n\n[docs]: https://x.org") == ("see docs", [("text_link:https://x.org", "docs")])


def test_cells_stay_where_they_are_even_when_empty() -> None:
    assert shown("| a | b |\n|---|---|\n|| x |")[0] == "a | b\n--+--\n  | x"


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("| `a | b` | c |", "a | b | c"),
        ("`a | b` | c", "a | b | c"),
        ("| a | b | c |", "a     | b | c"),
        ("| a | b | c | d", "a     | b | c | d"),
        ("| ``a | b`` | c | d |", "a | b | c | d"),
        ("| a | b \\| c | |", "a     | b | c"),
    ],
)
def test_cells_without_a_column_are_not_dropped(row: str, cells: str) -> None:
    """MUST M3: no text is lost on the way into Telegram's formatting."""
    text, _ = shown(f"| long1 | two |\n|---|---|\n{row}")
    assert text.splitlines()[2].split() == cells.split()


def test_styles_that_cross_are_cut_into_nested_ones() -> None:
    found = tidy("0123456789", [Entity("bold", 0, 6), Entity("italic", 3, 6)])
    assert found == (Entity("bold", 0, 6), Entity("italic", 3, 3), Entity("italic", 6, 3))


@pytest.mark.parametrize(
    ("entities", "kept"),
    [
        ([Entity("code", 0, 9), Entity("bold", 2, 3)], [Entity("code", 0, 9)]),
        (
            [Entity("bold", 0, 9), Entity("pre", 2, 3)],
            [Entity("bold", 0, 2), Entity("pre", 2, 3), Entity("bold", 5, 4)],
        ),
        ([Entity("text_link", 0, 9, "u"), Entity("code", 0, 9)], [Entity("text_link", 0, 9, "u")]),
        ([Entity("blockquote", 0, 9), Entity("blockquote", 2, 3)], [Entity("blockquote", 0, 9)]),
        ([Entity("bold", 0, 9), Entity("bold", 2, 3)], [Entity("bold", 0, 9)]),
        ([Entity("bold", 5, 90)], [Entity("bold", 5, 5)]),
        ([Entity("bold", 5, 0), Entity("bold", 20, 5)], []),
    ],
)
def test_forbidden_neighbours_give_way(entities: list[Entity], kept: list[Entity]) -> None:
    assert list(tidy("0123456789", entities)) == kept


def test_beyond_the_limit_code_and_links_stay_and_emphasis_goes() -> None:
    bold = [Entity("bold", 4 * i, 1) for i in range(60)]
    code = [Entity("code", 4 * i + 2, 1) for i in range(60)]
    kept = most_valuable([*bold, *code], 100)
    assert len(kept) == 100
    assert sum(entity.type == "code" for entity in kept) == 60
    assert [entity.offset for entity in kept] == sorted(entity.offset for entity in kept)


def test_a_source_the_parser_cannot_take_is_shown_as_it_is() -> None:
    """MUST R20: Markdown becomes entities, never a parse error."""
    tangled = "".join(f"<b{i}\n" for i in range(3)) + "\n".join("<div>" for _ in range(100))
    rendered = render(Markdown(tangled))
    assert rendered.text.count("<div>") == 100


def test_half_a_character_is_replaced() -> None:
    with pytest.raises(NotMarkdown):
        convert_markdown("a \ud83d")
    assert render(Markdown("a \ud83d **b**")).text == "a \ufffd b"
    assert render(Plain("a \ud83d")).text == "a \ufffd"


def test_a_source_that_renders_to_nothing_is_shown_as_it_is() -> None:
    assert render(Markdown("[]()")).text == "[]()"
    assert render(Markdown(" \n ")).is_blank


def test_composed_text_is_never_parsed() -> None:
    body = styled("Run **this**: ", Span("rm -rf <x>", Style.PRE, "sh"), Span(" now", Style.BOLD))
    rendered = render(body)
    assert rendered.text == "Run **this**: rm -rf <x> now"
    assert rendered.entities == (Entity("pre", 14, 10, language="sh"), Entity("bold", 24, 4))


def test_plain_text_is_shown_letter_by_letter() -> None:
    assert render(Plain("*a* <b>\r\n`c`")) == Rendered("*a* <b>\n`c`")


def test_space_around_is_dropped_but_not_the_indentation_of_code() -> None:
    assert render(Plain(" \n a \n")) == Rendered("a")
    assert render(Styled((Span("\n  x\n", Style.PRE),))) == Rendered("  x", (Entity("pre", 0, 3),))


def test_what_does_not_fit_one_message_is_not_one() -> None:
    assert in_one_message(Plain("x" * 4096)) is not None
    assert in_one_message(Plain("x" * 4097)) is None
    assert in_one_message(Plain("👍" * 2049)) is None
    fitting = in_one_message(Markdown("`a` " * 150))
    assert fitting is not None
    assert len(fitting.entities) == 100


@pytest.mark.parametrize("text", ["", " \n", "\u200b\u200d", "\u2800", "\ufe0f"])
def test_blank_is_what_shows_nothing(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", ".", "👍", "\ufffd", "\u0301"])
def test_anything_that_shows_is_not_blank(text: str) -> None:
    assert not is_blank(text)


PIECES = st.sampled_from(
    [
        "word ", "two words", "\n", "\n\n", "**", "*", "_", "~~", "`", "```\n", "```py\n", "> ", "- ", "1. ", "# ",
        "||", "| a | b |\n|---|---|\n", "<b>", "</b>", "<T extends Foo>", "<div>\n", "$x$", "$HOME/$A", "[a](b)",
        "[a](https://x.org)", "![p](https://x.org/p.png)", "[w]: x\n", "👍", "👨\u200d👩\u200d👧", "\\", "&amp;",
        "é", "日本", "\ud83d", "  ", "<https://x.org>", "---\n", "$$\\alpha$$", "\t", "\r\n", "\x00", "a_b_c",
        "(", ")",
    ]
)  # fmt: skip
DOCUMENTS = st.lists(PIECES, max_size=40).map("".join)


def properly_nested(entities: tuple[Entity, ...]) -> bool:
    stack: list[Entity] = []
    for entity in entities:
        while stack and stack[-1].end <= entity.offset:
            stack.pop()
        if stack and (entity.end > stack[-1].end or stack[-1].type in ("pre", "code")):
            return False
        stack.append(entity)
    return True


@settings(deadline=None)  # the machine may be busy
@given(source=DOCUMENTS)
def test_any_document_gives_sendable_text_and_keeps_its_words(source: str) -> None:
    """MUST R20: Markdown becomes entities, never a parse error."""
    rendered = render(Markdown(source))
    rendered.text.encode("utf-8")
    total = utf16_len(rendered.text)
    assert all(e.offset >= 0 and e.length > 0 and e.end <= total for e in rendered.entities)
    assert properly_nested(rendered.entities)
    for word in ("word", "two", "words", "HOME", "extends", "日本"):
        assert rendered.text.count(word) >= source.count(word), rendered.text
    assert not re.search(r"[\ud800-\udfff]", rendered.text)


@settings(deadline=None)  # the machine may be busy
@given(
    entities=st.lists(
        st.builds(
            Entity,
            st.sampled_from(["bold", "italic", "code", "pre", "text_link", "blockquote"]),
            st.integers(-3, 25),
            st.integers(-2, 25),
        ),
        max_size=12,
    )
)
def test_any_entities_become_nested_ones_in_range(entities: list[Entity]) -> None:
    found = tidy("x" * 20, entities)
    assert properly_nested(found)
    assert all(e.offset >= 0 and e.length > 0 and e.end <= 20 for e in found)
    for kind in ("pre", "blockquote"):
        wanted = {at for e in entities if e.type == kind for at in range(max(e.offset, 0), min(e.end, 20))}
        assert {at for e in found if e.type == kind for at in range(e.offset, e.end)} == wanted
