"""What is kept of commands: every change is one transaction that applies one event through the table of states."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q
from tortoise.functions import Count

from cloud_api.commands.models import CommandRow, TransitionRow
from cloud_api.commands.states import ENDED, GATEWAY_WORDS, UNSENT, Event, State, after
from contracts.messages import CommandProgress
from device_registry import visible_gateways, writing

EFFECT_DELAY_MS_MAX = 10_000
"""A sample that reached its gateway later than this after its own time shows the past, not the effect."""


async def by_key(idempotency_key: str) -> CommandRow | None:
    """The command that has this key."""
    return await CommandRow.get_or_none(idempotency_key=idempotency_key)


async def insert(
    values: Mapping[str, Any], now_ms: int, use_leave: Callable[[], Awaitable[None]]
) -> tuple[CommandRow, bool]:
    """A new queued command; or the one that has the same idempotency key. Returns it and whether it is new.

    use_leave  called in the same transaction: uses what the command is given under, or raises
    """
    try:
        async with writing():
            await use_leave()
            row = await CommandRow.create(**values, state=State.QUEUED.value, created_ms=now_ms)
            await TransitionRow.create(command_id=row.id, state=State.QUEUED.value, at_ms=now_ms, source="cloud")
            return row, True
    except IntegrityError:
        return await CommandRow.get(idempotency_key=values["idempotency_key"]), False


async def find(command_id: str) -> CommandRow | None:
    """One command, if its gateway is seen here."""
    row = await CommandRow.get_or_none(id=command_id)
    seen = await visible_gateways()
    return row if row is not None and (seen is None or row.gateway_id in seen) else None


async def newest(device_id: str, before: tuple[int, str] | None, limit: int) -> list[CommandRow]:
    """Commands, newest first; of one device, or of all for ""."""
    rows = CommandRow.filter(**({"device_id": device_id} if device_id else {}))
    if (seen := await visible_gateways()) is not None:
        rows = rows.filter(gateway_id__in=sorted(seen))
    if before is not None:
        # Several commands may have one millisecond: the id decides among them.
        at_ms, last_id = before
        rows = rows.filter(Q(created_ms__lt=at_ms) | Q(created_ms=at_ms, id__lt=last_id))
    return await rows.order_by("-created_ms", "-id").limit(limit)


async def steps_of(command_ids: list[str]) -> dict[str, list[TransitionRow]]:
    """Command -> its transitions in the order in which they were taken."""
    found: dict[str, list[TransitionRow]] = {command_id: [] for command_id in command_ids}
    for step in await TransitionRow.filter(command_id__in=command_ids).order_by("id"):
        found[step.command_id].append(step)  # type: ignore[attr-defined]
    return found


async def to_send() -> list[CommandRow]:
    """Commands the sender has work with, oldest first: not yet received, or to be withdrawn."""
    unsent = await CommandRow.filter(state__in=[state.value for state in UNSENT]).order_by("created_ms", "id")
    withdrawn = await CommandRow.filter(
        state__in=[State.RECEIVED.value, State.EXECUTING.value], cancel_ms__isnull=False
    ).order_by("created_ms", "id")
    return [*unsent, *withdrawn]


async def watched(expired_after_ms: int) -> list[CommandRow]:
    """Commands whose effect may still show: sent, not confirmed, and their time to live ended after this, if it did."""
    states = [State.SENT, State.LAPSED, State.RECEIVED, State.EXECUTING, State.SUCCEEDED, State.UNKNOWN]
    return await CommandRow.filter(state__in=[state.value for state in states], expires_ms__gt=expired_after_ms)


async def count_open() -> dict[str, int]:
    """State -> how many commands are in it that have not ended."""
    states = [state.value for state in State if state not in ENDED]
    rows = (
        await CommandRow.filter(state__in=states).annotate(many=Count("id")).group_by("state").values("state", "many")
    )
    return dict.fromkeys(states, 0) | {row["state"]: row["many"] for row in rows}


async def apply(command_id: str, event: Event, at_ms: int, source: str, reason: str = "") -> CommandRow | None:
    """Apply one event. Returns the command when that changed it, None when the table has nothing for it."""
    async with writing():
        row = await CommandRow.get_or_none(id=command_id)
        return row if row is not None and await _move(row, event, at_ms, source, reason) else None


async def ask_to_cancel(command_id: str, now_ms: int) -> CommandRow:
    """Withdraw a command: at once while it is queued, else by asking its gateway."""
    async with writing():
        row = await CommandRow.get(id=command_id)
        if row.cancel_ms is None:
            row.cancel_ms = now_ms
            await row.save(update_fields=["cancel_ms"])
        await _move(row, Event.CANCEL_ASKED, now_ms, "cloud", "cancelled_by_issuer")
        return row


async def gateway_said(gateway_id: str, progress: CommandProgress) -> CommandRow | None:
    """Apply a gateway's word, whenever and however often it comes. Returns the command when that changed it.

    A word on a command of another gateway, or on none that we know, changes nothing.
    """
    event = GATEWAY_WORDS[progress.state]
    source = "device" if event is Event.SUCCEEDED else "gateway"
    async with writing():
        row = await CommandRow.get_or_none(id=progress.command_id, gateway_id=gateway_id)
        if row is None:
            return None
        if row.acted_after_ms is None or progress.at_ms < row.acted_after_ms:
            row.acted_after_ms = progress.at_ms
            await row.save(update_fields=["acted_after_ms"])
        changed = await _move(row, event, progress.at_ms, source, progress.reason)
        return row if await _confirm(row) or changed else None


async def explain(gateway_id: str, command_id: str, reason: str) -> None:
    """Note why a command that was sent may stay without an answer; whatever happens to it next says so in its place."""
    rows = CommandRow.filter(id=command_id, gateway_id=gateway_id, state=State.SENT.value)
    await rows.update(reason=reason[:200])


async def effect_seen(command_id: str, received_ms: int, observed_ms: int) -> CommandRow | None:
    """Note a sample that shows the effect (times by gateway and device). Returns the command when that confirmed it."""
    async with writing():
        row = await CommandRow.get_or_none(id=command_id)
        if row is None or received_ms - observed_ms > EFFECT_DELAY_MS_MAX:
            return None
        if row.effect_ms is None or received_ms > row.effect_ms:
            row.effect_ms = received_ms
            await row.save(update_fields=["effect_ms"])
        return row if await _confirm(row) else None


async def confirm_executing(command_id: str) -> CommandRow | None:
    """Confirm a command that shows its effect though its gateway has not said how it ended."""
    async with writing():
        row = await CommandRow.get(id=command_id)
        return row if await _confirm(row, while_executing=True) else None


async def _confirm(row: CommandRow, while_executing: bool = False) -> bool:
    # Both times are the gateway's, so its clock may be wrong without doing harm here.
    if row.effect_ms is None or row.acted_after_ms is None or row.effect_ms < row.acted_after_ms:
        return False
    if row.state == State.EXECUTING.value and not while_executing:
        return False  # the gateway's word on how it ended is on its way; telemetry was only faster
    # Confirmed is a word and an effect, so it is not earlier than either; the sample may have come first.
    last = await TransitionRow.filter(command_id=row.id).order_by("-id").first()
    at_ms = max(row.effect_ms, last.at_ms if last else 0)
    return await _move(row, Event.EFFECT_SEEN, at_ms, "telemetry", "")


async def _move(row: CommandRow, event: Event, at_ms: int, source: str, reason: str) -> bool:
    state = State(row.state)
    following = after(state, event)
    if following is state:
        return False
    row.state, row.reason = following.value, reason[:200]
    if following is State.SENT:
        row.sent_ms = at_ms
    if following is State.CONFIRMED:
        row.confirmed_ms = at_ms
    await row.save(update_fields=["state", "reason", "sent_ms", "confirmed_ms"])
    await TransitionRow.create(command_id=row.id, state=row.state, at_ms=at_ms, source=source, reason=row.reason)
    return True
