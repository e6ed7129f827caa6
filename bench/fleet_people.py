"""What the people of the fleet do: they mean one session with all they say, and say it in every way there is."""

import asyncio
import contextlib
import time
from collections import defaultdict
from dataclasses import dataclass, field

from bench.figures import NotMeasured
from bench.fleet_answers import Answer, Outcome, outcome_of, wrong_answers
from bench.fleet_judge import Asked, Place, Said
from bench.fleet_world import PATIENCE_S, Fleet, Life, Seat, labels_below
from telegram_channel.demo.botapi_world import Chat, Press, StoredMessage
from telegram_channel.demo.phone import Phone
from telegram_channel.demo.session import SessionEnded

QUESTION = "Which session is this for?"
KEEP_WAITING = "Keep waiting"
REFUSAL = "Nothing was passed on"
NOT_THERE = "No running session is called"
_WAYS = {"topic": 40, "chosen": 30, "reply": 15, "to": 15}
_LOOK_EVERY_S = 0.2
_ANSWER_PATIENCE_S = 4.0
_KEEPS = 0.5
"""How often an offer is answered."""
_ANSWER = "answer to "
_STARTS_WITHIN_S = 3.0
"""So much later at most, a process that was started is one that can be named."""
_LETTERS = "abcdefghijkmnopqrstuvwxyz"
"""Those a request id may have (source: channel contract)."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A permission prompt: who asked, who polled when it was answered, and when the verdict came."""

    request: str
    seat: Seat
    poller: Seat | None
    took_s: float | None
    """From the press to the verdict; None when the process that asked was killed meanwhile."""
    trouble: str = ""


