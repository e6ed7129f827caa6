"""The control surface: other programs play the people, see what bots did, and set faults."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from telegram_channel.demo.http import Emulator
from telegram_channel.demo.phone import picture
from tests.demo.desk import BEGINNING, TOKEN, Desk
from tests.waiting import until

LIMIT_S = 10


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def emulator(desk: Desk) -> AsyncIterator[Emulator]:
    async with Emulator(desk.api, now=lambda: desk.now) as running:
        yield running


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=emulator.base_url, timeout=LIMIT_S, trust_env=False) as made:
        yield made


def method(name: str) -> str:
    return f"/bot{TOKEN}/{name}"


async def control(client: httpx.AsyncClient, name: str, **values: object) -> Any:
    answer = await client.post(f"/control/{name}", data={key: str(value) for key, value in values.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


async def test_other_programs_write_into_topics_and_see_which_one(client: httpx.AsyncClient, desk: Desk) -> None:
    forum = await control(client, "group", title="Team", forum="true", administrator="true")
    made = await client.post(method("createForumTopic"), data={"chat_id": str(forum["id"]), "name": "Bugs"})
    thread = made.json()["result"]["message_thread_id"]
    await control(client, "say", chat=forum["id"], thread=thread, text="inside")
    await control(client, "say", chat=forum["id"], text="outside")
    shown = await control(client, "inbox", chat=forum["id"])
    assert [one.get("thread") for one in shown if one["text"]] == [thread, None]
    said = [update["message"] for update in desk.updates() if "text" in update.get("message", {})]
    assert [one.get("message_thread_id") for one in said] == [thread, None]
    wrong = await client.post("/control/say", data={"chat": str(forum["id"]), "thread": "77", "text": "x"})
    assert (wrong.status_code, wrong.json()["description"]) == (400, "Bad Request: there is no topic 77")


async def test_other_programs_play_the_people(client: httpx.AsyncClient, desk: Desk) -> None:
    said = await control(client, "say", text="hello & good day")
    await control(client, "say", text="good night", edit=said["message_id"])
    await control(client, "say", **{"from": "Bob", "text": "/start ABC", "at": BEGINNING - 60})
    await control(client, "say", text="why?", reply_to=said["message_id"], quote="night")
    await control(client, "react", message_id=said["message_id"], emoji="👍 🔥")
    await control(client, "people", first_name="Cleo", username="cleo")
    await control(client, "say", **{"from": "@cleo", "text": "hi"})

    updates = desk.updates()
    assert [next(key for key in update if key != "update_id") for update in updates] == [
        "message",
        "edited_message",
        "message",
        "message",
        "message",
    ]
    assert updates[2]["message"]["date"] == BEGINNING - 60
    assert updates[3]["message"]["quote"]["text"] == "night"
    assert updates[4]["message"]["from"]["username"] == "cleo"


async def test_other_programs_see_what_bots_did(client: httpx.AsyncClient, desk: Desk) -> None:
    markup = {"inline_keyboard": [[{"text": "Allow", "callback_data": "perm:1"}]]}
    await client.post(method("sendMessage"), json={"chat_id": desk.ada.id, "text": "May I?", "reply_markup": markup})
    await client.post(method("sendMessage"), json={"chat_id": desk.ada.id, "text": ""})

    sent = (await client.get("/control/sent")).json()["result"]
    assert [(act["method"], act["refusal"]) for act in sent] == [
        ("sendMessage", ""),
        ("sendMessage", "Bad Request: message text is empty"),
    ]
    assert sent[0]["result"]["text"] == "May I?"
    inbox = (await client.get("/control/inbox")).json()["result"]
    assert inbox[-1]["buttons"] == [["Allow"]]

    press = await control(client, "press", button="Allow")
    assert press["data"] == "perm:1"
    state = (await client.get("/control/state")).json()["result"]
    assert state["bots"][0]["presses"] == [{"id": press["id"], "data": "perm:1", "answer": None}]
    assert (state["bots"][0]["pending"], state["complaints"], state["acts"]) == (1, [], 2)


async def test_waiting_for_the_next_act(client: httpx.AsyncClient, desk: Desk) -> None:
    waiting = asyncio.ensure_future(client.get("/control/sent", params={"after": 0, "wait": 30}))
    await until(lambda: bool(desk.api.world.listeners))

    await client.post(method("sendMessage"), data={"chat_id": desk.ada.id, "text": "now"})

    assert [act["params"]["text"] for act in (await waiting).json()["result"]] == ["now"]
    assert (await client.get("/control/sent", params={"after": 1, "wait": 0.01})).json()["result"] == []
    assert (await client.get("/control/sent", params={"after": 1, "wait": "soon"})).json()["result"] == []


async def test_files_and_bursts_come_from_a_form(client: httpx.AsyncClient, desk: Desk) -> None:
    answer = await client.post(
        "/control/attach", data={"kind": "photo", "caption": "look"}, files={"content": ("a.png", picture())}
    )
    assert answer.json()["result"]["caption"] == "look"
    await control(client, "attach", kind="document", size_bytes=30_000_000)
    await control(client, "say", text="burst", count=250)

    assert [len(desk.updates(limit=100)), len(desk.bot.queue.pending)] == [100, 252]
    assert desk.phone.history()[-1].text == "burst 250"


async def test_groups_blocks_and_revoked_tokens(client: httpx.AsyncClient, desk: Desk) -> None:
    group = await control(client, "group", title="Crew", supergroup=True, administrator=True)
    await control(client, "say", chat=group["id"], text="hello crew")
    assert desk.updates()[-1]["message"]["chat"]["title"] == "Crew"

    await control(client, "block")
    refused = await client.post(method("sendMessage"), data={"chat_id": desk.ada.id, "text": "x"})
    assert refused.status_code == 403
    await control(client, "unblock")

    await control(client, "revoke")
    assert (await client.get(method("getMe"))).status_code == 401
    await control(client, "revoke", restore=1)
    assert (await client.get(method("getMe"))).status_code == 200


async def test_faults_are_set_and_lifted(client: httpx.AsyncClient) -> None:
    rules = await control(client, "fault", trouble="flood", method="getMe", times=1, seconds=9)
    assert rules[0]["trouble"] == "flood"
    flooded = await client.get(method("getMe"))
    assert (flooded.status_code, flooded.json()["parameters"]) == (429, {"retry_after": 9})
    assert (await client.get(method("getMe"))).status_code == 200
    assert (await control(client, "fault"))[0]["struck"] == 1

    await control(client, "fault", trouble="bad_gateway")
    spoiled = await client.get(method("getMe"))
    assert (spoiled.status_code, spoiled.headers["content-type"]) == (502, "text/html")
    assert await control(client, "fault", clear=1) == []
    assert (await client.get(method("getMe"))).status_code == 200


async def test_malformed_updates_are_planted(client: httpx.AsyncClient, desk: Desk) -> None:
    await control(client, "inject", update='{"message":{"nonsense":1}}', jump=5)
    await control(client, "inject", update="[1]", update_id=77)

    answer = await client.get(method("getUpdates"))

    assert answer.json()["result"] == [{"update_id": 5, "message": {"nonsense": 1}}, [1]]


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("dance", {}, "Not Found: choose one of attach, block,"),
        ("say", {}, 'Bad Request: parameter "text" is required'),
        ("say", {"text": "x", "from": "Nobody"}, "Bad Request: there is nobody like that"),
        ("say", {"text": "x", "chat": "-5"}, "Bad Request: there is no such group"),
        ("say", {"text": "x", "reply_to": "99"}, "Bad Request: there is no message 99"),
        ("press", {"button": "Allow"}, "Bad Request: no button 'Allow'"),
        ("fault", {"trouble": "rain"}, "Bad Request: 'rain' is not a valid Trouble"),
        ("inject", {"update": "{"}, "Bad Request: Expecting property name"),
    ],
)
async def test_a_wrong_control_is_refused_with_a_sentence(
    client: httpx.AsyncClient, name: str, values: dict[str, str], words: str
) -> None:
    answer = await client.post(f"/control/{name}", data=values)

    assert answer.status_code in {400, 404}
    assert answer.json()["description"].startswith(words)


@pytest.mark.parametrize(
    ("verb", "name", "headers", "status"),
    [
        ("GET", "state", {}, 200),
        ("GET", "say?text=x", {}, 405),
        ("GET", "fault?clear=1", {}, 405),
        ("GET", "fault", {}, 200),
        ("POST", "block", {"host": "evil.example:80"}, 403),
        ("GET", "state", {"host": "evil.example:80"}, 403),
        ("POST", "block", {"origin": "https://evil.example"}, 403),
    ],
)
async def test_web_pages_cannot_use_the_control_surface(
    client: httpx.AsyncClient, desk: Desk, verb: str, name: str, headers: dict[str, str], status: int
) -> None:
    """MUST E1: the demo's control surface listens on the loopback interface and refuses other names and origins."""
    answer = await client.request(verb, f"/control/{name}", headers=headers)

    assert answer.status_code == status
    assert not desk.phone.chat.is_blocked
