"""Permission prompts: asked once, shown to every approver, decided by exactly one answer, told at once.

A prompt comes from the channel's own request, which proves that we may relay it; the client's hook that
belongs to it adds the whole input and the further choices, and waits for the answer beside the dialog. Who
approves for the session is in `askers`. The store decides which answer counts; whoever polls settles, the
process that asked, or its successor, tells its session. Whatever must be sent is left to the courier, so no
answer waits for the network. Prompts survive a restart, and without any hook everything but the further choices
and reasons works the same.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from telegram_channel.bridge.answers import Answers, Errand, Post
from telegram_channel.bridge.askers import Askers
from telegram_channel.bridge.before import ReadBefore
from telegram_channel.bridge.cards import CallBy, Cards
from telegram_channel.bridge.courier import Courier
from telegram_channel.bridge.elsewhere import Elsewhere
from telegram_channel.bridge.inheritance import Inheritance
from telegram_channel.bridge.prompt_care import ApprovalRules, PromptCare
from telegram_channel.bridge.verdicts import Verdicts
from telegram_channel.bridge.waiting_hooks import WaitingHook, WaitingHooks, within
from telegram_channel.core.access import AccessState, approvers_of
from telegram_channel.core.hooks import HookAnswer, HookCall, NoObjection, PermissionAsked
from telegram_channel.core.ids import PromptId, SessionId
from telegram_channel.core.messages import ButtonPress, InboundMessage
from telegram_channel.core.orders import Order
from telegram_channel.core.pairs import new_request_id, request_of
from telegram_channel.core.permission import Closing, PermissionRequest, Prompt, TypedAnswer
from telegram_channel.core.topics import ThreadFor, in_general
from telegram_channel.core.turns import Turn
from telegram_channel.errors import StateError, StateUnwritable
from telegram_channel.ports import Chat, Clock, Session, SessionRecord, Store

__all__ = ["ApprovalRules", "Approvals", "Errand", "Post", "Relay"]

_log = logging.getLogger(__name__)

_UNWRITABLE_PAUSE_S = 1.0
_ENTROPY_BYTES = 8
_MOST_TRIES = 20
"""Of ten million ids a few dozen are taken at most."""

Relay = Literal["channel", "hook", "off"]
"""Where prompts come from: the channel's request, the hook alone, or nowhere."""


def _entropy() -> bytes:
    return secrets.token_bytes(_ENTROPY_BYTES)


