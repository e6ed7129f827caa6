"""Permission hooks that the client waits for, each brought together with the prompt it belongs to.

The client asks twice about one dialog: its channel relays the request, and its hook tells the whole input and
the further choices. Neither names the other, and either may come first. So they are matched by what they
say, oldest first, within a short window; whatever finds no partner in time stays alone.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from telegram_channel.core.hooks import HookAnswer, NoObjection, PermissionAsked
from telegram_channel.core.ids import PromptId
from telegram_channel.core.pairs import belongs
from telegram_channel.core.permission import Details, PermissionRequest
from telegram_channel.ports import Clock

T = TypeVar("T")


async def within(clock: Clock, seconds: float, wanted: Coroutine[Any, Any, T]) -> T | None:
    """What `wanted` returns, or None when that takes longer than `seconds`: then it is cancelled."""
    wish, nap = asyncio.create_task(wanted), asyncio.create_task(clock.sleep(seconds))
    try:
        await asyncio.wait({wish, nap}, return_when=asyncio.FIRST_COMPLETED)
        return wish.result() if wish.done() else None
    finally:
        wish.cancel()
        nap.cancel()


@dataclass(slots=True, eq=False)
class WaitingHook:
    """One call of the hook, as long as the client waits for its answer."""

    asked: PermissionAsked
    since_s: float
    """When it came (monotonic seconds)."""
    prompt: PromptId | None = None
    """What it belongs to, once that is known."""
    known: bool = False
    """Whether the prompt was opened with what this hook says."""
    withdrawn: bool = False
    """The client does not wait any more, because the dialog was answered."""
    given: HookAnswer | None = None
    _claimed: asyncio.Event = field(default_factory=asyncio.Event)
    _answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def details(self) -> Details:
        """What it says about the request, to be kept with the prompt."""
        call = self.asked.call
        return Details(call.input, self.asked.suggestions, call.agent)

    def claim(self, prompt: PromptId) -> None:
        """Let it belong to a prompt."""
        self.prompt = prompt
        self._claimed.set()

    def give(self, answer: HookAnswer) -> bool:
        """Answer it; False when it was answered before."""
        if self.given is not None:
            return False
        self.given = answer
        self._answered.set()
        return True

    async def claimed(self) -> bool:
        """Return once it belongs to a prompt."""
        return await self._claimed.wait()

    async def answered(self) -> bool:
        """Return once it has its answer."""
        return await self._answered.wait()


@dataclass(slots=True)
class _Alone:
    """A prompt whose hook has not come yet."""

    request: PermissionRequest
    since_s: float
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once what the hook says is kept with the prompt."""
    met: bool = False


class WaitingHooks:
    """All hooks of this process's session that wait, and the prompts that may still get one."""

    def __init__(self, clock: Clock, window_s: float) -> None:
        self._clock = clock
        self._window_s = window_s
        self._hooks: list[WaitingHook] = []
        self._alone: dict[PromptId, _Alone] = {}

    def arrived(self, asked: PermissionAsked) -> WaitingHook:
        """Note a hook that waits from now on; it may belong to a prompt already."""
        self._forget()
        hook = WaitingHook(asked, self._clock.monotonic())
        self._hooks.append(hook)
        for prompt, alone in self._alone.items():
            if not alone.met and belongs(alone.request, asked.call):
                alone.met = True
                hook.claim(prompt)
                break
        return hook

    def claim(self, prompt: PromptId, request: PermissionRequest) -> WaitingHook | None:
        """The hook that belongs to a new prompt, if it has come; it is nobody else's from now on."""
        self._forget()
        for hook in sorted(self._hooks, key=lambda one: one.withdrawn):  # what is still asked comes first
            if hook.prompt is None and hook.given is None and belongs(request, hook.asked.call):
                hook.claim(prompt)
                return hook
        return None

    def expect(self, prompt: PromptId, request: PermissionRequest) -> WaitingHook | None:
        """A hook may belong to this prompt, which is stored now: one that has come, or comes within the window."""
        hook = self.claim(prompt, request)
        self._alone[prompt] = _Alone(request, self._clock.monotonic(), met=hook is not None)
        return hook

    async def told(self, prompt: PromptId, at_most_s: float) -> None:
        """Return once what the prompt's hook says is kept, or after `at_most_s`; at once if none is expected."""
        alone = self._alone.get(prompt)
        if alone:
            await within(self._clock, at_most_s, alone.told.wait())

    def note_told(self, prompt: PromptId) -> None:
        """What the prompt's hook says is kept."""
        alone = self._alone.pop(prompt, None)
        if alone:
            alone.told.set()

    def of(self, prompt: PromptId) -> WaitingHook | None:
        """The hook that waits for this prompt's answer."""
        waiting = (hook for hook in self._hooks if hook.prompt == prompt)
        return next((hook for hook in waiting if hook.given is None and not hook.withdrawn), None)

    def release(self, prompt: PromptId) -> None:
        """Let the prompt's hook go, if there is one: the client goes on as if there were none."""
        if hook := self.of(prompt):
            hook.give(NoObjection())

    def release_all(self) -> None:
        """Let every hook go: nobody here will answer them."""
        for hook in self._hooks:
            hook.give(NoObjection())

    def prompts(self) -> tuple[PromptId, ...]:
        """The prompts that hooks wait for."""
        return tuple(hook.prompt for hook in self._hooks if hook.prompt is not None and hook.given is None)

    def ended(self, hook: WaitingHook) -> None:
        """The call is over; one that was withdrawn before its prompt came is remembered for a moment."""
        if not hook.withdrawn or hook.prompt is not None:
            self._hooks.remove(hook)

    def _forget(self) -> None:
        """Drop what has been alone for too long."""
        oldest_s = self._clock.monotonic() - self._window_s
        self._alone = {prompt: alone for prompt, alone in self._alone.items() if alone.since_s >= oldest_s}
        gone = [hook for hook in self._hooks if hook.withdrawn and hook.prompt is None and hook.since_s < oldest_s]
        for hook in gone:
            self._hooks.remove(hook)
