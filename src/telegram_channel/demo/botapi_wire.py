"""A Bot API request and its answer as they look on the wire, read and written without any I/O.

Both shells (real HTTP and in-process) go through these functions, so that both accept the same: values
in the query string, a urlencoded, a JSON or a multipart body (source: Bot API, "Making requests").
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

Json = dict[str, Any]
"""One JSON object, as the Bot API sends and takes it."""

TOKEN_SHAPE: Final = re.compile(r"(\d{1,20}):[A-Za-z0-9_-]{4,}")
MULTIPART_VALUE_BYTES: Final = 1 << 20
"""A part without a file name that is larger than this is refused."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it arrived in a request."""

    name: str
    content: bytes
    mime: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a status, a body, and the moment before which it must not leave."""

    status: int
    body: bytes
    content_type: str = "application/json"
    hold_until: float | None = None
    """Seconds since the epoch; the real server holds back some answers to slow a caller down."""

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def result(self) -> Any:
        """What the method returned; a refusal has none and raises KeyError."""
        return self.json()["result"]

    @property
    def description(self) -> str:
        """The words of a refusal, empty for a success."""
        return str(self.json().get("description", ""))


class Refused(Exception):
    """The call is refused, with the platform's status and its own words."""

    def __init__(self, status: int, description: str, parameters: Mapping[str, int] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = dict(parameters or {})


def bad_request(words: str) -> Refused:
    """A 400 in the platform's usual form."""
    return Refused(400, f"Bad Request: {words}")


def forbidden(words: str) -> Refused:
    """A 403 in the platform's usual form."""
    return Refused(403, f"Forbidden: {words}")


def _dumps(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def answer_ok(result: object) -> Answer:
    """A success."""
    return Answer(200, _dumps({"ok": True, "result": result}))


def answer_refused(
    status: int, description: str, parameters: Mapping[str, int] | None = None, hold_until: float | None = None
) -> Answer:
    """A refusal as the platform words it."""
    body: Json = {"ok": False, "error_code": status, "description": description}
    if parameters:
        body["parameters"] = dict(parameters)
    return Answer(status, _dumps(body), hold_until=hold_until)


def answer_flood(retry_after_s: int) -> Answer:
    """A 429 that names the seconds to wait."""
    return answer_refused(429, f"Too Many Requests: retry after {retry_after_s}", {"retry_after": retry_after_s})


NOT_FOUND: Final = answer_refused(404, "Not Found")
UNAUTHORIZED: Final = answer_refused(401, "Unauthorized")
TOO_LARGE: Final = answer_refused(413, "Request Entity Too Large")


@dataclass(frozen=True, slots=True)
class MethodPath:
    """`/bot<token>/<method>`."""

    token: str
    method: str


@dataclass(frozen=True, slots=True)
class FilePath:
    """`/file/bot<token>/<path>`."""

    token: str
    path: str


@dataclass(frozen=True, slots=True)
class ControlPath:
    """`/control/<name>`: what people do, for tests and other programs."""

    name: str


@dataclass(frozen=True, slots=True)
class OtherPath:
    """Anything else, decoded."""

    path: str


RequestPath = MethodPath | FilePath | ControlPath | OtherPath

_METHOD_PATH: Final = re.compile(r"/bot([^/]+)/([A-Za-z0-9_]+)")
_FILE_PATH: Final = re.compile(r"/file/bot([^/]+)/(.+)")
_CONTROL_PATH: Final = re.compile(r"/control/([a-z_]+)")


def read_path(raw: str) -> RequestPath:
    """Tell the kinds of request apart; a token that cannot be one makes it an `OtherPath`."""
    path = unquote(raw)
    if match := _METHOD_PATH.fullmatch(path):
        if TOKEN_SHAPE.fullmatch(match[1]):
            return MethodPath(match[1], match[2])
    elif match := _FILE_PATH.fullmatch(path):
        if TOKEN_SHAPE.fullmatch(match[1]):
            return FilePath(match[1], match[2])
    elif match := _CONTROL_PATH.fullmatch(path):
        return ControlPath(match[1])
    return OtherPath(path)


@dataclass(frozen=True, slots=True)
class Fields:
    """The values and files of one request."""

    values: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)


def read_fields(query: str, content_type: str, body: bytes) -> Fields:
    """Everything a request carries; the body's values come before those of the query string.

    Raises:
        Refused: the body is not what its content type says.
    """
    values = dict(parse_qsl(query, keep_blank_values=True))
    files: dict[str, Upload] = {}
    kind, _, rest = content_type.partition(";")
    match kind.strip().lower():
        case "application/x-www-form-urlencoded":
            values |= parse_qsl(_utf8(body), keep_blank_values=True)
        case "application/json" if body.strip():
            values |= _read_json(body)
        case "multipart/form-data":
            more, files = _read_multipart(body, rest)
            values |= more
        case _:
            pass
    return Fields(values, files)


def words(text: str) -> frozenset[str]:
    """The words of a text, for tables that read better as one line."""
    return frozenset(text.split())


def as_text(value: object) -> str:
    """A value as the urlencoded form would carry it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _utf8(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise bad_request("strings must be encoded in UTF-8") from None


def _read_json(body: bytes) -> dict[str, str]:
    try:
        value = json.loads(body)
    except ValueError:
        raise bad_request("can't parse JSON object") from None
    if not isinstance(value, dict):
        raise bad_request("object expected as request body")
    return {name: as_text(one) for name, one in value.items() if one is not None}


_BOUNDARY: Final = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_PART_NAME: Final = re.compile(rb'[; ]name="((?:[^"\\]|\\.)*)"')
_PART_FILE_NAME: Final = re.compile(rb'[; ]filename="((?:[^"\\]|\\.)*)"')
_PART_TYPE: Final = re.compile(rb"^content-type:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)


def _read_multipart(body: bytes, parameters: str) -> tuple[dict[str, str], dict[str, Upload]]:
    """RFC 7578, as far as HTTP libraries and curl write it."""
    boundary = _BOUNDARY.search(parameters)
    if not boundary:
        raise bad_request("can't find boundary of multipart/form-data")
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode("latin-1"))
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise bad_request("multipart/form-data is incomplete")
    values: dict[str, str] = {}
    files: dict[str, Upload] = {}
    for part in parts[1:-1]:
        head, separator, content = part.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head)
        if not separator or not name:
            raise bad_request("a part of multipart/form-data has no name")
        file_name = _PART_FILE_NAME.search(head)
        if file_name:
            kind = _PART_TYPE.search(head)
            files[_unquoted(name[1])] = Upload(
                _unquoted(file_name[1]), content, kind[1].decode("latin-1").strip() if kind else ""
            )
        elif len(content) > MULTIPART_VALUE_BYTES:
            raise Refused(413, "Request Entity Too Large")
        else:
            values[_unquoted(name[1])] = _utf8(content)
    return values, files


def _unquoted(name: bytes) -> str:
    """A quoted name of a part: browsers and httpx write `%22` for a quote, curl writes a backslash."""
    text = name.decode("utf-8", "replace")
    return re.sub(r"\\(.)", r"\1", text).replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
