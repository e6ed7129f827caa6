"""A verdict reaches the session once, by the road it needs, and people learn what could not be passed on.

A plain yes or no is the channel's own verdict. What says more (a further choice, a reason) fits only into the
answer of the client's hook, which then is the whole answer: no verdict follows it. Whichever road was not
taken is let go. Where the hook does not wait any more, the plain part is told alone, and its giver is told so.
"""

import logging
from typing import assert_never

from telegram_channel.bridge.cards import Cards
from telegram_channel.bridge.courier import Courier
from telegram_channel.bridge.waiting_hooks import WaitingHooks
from telegram_channel.core import notices
from telegram_channel.core.hooks import DenyPermission, GrantPermission, HookAnswer
from telegram_channel.core.ids import PromptId, private_chat
from telegram_channel.core.outgoing import OutMessage
from telegram_channel.core.permission import Behavior, How, Prompt, Verdict, suggestion
from telegram_channel.ports import Chat, Session, Store

_log = logging.getLogger(__name__)

DENIED = "Denied from Telegram."
"""What Claude reads when an approver gave no reason of their own."""
_MOST_ALLOWED = 50
_MOST_TOLD = 500


class Verdicts:
    """Tells this process's session what was decided about its prompts."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        courier: Courier,
        session: Session,
        waiting: WaitingHooks,
        cards: Cards,
        *,
        by_hook_alone: bool,
    ) -> None:
        self._store = store
        self._chat = chat
        self._courier = courier
        self._session = session
        self._waiting = waiting
        self._cards = cards
        self._by_hook_alone = by_hook_alone
        self._told: dict[PromptId, None] = {}
        """What was said lately, oldest first: nothing is said twice while it is being noted that it was."""
        self._telling: set[PromptId] = set()
        self._allowed: dict[PromptId, Prompt] = {}

    async def tell(self, prompt: Prompt) -> None:
        """Answer the session, and remember that it was told once the client's pipe took it."""
        if prompt.prompt in self._telling:
            return
        self._telling.add(prompt.prompt)
        try:
            await self.say(prompt)
            await self._session.drained()
            await self._store.prompts.mark_told(prompt.prompt)
        finally:
            self._telling.discard(prompt.prompt)

    async def say(self, prompt: Prompt) -> None:
        """Give the session the verdict, once in the life of this process."""
        verdict = prompt.verdict
        if verdict is None or prompt.prompt in self._told:
            return
        self._told[prompt.prompt] = None
        if len(self._told) > _MOST_TOLD:
            del self._told[next(iter(self._told))]
        if verdict.behavior is Behavior.ALLOW:
            self._allowed[prompt.prompt] = prompt
            if len(self._allowed) > _MOST_ALLOWED:  # a client without hooks never tells that a tool has ended
                del self._allowed[next(iter(self._allowed))]
        hook = self._waiting.of(prompt.prompt)
        needs_hook = self._by_hook_alone or verdict.always is not None or bool(verdict.reason)
        if needs_hook and hook is not None and hook.give(_answer(prompt, verdict)):
            return
        if needs_hook:
            self._note_missing(prompt, verdict)
        try:
            await self._session.tell_verdict(prompt.request.request_id, verdict.behavior)
        except BaseException:
            self._told.pop(prompt.prompt, None)
            raise
        self._waiting.release(prompt.prompt)

    def _note_missing(self, prompt: Prompt, verdict: Verdict) -> None:
        """Tell the giver of an answer, once, what Claude Code did not take of it."""
        if not self._cards.note_plain_only(prompt.prompt):
            return
        self._courier.post(self._cards.close(prompt))  # whoever took the answer may have closed them with all of it
        if verdict.how is How.COMMAND:  # nobody wrote a reason
            return
        _log.info("a permission hook did not wait any more: only the plain answer was told")
        if verdict.always is None and not verdict.reason:
            say = notices.answer_not_awaited()
        else:
            say = notices.not_passed_on(verdict.behavior)
        chat = private_chat(verdict.by)
        copy = next((card.message for card in prompt.cards if card.chat == chat), None)
        self._courier.post(self._chat.send(OutMessage(chat, say, reply_to=copy, urgent=True)))

    def allowed(self) -> tuple[Prompt, ...]:
        """Prompts that were allowed from here and whose tool has not been seen to end, oldest first."""
        return tuple(self._allowed.values())

    def note_ended(self, prompt: PromptId) -> None:
        """The tool that was allowed has ended."""
        self._allowed.pop(prompt, None)

    def forget_allowed(self) -> None:
        """The turn is over: no tool of it will end any more, but what a subagent does in the background may."""
        self._allowed = {
            one: prompt for one, prompt in self._allowed.items() if prompt.details and prompt.details.agent
        }


def _answer(prompt: Prompt, verdict: Verdict) -> HookAnswer:
    match verdict.behavior:
        case Behavior.ALLOW:
            accepted = suggestion(prompt, verdict.always)
            return GrantPermission((accepted.raw,) if accepted else ())
        case Behavior.DENY:
            return DenyPermission(verdict.reason or DENIED)
        case _:
            assert_never(verdict.behavior)