@dataclass(slots=True, repr=False)
class People:
    """Everybody with a phone, and what they said, saw and pressed.

    Without a representation, which would be that of every message in every chat: gigabytes. The end of `asyncio.run`
    asks for that of what it returns.
    """

    fleet: Fleet
    said: list[Said] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    askings: list[Asking] = field(default_factory=list)
    choice: dict[int, Seat] = field(default_factory=dict)
    """Whom each chat means, by the chat's id."""
    card_within_s: float = PATIENCE_S
    """How long a card may take; one that Telegram may or may not have got is sent again after a while."""
    offers: int = 0
    """How often the bot offered to others what was meant for a session that had gone."""
    kept_waiting: int = 0
    """And how often it was told to keep it."""
    _standing: dict[StoredMessage, float] = field(default_factory=dict)
    """Questions without an answer, and since when."""
    _settled: set[StoredMessage] = field(default_factory=set)
    """Questions that were answered."""
    _addressed: dict[str, StoredMessage] = field(default_factory=dict)
    """What was said with `/to`, by what has to arrive of it."""
    _turning: set[int] = field(default_factory=set)
    """Chats that are about to choose another session."""
    _answered: set[str] = field(default_factory=set)
    _considered: set[StoredMessage] = field(default_factory=set)
    """Offers that somebody has seen."""
    _in_group: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    """When answers were asked of sessions in each group: twenty messages a minute is all it may get."""

    def chats(self) -> list[tuple[Phone, Chat]]:
        """Every chat in which a session is chosen, and somebody in it."""
        phones = list(self.fleet.people.values())
        return [(phone, phone.chat) for phone in phones] + [(phones[0], self.fleet.yard)]

    # Choosing

    async def choose_everywhere(self) -> None:
        """Each chat chooses a session, in every way there is; nothing else may be under way."""
        chance, seats = self.fleet.chance, self.fleet.seats
        ways = ("use", "list", "question", "beginning", "question")
        for (phone, chat), way in zip(self.chats(), ways, strict=True):
            seat = chance.choice(seats)
            self.choice[chat.id] = seat
            if way == "question":
                self.say(phone, "chosen", seat, chat)  # the attendant answers when it is asked
                continue
            if way == "list":
                seen = len(phone.inbox(chat))
                phone.say("/sessions", chat=chat)
                await self.fleet.until(lambda: len(phone.inbox(chat)) > seen, "the list")  # noqa: B023 - over before the next
                await self._press(phone, phone.inbox(chat)[-1], seat.name)
            else:
                await self.use(phone, chat, seat, seat.name[:3] if way == "beginning" else seat.name)

    async def use(self, phone: Phone, chat: Chat, seat: Seat, typed: str = "", patience_s: float = 10) -> None:
        """`/use`, until the bot says so."""
        seen = len(phone.inbox(chat))
        phone.say(f"/use {typed or seat.name}", chat=chat)

        def answers(words: str) -> bool:
            return any(words in one.text for one in phone.inbox(chat)[seen:])

        chosen, what = f"{seat.name} from now on", f"the choice of {seat.name} in {chat.id}"
        await self.fleet.until(lambda: answers(chosen) or answers(NOT_THERE), what, patience_s)
        if not answers(chosen):
            raise NotMeasured(f"{what}: there is no such session")

    async def choose_anew(self) -> None:
        """One chat turns to another session, once everything it said before has arrived; it is silent meanwhile."""
        phone, chat = self.fleet.chance.choice(self.chats())
        before = self.choice[chat.id]
        others = [seat for seat in self.fleet.seats if seat.life and seat is not before]
        is_waiting = any(one.chat is chat for one in self._standing) or not self._has_arrived((chat.id, None))
        if not others or is_waiting or chat.id in self._turning:
            return
        wanted = self.fleet.chance.choice(others)
        self._turning.add(chat.id)
        try:
            for seat in (wanted, before) * 5:  # whoever is killed before being chosen cannot be
                if seat.life:
                    with contextlib.suppress(NotMeasured):
                        await self.use(phone, chat, seat)
                        self.choice[chat.id] = seat
                        return
                await asyncio.sleep(_LOOK_EVERY_S)
            raise NotMeasured(f"{chat.id} could choose neither {wanted.name} nor {before.name}")
        finally:
            self._turning.discard(chat.id)

    def _has_arrived(self, place: Place) -> bool:
        heard = {one.text for life in self.fleet.everybody for one in life.heard}
        return all(one.text in heard for one in self.said if one.place == place)

    async def attend(self) -> None:
        """Answer every question of the bot with the session that the chat means; run beside everything else.

        What is offered to other sessions is never given to them: some are told to keep it, the others nothing.
        """
        while True:
            for phone, chat in self.chats():
                for one in phone.inbox(chat):
                    if one.buttons and one.text.startswith(QUESTION) and one not in self._settled:
                        self._standing.setdefault(one, time.time())
                for one in [one for one in self._standing if one.chat is chat]:
                    if chat.id not in self._turning:
                        await self._answer(phone, one)
                await self._consider_offers(phone, chat)
            await self._consider_offers(self.fleet.people["Ann"], self.fleet.workshop)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _answer(self, phone: Phone, question: StoredMessage) -> None:
        seat = self.choice[question.chat.id]
        is_settled = False
        if question.buttons and seat.life:
            if seat.name in labels_below(question):
                # One that Telegram showed and did not confirm keeps its buttons, and has done what it is for.
                is_settled = f"{seat.name} from now on" in await self._press(phone, question, seat.name)
            else:
                with contextlib.suppress(NotMeasured):
                    await self.use(phone, question.chat, seat)
                    is_settled = True
        if is_settled or not question.buttons:
            self._settled.add(question)
            self.asked.append(Asked((question.chat.id, None), self._standing.pop(question), time.time()))

    async def _consider_offers(self, phone: Phone, chat: Chat) -> None:
        for one in phone.inbox(chat):
            if one not in self._considered and KEEP_WAITING in labels_below(one):
                self._considered.add(one)
                self.offers += 1
                if self.fleet.chance.random() < _KEEPS:
                    self.kept_waiting += 1
                    await self._press(phone, one, KEEP_WAITING)

    async def _press(self, phone: Phone, message: StoredMessage, label: str) -> str:
        """Press a button; returns what the phone shows then, nothing if that takes too long."""
        data = next(
            str(button["callback_data"])
            for row in message.buttons
            for button in row
            if str(button["text"]).removeprefix("✓ ") == label
        )
        press = phone.press(data, message)
        with contextlib.suppress(NotMeasured):
            await self.fleet.until(lambda: press.answer is not None, "the answer to a press", _ANSWER_PATIENCE_S)
        return press.toast

    # Saying

    def say_anything(self) -> None:
        """One message in one of the ways; to sessions that are away just as well."""
        chance, fleet = self.fleet.chance, self.fleet
        (way,) = chance.choices(list(_WAYS), list(_WAYS.values()))
        if way == "chosen":
            phone, chat = chance.choice(self.chats())
            if chat.id not in self._turning:
                self.say(phone, way, self.choice[chat.id], chat)
            return
        seat = chance.choice(fleet.seats)
        phone = chance.choice(list(fleet.people.values()))
        if way == "reply":
            answers = [one for one in self.answers if one.session == seat.name and one.outcome is Outcome.SENT]
            if answers:
                self._reply(chance.choice(answers))
                return
            way = "topic"
        if way == "to" and not seat.life:
            way = "topic"
        self.say(phone, way, seat, phone.chat if way == "to" else fleet.workshop)

    def say(self, phone: Phone, way: str, seat: Seat, chat: Chat, reply_to: StoredMessage | None = None) -> None:
        """Say something, and remember for whom."""
        text = f"{len(self.said) + 1} {way} {seat.name}"
        thread = seat.topic if way == "topic" else None
        if way == "to":
            self._addressed[text] = phone.say(f"/to {seat.name} {text}", chat=chat)
        else:
            phone.say(text, chat=chat, thread=thread, reply_to=reply_to)
        topic = thread.thread if thread else None
        if reply_to and reply_to.is_topic_message:
            topic = reply_to.thread
        self.said.append(Said(text, seat.name, (chat.id, topic), way != "chosen", time.time()))

    def _reply(self, answer: Answer) -> None:
        chat_id, _ = answer.place
        phone = next((one for one in self.fleet.people.values() if one.chat.id == chat_id), self.fleet.people["Ann"])
        chat = next(chat for chat in (phone.chat, self.fleet.yard, self.fleet.workshop) if chat.id == chat_id)
        answered = next(one for one in chat.history() if one.from_bot and one.text == answer.text)
        seat = next(one for one in self.fleet.seats if one.name == answer.session)
        self.say(phone, "reply", seat, chat, answered)

    # What sessions do for people

    async def have_answered(self) -> None:
        """One session answers something it was given; never faster than a group may be sent to."""
        lives = [life for seat in self.fleet.seats if (life := seat.life) and life.heard]
        if not lives:
            return
        life = self.fleet.chance.choice(lives)
        heard = self.fleet.chance.choice(life.heard[-5:])
        chat_id, thread = heard.place
        recent = [at for at in self._in_group[chat_id] if at > time.time() - 60]
        if heard.text in self._answered or (chat_id < 0 and len(recent) >= 8):
            return
        self._answered.add(heard.text)
        self._in_group[chat_id] = [*recent, time.time()]
        text = f"{_ANSWER}{heard.text}"
        number = next(
            one["params"]["meta"]["message_id"]
            for one in reversed(life.process.received)
            if one.get("params", {}).get("content") == heard.text
        )
        try:
            told = await life.process.call("reply", timeout_s=40, chat_id=str(chat_id), text=text, reply_to=number)
            outcome, words = outcome_of(told.text, is_error=told.is_error), told.text
        except SessionEnded as error:
            outcome, words = Outcome.FAILED if life.is_up else Outcome.CUT_OFF, str(error)
        self.answers.append(Answer(text, life.seat.name, (chat_id, thread), outcome, words))

    async def have_asked(self, seat: Seat | None = None) -> None:
        """One session asks for permission, and Ann allows it."""
        chance = self.fleet.chance
        seat = seat or chance.choice(self.fleet.seats)
        life = seat.life
        if life is None or life.asks:
            return
        life.asks = True
        try:
            self.askings.append(await self._asked(life, "".join(chance.choices(_LETTERS, k=5))))
        finally:
            life.asks = False

    async def _asked(self, life: Life, request: str) -> Asking:
        seat, ann = life.seat, self.fleet.people["Ann"]
        command = f"echo {request}-{seat.name}"
        try:
            await life.process.ask_permission(request, "Bash", "Say something", {"command": command})
            await self.fleet.until(
                lambda: self._card(command) is not None or not life.is_up, "a card", self.card_within_s
            )
        except NotMeasured as error:
            return Asking(request, seat, None, None, str(error))
        card = self._card(command)
        if card is None or not life.is_up:
            return Asking(request, seat, None, None)
        polls, pressed_at = self.fleet.poller, time.time()
        poller = polls.seat if polls else None
        self._allow(ann, card, request)
        try:
            await life.process.verdict(request, 15)
        except SessionEnded:
            return Asking(request, seat, poller, None, "the verdict did not come" if life.is_up else "")
        return Asking(request, seat, poller, time.time() - pressed_at)

    def _card(self, command: str) -> StoredMessage | None:
        ann = self.fleet.people["Ann"]
        chats = (ann.chat, self.fleet.workshop)
        return next((one for chat in chats for one in ann.inbox(chat) if one.buttons and command in one.text), None)

    def _allow(self, ann: Phone, card: StoredMessage, request: str) -> Press | StoredMessage:
        if card.chat is ann.chat and self.fleet.chance.random() < 0.5:
            return ann.say(f"yes {request}")
        return ann.press(card.labels[0][0], card)

    # What became of it

    def wrong_answers(self, *, had_faults: bool) -> list[str]:
        """Replies that are not where they belong, or not as often as told, or sent by another session's process."""
        shown: defaultdict[str, list[Place]] = defaultdict(list)
        for phone, chat in [*self.chats(), (self.fleet.people["Ann"], self.fleet.workshop)]:
            for one in phone.inbox(chat):
                if one.text.startswith(_ANSWER):
                    shown[one.text].append((chat.id, one.thread if one.is_topic_message else None))
        sent_by = {
            seat.name: {text for act in seat.door.wrote if (text := act.params.get("text", "")).startswith(_ANSWER)}
            for seat in (*self.fleet.seats, *self.fleet.guests)
        }
        return wrong_answers(self.answers, shown, sent_by, had_faults=had_faults)

    def wrong_verdicts(self) -> list[str]:
        """Verdicts that did not come, came twice, or that another session was told: not even one is to know."""
        wrong = [f"{one.request} of {one.seat.name}: {one.trouble}" for one in self.askings if one.trouble]
        for life in self.fleet.everybody:
            wrong += [
                f"{one.request} of {one.seat.name} was told to {life.seat.name} #{life.number}"
                for one in self.askings
                if one.seat is not life.seat and life.process.verdicts(one.request)
            ]
            wrong += [
                f"{one.request} was told {len(life.process.verdicts(one.request))} times to {life.seat.name}"
                for one in self.askings
                if len(life.process.verdicts(one.request)) > 1
            ]
        return wrong

    def questions(self) -> list[Asked]:
        """Every question there was, and how long it stood; some may stand still."""
        standing = [Asked((one.chat.id, None), since, time.time()) for one, since in self._standing.items()]
        return [*self.asked, *standing]

    def refused(self) -> list[str]:
        """What was said with `/to` and not passed on, because nobody of that name was there: its sender was told.

        That is no excuse where a process of the session ran all the time.
        """
        told: set[StoredMessage] = set()
        texts = []
        heard = {one.text for life in self.fleet.everybody for one in life.heard}
        for text, message in self._addressed.items():
            name = text.split()[-1]
            words = (NOT_THERE, f"“{name}”", REFUSAL)
            after = [
                one for one in message.chat.history() if one.from_bot and one.id > message.id and one not in told
            ]
            refusal = next((one for one in after if all(word in one.text for word in words)), None)
            if text not in heard and refusal:
                told.add(refusal)
                if self._came_or_went(name, message.date - _STARTS_WITHIN_S, refusal.date + 1):
                    texts.append(text)
        return texts

    def _came_or_went(self, name: str, since: float, until: float) -> bool:
        lives = next(one for one in self.fleet.seats if one.name == name).lives
        moments = [at for life in lives for at in (life.began_at, life.killed_at) if at is not None]
        return any(since <= at <= until for at in moments)
