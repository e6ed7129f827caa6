"""Every value that is stored, with everything that may be in it, lone surrogates included."""

from datetime import UTC, datetime
from types import MappingProxyType

from hypothesis import strategies as st

from telegram_channel.core.access import (
    AccessState,
    Group,
    Invitation,
    PendingPairing,
    Policy,
    Role,
    Sender,
    WrongCodes,
)
from telegram_channel.core.audit import AuditRow
from telegram_channel.core.health import BridgeState, HealthReport
from telegram_channel.core.inbox import Fetch, FetchState, QuarantinedUpdate
from telegram_channel.core.messages import (
    Attachment,
    AttachmentKind,
    ButtonPress,
    ChatKind,
    InboundMessage,
    Place,
    ReactionChange,
    RepliedTo,
)
from telegram_channel.core.orders import Order, OrderKind
from telegram_channel.core.permission import (
    Behavior,
    Card,
    Closing,
    Details,
    How,
    PermissionRequest,
    Prompt,
    Suggestion,
    Verdict,
)
from telegram_channel.core.routing import Question, TopicBinding
from telegram_channel.core.wishes import Wishes
from telegram_channel.ports import SessionRecord

texts = st.text(st.characters(exclude_categories=()), max_size=20)
ids = st.from_regex(r"-?[0-9]{1,12}", fullmatch=True)
times = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - aware by timezones
numbers = st.integers(-(2**62), 2**62)


def optional(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


def lists(strategy: st.SearchStrategy[object], most: int = 3) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


limits = st.frozensets(texts, max_size=2)
senders = st.builds(Sender, ids, st.sampled_from(Role), texts, times, texts, st.booleans(), limits)
groups = st.builds(Group, ids, texts, times, st.frozensets(ids, max_size=3), st.booleans(), lists(texts))
pending = st.builds(
    PendingPairing, ids, texts, times, texts, texts, optional(times), st.booleans(), st.booleans(), st.booleans()
)
access_states = st.builds(
    AccessState,
    st.sampled_from(Policy),
    st.lists(senders, max_size=3).map(lambda all_: MappingProxyType({one.sender: one for one in all_})),
    st.lists(groups, max_size=3).map(lambda all_: MappingProxyType({one.chat: one for one in all_})),
    lists(pending),
    lists(st.builds(Invitation, texts, texts, st.sampled_from(Role), times, times, limits)),
    st.dictionaries(ids, st.builds(WrongCodes, lists(times), optional(times)), max_size=3).map(MappingProxyType),
)

attachments = st.builds(
    Attachment,
    st.sampled_from(AttachmentKind),
    texts,
    texts,
    optional(texts),
    optional(texts),
    optional(numbers),
    optional(numbers),
)
places = st.builds(Place, ids, st.sampled_from(ChatKind), ids, texts, texts, optional(ids), optional(texts))
replied = st.builds(RepliedTo, ids, texts, st.booleans(), optional(attachments))
messages = st.builds(
    InboundMessage,
    numbers,
    places,
    ids,
    times,
    texts,
    optional(attachments),
    optional(texts),
    optional(replied),
    optional(texts),
    optional(texts),
    st.booleans(),
    st.booleans(),
    st.dictionaries(texts, texts, max_size=3),
)
presses = st.builds(ButtonPress, numbers, places, texts, texts, ids, texts)
reactions = st.builds(ReactionChange, numbers, places, ids, times, lists(texts), lists(texts))
deliverables = messages | presses | reactions

fetches = st.builds(Fetch, st.sampled_from(FetchState), optional(texts), texts, texts, st.booleans())
quarantined = st.builds(QuarantinedUpdate, numbers, texts, times, texts)
verdicts = st.builds(
    Verdict, st.sampled_from(Behavior), ids, texts, st.sampled_from(How), times, optional(numbers), texts
)
details = st.builds(Details, texts, lists(st.builds(Suggestion, texts, texts)), texts)
prompts = st.builds(
    Prompt,
    texts,
    texts,
    st.builds(PermissionRequest, texts, texts, texts, texts),
    times,
    lists(st.builds(Card, ids, ids)),
    optional(verdicts),
    optional(st.sampled_from(Closing)),
    st.booleans(),
    st.booleans(),
    optional(details),
)
orders = st.builds(
    Order, st.sampled_from(OrderKind), texts, ids, texts, times, ids, ids, optional(ids), st.booleans()
)
wishes = st.builds(Wishes, st.booleans(), st.booleans())
sessions = st.builds(SessionRecord, texts, numbers, times, times, texts, st.booleans(), st.booleans(), texts, texts)
topics = st.builds(TopicBinding, ids, ids, texts, optional(texts), texts, st.booleans())
questions = st.builds(Question, ids, optional(ids), ids, times)
reports = st.builds(
    HealthReport, st.sampled_from(BridgeState), numbers, times, texts, texts, optional(times), optional(times)
)
audit_rows = st.builds(AuditRow, times, texts, texts, texts, texts)
