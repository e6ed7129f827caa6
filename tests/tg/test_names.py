"""Names from the chat are safe as file names and harmless on a line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.tg.names import (
    LONGEST_NAME_BYTES,
    LONGEST_NAME_CHARACTERS,
    one_line,
    safe_identifier,
    safe_name,
)


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("Bericht für März.pdf", "Bericht für März.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("C:\\x\\y.txt", "y.txt"),
        (".ssh", "ssh"),
        ("...hidden", "hidden"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\x00b\nc.txt", "abc.txt"),
        ('a<b>:"|?*.txt', "a_b______.txt"),
        ("CON", "_CON"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("com1.txt", "_com1.txt"),
        ("name. . ", "name"),
        ("a.txt/", None),
        ("..", None),
        ("", None),
        ("\u200b\u200d", None),
        ("e\u0301.txt", "é.txt"),
    ],
)
def test_a_file_name_loses_what_could_lead_elsewhere(given_name: str, safe: str | None) -> None:
    """MUST I2: a file name from the chat never leads out of the directory it is put in."""
    assert safe_name(given_name) == safe


def test_a_long_name_keeps_its_extension() -> None:
    assert safe_name("x" * 300 + ".pdf") == "x" * 116 + ".pdf"
    emoji = safe_name("👍" * 300 + ".pdf")
    assert emoji is not None
    assert emoji.endswith("👍.pdf")
    assert len(emoji.encode()) <= LONGEST_NAME_BYTES


@settings(deadline=None)  # the machine may be busy
@given(name=st.text() | st.text(alphabet="./\\ \u202e.conCON:\x00\ud800😀"))
def test_any_name_is_safe_or_none(name: str) -> None:
    """MUST I2: a file name from the chat never leads out of the directory it is put in."""
    safe = safe_name(name)
    if safe is not None:
        assert not set(safe) & set('/\\<>:"|?*\x00\n\u202e')
        assert not safe.startswith((".", " "))
        assert not safe.endswith((".", " "))
        assert 0 < len(safe) <= LONGEST_NAME_CHARACTERS
        assert len(safe.encode()) <= LONGEST_NAME_BYTES
        assert safe_name(safe) == safe


@settings(deadline=None)  # the machine may be busy
@given(text=st.text())
def test_any_text_fits_on_one_harmless_line(text: str) -> None:
    line = one_line(text)
    assert line == line.strip()
    assert len(line) <= 128
    assert not set(line) & set("\n\r\t\x1b\u202e\u2066\u2028")


def test_identifiers_can_be_part_of_a_path() -> None:
    assert safe_identifier("AgAD-x_9/../..") == "AgAD-x_9______"
    assert len(safe_identifier("x" * 900)) == 64
