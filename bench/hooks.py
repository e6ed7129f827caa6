"""Hook calls, from being written (a single write) to their answer being read: Claude does nothing meanwhile."""

import time
from collections.abc import Callable, Iterator, Mapping

from bench.client import Client
from bench.effort import Effort
from bench.figures import Figure, NotMeasured
from bench.stand import Stand
from telegram_channel.demo.session import hook_calls

TARGET_MS = 5.0
_APART_S = 0.02
"""Between two calls: what a call leaves to be done is mostly over by then, as in life."""

Fields = Mapping[str, object]


def measure(effort: Effort) -> Iterator[Figure]:
    """One row for each event that comes often; the floor first."""
    apart_s = _APART_S / effort.times(1, 4)
    with Stand() as stand:
        client = stand.poller()
        yield _timed("floor: ping → answer", client, effort.times(150, 4), apart_s, _ping)
        count = effort.times(100, 3)
        yield _prompts(stand, client, effort.times(40, 3))
        for name, event, fields in (
            ("a tool starts → answer (PreToolUse)", "PreToolUse", _command),
            ("a tool ended → answer (PostToolUse)", "PostToolUse", _command),
            ("a piece of text → answer (MessageDisplay)", "MessageDisplay", _piece),
            ("a turn ends → answer (Stop)", "Stop", _end),
        ):
            yield _timed(
                name,
                client,
                count,
                apart_s,
                lambda client, number, event=event, fields=fields: _hook(client, event, fields(number)),  # type: ignore[misc]  # mypy cannot infer a lambda with defaults
                TARGET_MS,
            )


def _ping(client: Client, _number: int) -> int:
    return client.ask("ping", {})


def _hook(client: Client, event: str, fields: Fields) -> int:
    ((tool, arguments),) = hook_calls(event, fields)
    return client.call(tool, **arguments)


def _command(number: int) -> Fields:
    return {
        "tool_name": "Bash",
        "tool_input": {"command": f"echo {number}", "description": "Say a number"},
        "tool_use_id": f"toolu_{number}",
    }


def _piece(number: int) -> Fields:
    return {"message_id": "m", "index": number, "final": False, "delta": "Some words of Claude, as they come. " * 3}


def _end(number: int) -> Fields:
    return {"last_assistant_message": f"Done with number {number}.", "stop_hook_active": False}


def _prompts(stand: Stand, client: Client, count: int) -> Figure:
    """Each prompt carries a message that the session was given, so that it is noted as read on the way."""
    _delay_ms(client, _hook(client, "Notification", {}))  # the first one loads what the others find loaded
    samples = []
    for number in range(count):
        text = f"message {number}"
        stand.telegram.say(stand.ann, text)
        meta = client.event(text).message["params"]["meta"]
        attributes = " ".join(f'{key}="{value}"' for key, value in meta.items())
        prompt = f'<channel source="telegram" {attributes}>\n{text}\n</channel>'
        time.sleep(0.1)  # the sign below the message is on its way
        samples.append(_delay_ms(client, _hook(client, "UserPromptSubmit", {"prompt": prompt})))
        _delay_ms(client, _hook(client, "Stop", {"stop_hook_active": False}))
    return Figure("a prompt with a message → answer (UserPromptSubmit)", tuple(samples), "ms", TARGET_MS)


def _timed(
    name: str,
    client: Client,
    count: int,
    apart_s: float,
    begin: Callable[[Client, int], int],
    target_ms: float | None = None,
) -> Figure:
    _delay_ms(client, begin(client, count))  # as above
    samples = []
    for number in range(count):
        time.sleep(apart_s)
        samples.append(_delay_ms(client, begin(client, number)))
    return Figure(name, tuple(samples), "ms", target_ms)


def _delay_ms(client: Client, request: int) -> float:
    """How long the answer to a request took that was just written."""
    answer = client.answer(request)
    if "result" not in answer.message or answer.message["result"].get("isError"):
        raise NotMeasured(f"a hook was answered with an error: {answer.message}")
    return 1000 * (answer.at - client.asked_at)
