"""Where permission prompts come from, and what of a file their cards may show."""

import json
import threading
from pathlib import Path

import pytest

from telegram_channel.bridge.before import LARGEST_BYTES, reader
from telegram_channel.bridge.replies import Places
from telegram_channel.core.access import Role
from telegram_channel.core.hooks import (
    DenyPermission,
    GrantPermission,
    HookAnswer,
    NoObjection,
)
from telegram_channel.core.permission import (
    PermissionRequest,
)
from telegram_channel.errors import StateUnwritable
from tests.bridge.office import ALLOW, ALWAYS_1, ANN, BOB, DENY, RAW, SAM, Office, given, waits
from tests.waiting import until


class TestRelayByHook:
    """The operator chose the hook as the way to relay: it alone asks, and it alone is answered."""

    async def office(self, **more: object) -> Office:
        entropy = iter(number.to_bytes(8) for number in range(1, 100))
        return await Office(relay="hook", granted=False, entropy=lambda: next(entropy), **more).open()  # type: ignore[arg-type]  # passed on

    @pytest.mark.parametrize(
        ("press", "answer"),
        [
            (ALLOW, GrantPermission()),
            (DENY, DenyPermission("Denied from Telegram.")),
            (ALWAYS_1, GrantPermission((RAW,))),
        ],
    )
    async def test_every_answer_goes_through_the_hook(self, press: str, answer: HookAnswer) -> None:
        office = await self.office()
        async with waits(office) as call:
            assert sorted(office.cards()) == [ANN, BOB]
            assert "make deploy" in office.chat.texts(ANN)[0]
            await office.press(ANN, press)
            assert await given(call) == answer
        await office.step()
        assert office.session.verdicts == []
        assert (await office.prompt("baaaa")).told_session

    async def test_it_can_be_answered_by_its_five_letters(self) -> None:
        office = await self.office()
        async with waits(office) as call:
            assert await office.write(BOB, "yes BAAAA") == "Allowed."
            assert await given(call) == GrantPermission()

    async def test_the_channels_request_is_ignored_so_that_nothing_appears_twice(self) -> None:
        """MUST V40: with the hook as relay, the channel's own request makes no second card."""
        office = await self.office()
        async with waits(office):
            await office.ask()
            assert len(office.cards()) == 2
        assert await office.store.prompts.find("abcde") is None

    async def test_an_id_that_is_taken_is_not_given_again(self) -> None:
        office = await Office(relay="hook", entropy=iter([bytes(8), bytes(8), bytes([1] * 8)]).__next__).open()
        async with waits(office), waits(office):
            prompts = await office.store.prompts.open_prompts()
            assert len({one.request.request_id for one in prompts}) == 2

    async def test_without_randomness_nothing_is_asked(self) -> None:
        office = await Office(relay="hook", entropy=lambda: bytes(8)).open()
        async with waits(office) as first, waits(office) as second:
            assert await given(second) == NoObjection()
            assert not first.done()

    async def test_at_the_deadline_the_prompt_is_closed_and_says_so(self) -> None:
        office = await self.office()
        async with waits(office) as call:
            await office.clock.advance(3501)
            assert await given(call) == NoObjection()
        assert sorted(office.endings()) == [(chat, "Nobody answered in time.") for chat in (ANN, BOB)]
        assert (await office.press(ANN, ALLOW)).startswith("!Too late")

    async def test_a_withdrawn_hook_closes_its_card(self) -> None:
        office = await self.office()
        async with waits(office) as call:
            call.cancel()
            await office.clock.advance(0.3)
        assert sorted(office.endings()) == [(chat, "Answered in the terminal.") for chat in (ANN, BOB)]

    async def test_an_answer_that_nobody_waits_for_is_not_told_as_if_it_counted(self) -> None:
        office = await self.office()
        async with waits(office):
            pass
        office.courier.cancel()
        await office.press(ANN, ALLOW)
        assert office.chat.texts(ANN)[-1].startswith("⚠️ Claude Code did not wait for this answer any more")

    async def test_without_approvers_or_a_store_the_hook_does_not_wait(self) -> None:
        office = await self.office()
        office.store.fault = StateUnwritable("The disk is full.")
        async with waits(office) as call:
            assert await given(call) == NoObjection()
        office.store.fault = None
        await office.open({SAM: Role.SENDER})
        async with waits(office) as call:
            assert await given(call) == NoObjection()
        assert office.chat.sent == []


async def test_with_the_relay_off_nothing_is_asked() -> None:
    """MUST V41: with permission_relay = off no permission prompt reaches the chat."""
    office = await Office(relay="off").open()
    await office.ask()
    async with waits(office) as call:
        assert await given(call) == NoObjection()
    assert office.chat.sent == []
    assert await office.store.prompts.open_prompts() == ()


WRITE = {"file_path": "/srv/shop/a.txt", "content": "new line\nsame\n"}


async def test_a_change_is_shown_against_what_the_file_said_when_it_was_asked() -> None:
    said = ["old line\nsame\n", "new line\nsame\n"]
    office = await Office(read_before=lambda _: said.pop(0)).open()
    await office.ask(PermissionRequest("abcde", "Write", "", json.dumps(WRITE)))
    await until(lambda: len(office.chat.sent) == 2, "the card")
    assert "-old line" in office.chat.texts(ANN)[0]
    await office.settled()
    await office.press(ANN, ALLOW)
    assert "-old line" in office.chat.edits[0].text
    assert said == ["new line\nsame\n"]


async def test_a_file_that_cannot_be_read_in_time_does_not_keep_the_card_back() -> None:
    go_on = threading.Event()

    def hang(_: str) -> str:
        go_on.wait(10)
        return "too late"

    office = await Office(read_before=hang).open()
    try:
        await office.ask(PermissionRequest("abcde", "Write", "", json.dumps(WRITE)))
        assert office.cards() == []
        await office.clock.until_sleeping()
        await office.clock.advance(1.1)
        assert sorted(office.cards()) == [ANN, BOB]
        assert "too late" not in office.chat.texts(ANN)[0]
    finally:
        go_on.set()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    state = tmp_path / "state"
    (state / "downloads").mkdir(parents=True)
    return Places(state, state / "downloads", tmp_path / "home")


def test_only_what_may_leave_this_machine_is_put_on_a_card(
    tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MUST V42: the content of state and credential files is never put on a card."""
    read = reader(places)
    (tmp_path / "a.txt").write_text("größer\n", "utf-8")
    assert read(str(tmp_path / "a.txt")) == "größer\n"
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("KEY=1")
    (places.state_dir / "token").write_text("123:secret")
    (tmp_path / "link.txt").symlink_to(places.state_dir / "token")
    (tmp_path / "latin.txt").write_bytes("größer".encode("latin-1"))
    (tmp_path / "large.txt").write_bytes(b"x" * (LARGEST_BYTES + 1))
    for refused in (
        "a.txt",
        str(tmp_path / ".env"),
        str(places.state_dir / "token"),
        str(tmp_path / "link.txt"),
        str(tmp_path / "latin.txt"),
        str(tmp_path / "large.txt"),
        str(tmp_path),
        str(tmp_path / "missing.txt"),
        "/dev/zero",
        "/work\0shop",
        "",
    ):
        assert read(refused) is None, refused