class Approvals:
    """The permission prompts of this process's session, and the answers of everybody."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        clock: Clock,
        courier: Courier,
        *,
        session: Session | None,
        new_id: Callable[[], PromptId],
        is_alive: Callable[[SessionRecord], bool],
        polls: Callable[[], bool],
        project: str = "",
        rules: ApprovalRules | None = None,
        relay: Relay = "channel",
        granted: bool = True,
        hooks_seen: Callable[[], bool] = lambda: False,
        entropy: Callable[[], bytes] = _entropy,
        read_before: ReadBefore | None = None,
        label_of: CallBy | None = None,
        thread_for: ThreadFor = in_general,
        in_own_name: Chat | None = None,
    ) -> None:
        """`granted`: there is evidence that the client relays requests to us; without it no hook waits for one.

        `hooks_seen`: whether this client calls our hooks, so that a card may wait a moment for its own. `label_of`:
        what cards call a session. `in_own_name`: the chat for what is the session's own message, its cards;
        answers to people are nobody's.
        """
        self._store = store
        self._clock = clock
        self._courier = courier
        self._session = session
        self._new_id = new_id
        self._rules = rules = rules or ApprovalRules()
        self._relay: Relay = relay
        self._granted = granted
        self._hooks_seen = hooks_seen
        self._entropy = entropy
        self._waiting = WaitingHooks(clock, rules.hook_window_s)
        mine = session.id if session else None
        self._askers = Askers(store, mine, project, clock.now(), is_alive)
        self._cards = Cards(
            *(store, in_own_name or chat, clock, mine, project, self._askers), read_before, label_of, thread_for
        )
        self._care = PromptCare(
            *(store, clock, courier, self._cards, mine), is_alive=is_alive, polls=polls, rules=rules
        )
        self._answers = Answers(store, chat, clock, courier, self._cards, self._tell)
        self._verdicts: Verdicts | None = None
        self._elsewhere: Elsewhere | None = None
        self._inheritance: Inheritance | None = None
        if session:
            self._inheritance = Inheritance(store, clock, session.id, ended_after_s=rules.ended_after_s)
            self._verdicts = Verdicts(
                *(store, chat, courier, session, self._waiting, self._cards), by_hook_alone=relay == "hook"
            )
            self._elsewhere = Elsewhere(store, clock, courier, session.id, self._waiting, self._cards, self._verdicts)

    async def asked(self, request: PermissionRequest) -> None:
        """The session asks: remember it and show it to its approvers. Without a store only the terminal asks."""
        if self._session is None or self._relay != "channel":
            return
        self._granted = True
        prompt_id = self._new_id()
        hook = self._waiting.claim(prompt_id, request)
        if hook and hook.withdrawn:  # the terminal was quicker than the request
            self._waiting.ended(hook)
            return
        if hook:
            hook.known = True
        details = hook.details if hook else None
        prompt = Prompt(prompt_id, self._session.id, request, self._clock.now(), details=details)
        try:
            await self._open(prompt)
        except StateError as error:
            _log.warning("a permission prompt is shown in the terminal only: %s", error.explained())
            self._waiting.release(prompt_id)
            return
        late = None if hook else self._waiting.expect(prompt_id, request)
        if late and late.withdrawn:
            self._courier.post(self._after_withdrawal(prompt_id))
        self._courier.post(self._show(prompt))

    async def asked_by_hook(self, asked: PermissionAsked) -> HookAnswer:
        """The client shows a dialog and waits for this answer beside it, until the deadline at the latest.

        Nothing is asked in the chat that the channel's request did not allow, unless the operator chose the
        hook as the way to relay. When this is cancelled, the dialog was answered in the terminal.
        """
        if self._session is None or self._relay == "off" or (self._relay == "channel" and not self._granted):
            return NoObjection()
        hook = self._waiting.arrived(asked)
        try:
            return await self._answer_to(hook)
        except StateError as error:
            _log.warning("a permission hook is not answered: %s", error.explained())
            return NoObjection()
        except asyncio.CancelledError:
            hook.withdrawn = True
            if hook.prompt:
                self._courier.post(self._after_withdrawal(hook.prompt))
            raise
        finally:
            self._waiting.ended(hook)

    async def _answer_to(self, hook: WaitingHook) -> HookAnswer:
        asker = await self._askers.own()
        if not approvers_of(await self._store.access.read(), asker.label, asker.project, asker.branch):
            return NoObjection()
        waits = await (self._ask_for(hook) if self._relay == "hook" else self._join(hook))
        if waits and hook.prompt:
            left_s = self._rules.hook_deadline_s - (self._clock.monotonic() - hook.since_s)
            if not await within(self._clock, left_s, hook.answered()):
                await self._out_of_time(hook.prompt)
        return hook.given or NoObjection()

    async def _join(self, hook: WaitingHook) -> bool:
        """Find the prompt that the hook belongs to and add what it says; False when there is none to wait for."""
        await within(self._clock, self._rules.hook_window_s, hook.claimed())
        if hook.prompt is None:
            return False
        if hook.known:
            return True
        prompt = await self._store.prompts.enrich(hook.prompt, hook.details)
        self._waiting.note_told(hook.prompt)
        if prompt is None or prompt.closing:
            return False
        self._courier.post(self._cards.improve(prompt))
        return True

    async def _ask_for(self, hook: WaitingHook) -> bool:
        """Put a prompt of its own to the approvers; False when nobody can be asked."""
        request_id = await self._free_request_id()
        if self._session is None or request_id is None:
            return False
        request = request_of(hook.asked.call, request_id)
        prompt = Prompt(self._new_id(), self._session.id, request, self._clock.now(), details=hook.details)
        hook.claim(prompt.prompt)
        await self._open(prompt)
        self._courier.post(self._show(prompt))
        return True

    async def _free_request_id(self) -> str | None:
        """Five letters that no open prompt is called by."""
        for _ in range(_MOST_TRIES):
            request_id = new_request_id(self._entropy())
            found = await self._store.prompts.find(request_id)
            if found is None or not found.is_open:
                return request_id
        return None

    async def _open(self, prompt: Prompt) -> None:
        await self._store.prompts.open(prompt)
        if self._elsewhere:
            self._elsewhere.may_be_open = True

    async def _show(self, prompt: Prompt) -> None:
        """Send the cards, a moment later if what the hook will say is still to come."""
        if prompt.details is None and self._hooks_seen():
            await self._waiting.told(prompt.prompt, self._rules.card_waits_for_hook_s)
        await self._cards.send(prompt)

    async def _out_of_time(self, prompt_id: PromptId) -> None:
        """The hook waits no longer. An answer that was given elsewhere a moment ago still takes this road."""
        if self._relay == "hook" and self._elsewhere and await self._elsewhere.close(prompt_id, Closing.EXPIRED):
            return
        prompt = await self._store.prompts.get(prompt_id)
        if prompt and prompt.verdict and self._verdicts:
            await self._verdicts.say(prompt)

    async def _after_withdrawal(self, prompt_id: PromptId) -> None:
        await self._clock.sleep(self._rules.withdrawn_after_s)
        if self._elsewhere:
            await self._elsewhere.close(prompt_id)

    def release_hooks(self) -> None:
        """Let every hook go that waits: these flows end, and nobody here will answer it."""
        self._waiting.release_all()

    def heard(self, call: HookCall, turn: Turn) -> None:  # noqa: ARG002 - the signature of `HookListener`
        """A hook told something: a prompt may have been settled in the terminal."""
        if self._elsewhere:
            self._elsewhere.heard(call)

    async def deny_all(self, order: Order) -> int:
        """Deny every open prompt of the order's session; returns how many were decided by this.

        Raises:
            StateError: some may be open still; the same order may be given again.
        """
        return await self._answers.by_order(order)

    async def answered_by_text(
        self,
        message: InboundMessage,
        answer: TypedAnswer,
        *,
        fresh: bool,
        state: AccessState,
        post: Post | None = None,
        meant: SessionId | None = None,
    ) -> bool:
        """Take a typed answer. True: it was dealt with and its sender is told how; it is no message for Claude.

        `meant`: the session that the place, or the message that is answered, means: prompts of several sessions
        may have the same five letters. `post` starts what is to be said, now or when the answer is safely
        stored; without it, at once.

        Raises:
            StateError: nothing was decided; the same answer may be given again.
        """
        post = post or self._courier.post
        return await self._answers.by_text(message, answer, fresh=fresh, state=state, post=post, meant=meant)

    async def answered_by_reply(
        self, message: InboundMessage, *, fresh: bool, state: AccessState, post: Post | None = None
    ) -> bool:
        """Take what was written in reply to an open card: a bare yes or no, or why it is denied.

        False: it answers no open card, and is a message like any other. The rest is as for `answered_by_text`.
        """
        post = post or self._courier.post
        return await self._answers.by_reply(message, fresh=fresh, state=state, post=post)

    async def answered_by_press(
        self, press: ButtonPress, *, fresh: bool, state: AccessState, post: Post | None = None
    ) -> bool:
        """Take a press of a card's button. Always True: whatever is on a card is never for Claude.

        The rest is as for `answered_by_text`.
        """
        post = post or self._courier.post
        return await self._answers.by_press(press, fresh=fresh, state=state, post=post)

    async def _tell(self, prompt: Prompt) -> None:
        """Answer the session that asked, if it is ours or has become ours.

        A successor is told without a note: whoever asked may come back, and finds the verdict untold.
        """
        if self._session is None or self._verdicts is None or self._inheritance is None:
            return
        if prompt.session == self._session.id:
            await self._verdicts.tell(prompt)
        elif await self._inheritance.is_ours(prompt):
            await self._verdicts.say(prompt)

    async def run(self) -> None:
        """Tell verdicts that were given elsewhere and close cards, until cancelled."""
        seen = -1
        while True:
            try:
                await self.step()
            except StateUnwritable as error:
                _log.warning("permission prompts wait: %s", error.explained())
                await self._clock.sleep(_UNWRITABLE_PAUSE_S)
            seen = await self._store.wait_for_change(seen, self._rules.look_s)

    async def step(self) -> None:
        """Everything about prompts that can be done now."""
        if self._session and self._verdicts:
            for prompt in await self._store.prompts.untold(self._session.id):
                self._courier.post(self._verdicts.tell(prompt))
                if self._cards.knows_more(prompt.prompt):
                    self._courier.post(self._cards.close(prompt))
        if self._inheritance and self._verdicts:
            for prompt in await self._inheritance.untold():
                self._courier.post(self._verdicts.say(prompt))
        for prompt_id in self._waiting.prompts():
            found = await self._store.prompts.get(prompt_id)
            if found and found.closing:
                self._waiting.release(prompt_id)
        await self._care.step()

    async def expire(self, now: datetime) -> int:
        """Close prompts nobody answered for a day; returns how many."""
        return await self._care.expire(now)
