"""A prompt that was settled in the terminal is closed here, too.

The client does not tell who answered its dialog. What follows tells it: the tool ran or was refused without
a verdict of ours, the turn is over, or the client withdrew the hook that waited.
"""

from datetime import datetime

from telegram_channel.bridge.cards import Cards
from telegram_channel.bridge.courier import Courier
from telegram_channel.bridge.verdicts import Verdicts
from telegram_channel.bridge.waiting_hooks import WaitingHooks
from telegram_channel.core.hooks import HookCall, PromptSubmitted, ToolCall, ToolDenied, ToolEnded, TurnEnded
from telegram_channel.core.ids import PromptId, SessionId
from telegram_channel.core.pairs import belongs
from telegram_channel.core.permission import Closing, PermissionRequest, Prompt
from telegram_channel.ports import Clock, Store


class Elsewhere:
    """Closes the prompts of this process's session that nobody in the chat answered in time."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        courier: Courier,
        session: SessionId,
        waiting: WaitingHooks,
        cards: Cards,
        verdicts: Verdicts,
    ) -> None:
        self._store = store
        self._clock = clock
        self._courier = courier
        self._session = session
        self._waiting = waiting
        self._cards = cards
        self._verdicts = verdicts
        self.may_be_open = True
        """Whether the session may have open prompts: most hooks need not look into the store."""

    def heard(self, call: HookCall) -> None:
        """Note what a hook told; whatever follows from it is left to the courier."""
        match call:
            case ToolEnded(call=ended):
                if (allowed := self._allowed_here(ended)) is not None:
                    self._verdicts.note_ended(allowed)
                elif self.may_be_open:
                    self._courier.post(self._close_oldest(ended, self._clock.now()))
            case ToolDenied(call=denied):
                if self.may_be_open:
                    self._courier.post(self._close_oldest(denied, self._clock.now()))
            case TurnEnded() | PromptSubmitted():
                self._verdicts.forget_allowed()
                if self.may_be_open:
                    self._courier.post(self._close_turn(self._clock.now()))
            case _:
                pass

    def _allowed_here(self, call: ToolCall) -> PromptId | None:
        """The prompt that was allowed from the chat and is about this call."""
        return next((one.prompt for one in self._verdicts.allowed() if is_about(one, call)), None)

    async def _close_oldest(self, call: ToolCall, heard_at: datetime) -> None:
        """Of several prompts that are the same, a call settles one."""
        for prompt in await self._open(heard_at):
            if is_about(prompt, call) and await self.close(prompt.prompt):
                return

    async def _close_turn(self, heard_at: datetime) -> None:
        """No dialog of the main conversation outlives its turn; subagents may still be at work."""
        for prompt in await self._open(heard_at):
            if prompt.details is None or not prompt.details.agent:
                await self.close(prompt.prompt)

    async def _open(self, asked_before: datetime) -> list[Prompt]:
        """The session's own open prompts that had been asked by then, oldest first."""
        self.may_be_open = False  # whoever opens one meanwhile says so again
        mine = [one for one in await self._store.prompts.open_prompts() if one.session == self._session]
        self.may_be_open = self.may_be_open or bool(mine)
        return [one for one in mine if one.asked_at <= asked_before]

    async def close(self, prompt: PromptId, closing: Closing = Closing.ELSEWHERE) -> bool:
        """Close one prompt, let its hook go, and make its cards say so; False if it was not open."""
        closed = await self._store.prompts.close(prompt, closing)
        if closed:
            self._waiting.release(prompt)
            now = await self._store.prompts.get(prompt)
            if now:
                self._courier.post(self._cards.close(now))
        return closed


def is_about(prompt: Prompt, call: ToolCall) -> bool:
    """Whether a prompt asked for this call: by its whole input where that is known, else by the preview."""
    request = prompt.request
    if prompt.details:
        request = PermissionRequest(
            request.request_id, request.tool_name, request.description, prompt.details.tool_input
        )
    return belongs(request, call)
