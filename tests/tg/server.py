"""A Bot API server that answers what a test tells it to, over the production HTTP client without a network."""

import email.parser
import email.policy
import json
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx

from telegram_channel.tg.client import TelegramChat
from tests.clock import ManualClock

TOKEN = "4242:THE-SECRET_part"


@dataclass(frozen=True)
class Request:
    """One request as the server saw it."""

    method: str
    params: dict[str, str]
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Name and content by the name of the part."""

    def json(self, name: str) -> Any:
        """A parameter that is JSON."""
        return json.loads(self.params[name])


Answer = httpx.Response | Exception | Callable[[], Awaitable[httpx.Response]]


def ok(result: Any) -> httpx.Response:
    """A success."""
    return httpx.Response(200, json={"ok": True, "result": result})


def refused(status: int, description: str, **parameters: Any) -> httpx.Response:
    """A refusal in the words of the server."""
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return httpx.Response(status, json=body | ({"parameters": parameters} if parameters else {}))


def flood(seconds: int) -> httpx.Response:
    """A 429."""
    return refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


class Server:
    """Answers with what was put in for a method, in order, and otherwise as a healthy server would."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.paths: list[str] = []
        self._answers: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._next_id = 100

    def put(self, method: str, *answers: Answer) -> None:
        """The next answers to a method; `file` stands for downloads."""
        self._answers[method].extend(answers)

    def of(self, *methods: str) -> list[Request]:
        """The requests to these methods, or all."""
        return [request for request in self.requests if not methods or request.method in methods]

    def chat(self, clock: ManualClock | None = None, **options: Any) -> TelegramChat:
        """The production client, talking to this server."""
        transport = httpx.MockTransport(self._handle)
        return TelegramChat(TOKEN, clock or ManualClock(), api_base="http://tg.test", transport=transport, **options)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        params: dict[str, str]
        files: dict[str, tuple[str, bytes]] = {}
        self.paths.append(request.url.raw_path.decode())
        if path.startswith(f"/file/bot{TOKEN}/"):
            method, params = "file", {"path": path.removeprefix(f"/file/bot{TOKEN}/")}
        else:
            assert path.startswith(f"/bot{TOKEN}/"), path
            method = path.removeprefix(f"/bot{TOKEN}/")
            params, files = _fields(request)
        self.requests.append(Request(method, params, files))
        answers = self._answers[method]
        answer = answers.popleft() if answers else self._healthy(method, params)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else await answer()

    def _healthy(self, method: str, params: dict[str, str]) -> httpx.Response:
        match method:
            case "sendMediaGroup":
                return ok([self._message(params) for _ in json.loads(params["media"])])
            case "getMe":
                return ok({"id": 4242, "is_bot": True, "first_name": "Claude", "username": "claude_bot"})
            case "getUpdates":
                return ok([])
            case "getFile":
                return ok({"file_id": "F", "file_unique_id": "U", "file_size": 5, "file_path": "photos/1.jpg"})
            case "file":
                return httpx.Response(200, content=b"12345")
            case _ if method.startswith(("send", "edit")) and method != "sendChatAction":
                return ok(self._message(params))
            case _:
                return ok(True)

    def _message(self, params: dict[str, str]) -> dict[str, Any]:
        self._next_id += 1
        return {"message_id": self._next_id, "date": 1, "chat": {"id": int(params["chat_id"]), "type": "private"}}


def _fields(request: httpx.Request) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
    kind = request.headers.get("content-type", "")
    params = dict(request.url.params)
    if kind.startswith("application/x-www-form-urlencoded"):
        return params | dict(parse_qsl(request.content.decode(), keep_blank_values=True)), {}
    if not kind.startswith("multipart/form-data"):
        return params, {}
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    parsed = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.content)
    files: dict[str, tuple[str, bytes]] = {}
    for part in parsed.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if (file_name := part.get_filename()) is not None:
            files[name] = (file_name, content)
        else:
            params[name] = content.decode()
    return params, files
