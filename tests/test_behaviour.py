"""The numbered statements of docs/behaviour.md and the tests that hold them know each other."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
STATEMENTS = TESTS.parent / "docs" / "behaviour.md"


def stated() -> list[str]:
    """The numbers of all statements, in the document's order."""
    return re.findall(r"^\* \*\*([A-Z]\d+)\*\* \S.*\.$", STATEMENTS.read_text("utf-8"), re.MULTILINE)


def cited() -> set[str]:
    """The numbers that tests cite."""
    texts = (path.read_text("utf-8") for path in TESTS.rglob("test_*.py") if path != Path(__file__))
    return {number for text in texts for number in re.findall(r"\bMUST ([A-Z]\d+): ", text)}


def test_every_statement_is_held_by_a_test() -> None:
    assert sorted(set(stated()) - cited()) == []


def test_every_citation_names_a_statement() -> None:
    assert sorted(cited() - set(stated())) == []


def test_no_number_is_given_twice() -> None:
    numbers = stated()
    assert len(numbers) == len(set(numbers))
    assert len(numbers) > 100


def test_no_test_cites_without_a_number() -> None:
    bare = "MUST" + ":"
    assert [path.name for path in TESTS.rglob("test_*.py") if bare in path.read_text("utf-8")] == []
