"""Files are read once, through the descriptor that was checked; outcomes are told as they are."""

import os
from pathlib import Path, PosixPath

import pytest

from telegram_channel.bridge.replies import Places, load_file, load_files, told, told_of_change
from telegram_channel.core.files import Forbidden, Guard
from telegram_channel.core.ids import ChatId, MessageId
from telegram_channel.core.outgoing import OutFile, PartlySent, Refused, SendOutcome, Sent, Uncertain
from telegram_channel.errors import ToolError

SECRET = b"12345:secret"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A state directory with a token in it, downloads, and a home with a key."""
    home = tmp_path / "home"
    state = home / "state"
    (state / "downloads").mkdir(parents=True)
    (state / "token").write_bytes(SECRET)
    (state / "downloads" / "photo.jpg").write_bytes(b"from the chat")
    (home / ".ssh").mkdir()
    (home / ".ssh" / "work").write_bytes(SECRET)
    return Places(state, state / "downloads", home)


def refused(path: Path, places: Places) -> str:
    with pytest.raises(ToolError) as raised:
        load_files([path], places)
    assert str(path) in str(raised.value)
    return str(raised.value)


def test_an_ordinary_file_is_read_whole(places: Places, tmp_path: Path) -> None:
    path = tmp_path / "plot.txt"
    path.write_bytes(b"hello")
    assert load_files([path], places) == (OutFile("plot.txt", path, b"hello"),)


def test_a_link_to_an_ordinary_file_is_followed(places: Places, tmp_path: Path) -> None:
    (tmp_path / "plot.txt").write_bytes(b"hello")
    link = tmp_path / "latest"
    link.symlink_to("plot.txt")
    assert load_files([link], places)[0].content == b"hello"


def test_what_came_from_the_chat_may_go_back(places: Places) -> None:
    assert load_files([places.downloads / "photo.jpg"], places)[0].content == b"from the chat"


def test_our_own_state_is_refused_by_every_road(places: Places, tmp_path: Path) -> None:
    """MUST R11: symlinks, hard links and detours to our own state are refused."""
    token = places.state_dir / "token"
    symlink, folder, hard, relative = (tmp_path / name for name in ("a.txt", "folder", "b.txt", "c.txt"))
    symlink.symlink_to(token)
    folder.symlink_to(places.state_dir)
    hard.hardlink_to(token)
    relative.symlink_to(os.path.relpath(token, tmp_path))
    inside = places.downloads / "d.txt"
    inside.symlink_to(token)
    for road in (
        token,
        symlink,
        folder / "token",
        hard,
        relative,
        inside,
        places.downloads / ".." / "token",
    ):
        refused(road, places)


def test_a_key_is_refused_under_another_name(places: Places, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.hardlink_to(places.home / ".ssh" / "work")
    assert "another name" in refused(other, places)
    (tmp_path / "linked").symlink_to(places.home / ".ssh")
    refused(tmp_path / "linked" / "work", places)


def test_many_downloads_do_not_hide_the_state_from_the_guard(places: Places, tmp_path: Path) -> None:
    for number in range(2100):
        (places.downloads / f"{number}.txt").write_bytes(b"x")
    hard = tmp_path / "b.txt"
    hard.hardlink_to(places.state_dir / "token")
    assert "another name" in refused(hard, places)


def test_a_full_cache_does_not_hide_the_key_beside_it_from_the_guard(places: Places, tmp_path: Path) -> None:
    kube = places.home / ".kube"
    for below in ("a", "z"):
        (kube / below).mkdir(parents=True)
        for number in range(2100):
            (kube / below / str(number)).write_bytes(b"x")
    (kube / "config").write_bytes(SECRET)
    hard = tmp_path / "b.txt"
    hard.hardlink_to(kube / "config")
    assert "another name" in refused(hard, places)


def test_a_circle_of_links_in_a_key_folder_ends(places: Places, tmp_path: Path) -> None:
    (places.home / ".ssh" / "again").symlink_to(places.home / ".ssh")
    path = tmp_path / "plot.txt"
    path.write_bytes(b"hello")
    assert load_files([path], places)


def test_what_is_no_file_is_refused(places: Places, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "not a regular file" in refused(pipe, places)
    assert "not a regular file" in refused(tmp_path, places)
    assert "not a regular file" in refused(Path("/dev/null"), places)
    assert "no such file" in refused(tmp_path / "missing", places)
    assert "cannot be opened" in refused(tmp_path / "a\0b", places)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert "cannot be opened" in refused(loop, places)


class SwappedPath(PosixPath):
    """A file that somebody exchanges, or empties, right after it was opened."""

    swap_for: Path | None = None

    def resolve(self, strict: bool = False) -> "SwappedPath":
        if self.swap_for:
            self.unlink()
            Path(self).hardlink_to(self.swap_for)
        else:
            os.truncate(self, 0)
        return SwappedPath(super().resolve(strict))


def test_a_file_that_is_exchanged_while_it_is_looked_at_is_refused(places: Places, tmp_path: Path) -> None:
    """MUST R12: what was checked is what is sent, whatever happens to the path meanwhile."""
    (tmp_path / "plot.txt").write_bytes(b"hello")
    (tmp_path / "other.txt").write_bytes(b"other")
    path = SwappedPath(tmp_path / "plot.txt")
    path.swap_for = tmp_path / "other.txt"
    verdict = load_file(path, Guard(places.state_dir, places.downloads))
    assert verdict == Forbidden("It changed while it was being opened: try again.")


def test_a_file_that_shrinks_while_it_is_read_is_refused(places: Places, tmp_path: Path) -> None:
    (tmp_path / "plot.txt").write_bytes(b"hello")
    verdict = load_file(SwappedPath(tmp_path / "plot.txt"), Guard(places.state_dir, places.downloads))
    assert isinstance(verdict, Forbidden)
    assert "changed its size" in verdict.reason


def test_empty_and_oversized_files_are_refused(places: Places, tmp_path: Path) -> None:
    empty, large = tmp_path / "empty", tmp_path / "large"
    empty.touch()
    large.touch()
    os.truncate(large, 50_000_001)
    assert "empty" in refused(empty, places)
    assert "50,000,001" in refused(large, places)


def test_files_that_are_too_much_together_are_refused(places: Places, tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(3)]
    for path in paths:
        path.touch()
        os.truncate(path, 40_000_000)
    with pytest.raises(ToolError, match="several replies"):
        load_files(paths, places)


def test_one_refused_file_refuses_the_reply(places: Places, tmp_path: Path) -> None:
    good = tmp_path / "plot.txt"
    good.write_bytes(b"hello")
    with pytest.raises(ToolError, match="Nothing was sent"):
        load_files([good, places.state_dir / "token"], places)


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Sent((MessageId("7"),)), "sent (message_id 7)"),
        (Sent((MessageId("7"), MessageId("8"))), "sent in 2 parts (message_ids 7, 8)"),
    ],
)
def test_what_was_sent_is_told_with_its_ids(outcome: SendOutcome, text: str) -> None:
    assert told(outcome).text == text
    assert not told(outcome).is_error


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (
            PartlySent((MessageId("7"),), 3, "The network broke"),
            [
                "Only the first 1 of 3 parts arrived (message_id 7): The network broke.",
                "Do not resend what arrived; send only the rest.",
            ],
        ),
        (
            PartlySent((MessageId("7"),), 3, "x.", uncertain=True),
            ["Part 2 may have arrived, too: do not send it again."],
        ),
        (Uncertain("The connection broke"), ["It may have been sent", "Do not send it again"]),
        (Refused("Bad Request: chat not found"), ["Nothing was sent: Bad Request: chat not found."]),
        (Refused("Blocked.", closed=True), ["Nothing was sent: Blocked. The chat is closed until"]),
        (Refused("Moved.", moved_to=ChatId("-1009")), ["The group's chat_id is -1009 now"]),
    ],
)
def test_nothing_half_done_is_told_as_done(outcome: SendOutcome, says: list[str]) -> None:
    """MUST R13: nothing half-done is reported as done."""
    result = told(outcome)
    assert result.is_error
    for part in says:
        assert part in result.text


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (PartlySent((), 1, "x"), "Doing it again is safe"),
        (Uncertain("x"), "Doing it again is safe"),
        (Refused("The text is too long"), "Nothing was changed: The text is too long."),
        (Refused("x", closed=True), "The chat is closed"),
    ],
)
def test_a_change_may_be_repeated_when_nobody_knows(outcome: SendOutcome, says: str) -> None:
    result = told_of_change(outcome, "edited")
    assert result.is_error
    assert says in result.text
    assert told_of_change(Sent(()), "edited").text == "edited"
