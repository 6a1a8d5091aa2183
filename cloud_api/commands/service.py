"""Take commands in, follow what happens to them, tell those who watch."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

import msgspec

from cloud_api import approvals
from cloud_api.commands import records, selections
from cloud_api.commands.models import CommandRow
from cloud_api.commands.schema import Command, CommandBody, Selection, SelectionBody, in_json
from cloud_api.commands.states import ENDED, State
from cloud_api.problems import Problem
from contracts.messages import CommandProgress
from contracts.reading import Quality, Value
from contracts.verbs import VERBS, arguments_fault
from contracts.vocabulary import METRICS
from device_registry import Device, NotFound

log = logging.getLogger(__name__)

COMMAND_ID = re.compile(r"[A-Za-z0-9-]{1,40}")


class Seen(Protocol):
    """A metric's latest sample by event time. observed_ms is the event's, received_ms the gateway's."""

    @property
    def value(self) -> Value | None: ...
    @property
    def observed_ms(self) -> int: ...
    @property
    def received_ms(self) -> int: ...
    @property
    def quality(self) -> Quality: ...


LatestSeen = Callable[[str, str, str], Seen | None]
"""(gateway, external id, metric) -> its latest sample, None when there is none."""


class Announce(Protocol):
    """Tells those who watch the live stream."""

    def __call__(self, kind: str, data: Mapping[str, Any]) -> None: ...


class Commands:
    """The front door of the feature. ``sender.CommandSender`` does the sending.

    clock     now, ms UTC
    new_id    a fresh command id, never given twice
    latest    what a device last said of a metric
    announce  called with ("command", the command in JSON) on each change
    on_work   called when the sender has something new to do
    """

    def __init__(
        self,
        clock: Callable[[], int],
        new_id: Callable[[], str],
        latest: LatestSeen,
        announce: Announce,
        on_work: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._latest = latest
        self._announce = announce
        self._on_work = on_work
        self.changes: dict[str, int] = {}
        """State -> commands that came to it since the start."""

    async def create(self, device: Device, body: CommandBody, key: str, issuer: str) -> Command:
        """Accept a command. The same key and body again gives the command that is there, and nothing happens twice.

        Raises Problem device_pending, verb_unsupported, arguments_invalid, metric_unknown (precondition),
        idempotency_key_reused, selection_needed, selection_refused, state_changed, approval_needed, approval_refused.
        """
        _check(device, body.verb, body.args)
        if body.precondition is not None and body.precondition.metric not in METRICS:
            raise Problem("metric_unknown", f"there is no metric {body.precondition.metric!r}")
        now_ms = self._clock()
        verb = VERBS[body.verb]
        ttl_ms = body.ttl_ms if body.ttl_ms is not None else verb.ttl_ms
        what = body.model_dump(exclude={"selection", "approval"})
        asked = msgspec.json.encode([device.id, what], order="deterministic")
        digest = blake2b(asked, digest_size=16).hexdigest()
        seen = self._latest(device.gateway_id, device.external_id, verb.effect.metric)
        if seen is not None and seen.observed_ms < device.since_ms:
            seen = None  # another device's, which was there before
        try:
            leave = await self._leave(device, body, seen.value if seen else None, issuer, now_ms)
            row, new = await records.insert({
                "id": self._new_id(),
                "idempotency_key": key,
                "body_digest": digest,
                "device_id": device.id,
                "gateway_id": device.gateway_id,
                "external_id": device.external_id,
                "verb": body.verb,
                "args": body.args,
                "precondition": body.precondition.model_dump() if body.precondition else leave.precondition,
                "before": {"value": seen.value if seen else None},
                "issuer": issuer,
                "ttl_ms": ttl_ms,
                "expires_ms": now_ms + ttl_ms,
            }, now_ms, leave.use)  # fmt: skip
        except Problem:
            repeated = await records.by_key(key)  # then the leave was used by the same request, when it came first
            if repeated is None:
                raise
            row, new = repeated, False
        if row.body_digest != digest:
            raise Problem("idempotency_key_reused", f"Idempotency-Key {key!r} belongs to command {row.id}")
        if new:
            self._on_work()
            return await self.changed(row)
        return await self.in_json(row)

    async def select(self, device: Device, body: SelectionBody, selection_id: str, actor: str) -> Selection:
        """The first of two steps. Raises Problem device_pending, verb_unsupported, arguments_invalid."""
        _check(device, body.verb, body.args)
        verb, now_ms = VERBS[body.verb], self._clock()
        seen = self._latest(device.gateway_id, device.external_id, verb.effect.metric)
        limit_ms = METRICS[verb.effect.metric].stale_after_ms
        fresh = seen is not None and seen.quality != Quality.BAD and now_ms - seen.observed_ms <= limit_ms
        row = await selections.select(
            selection_id, device.id, body.verb, body.args, seen.value if seen else None, fresh, actor, now_ms
        )
        return Selection(
            id=row.id,
            device_id=device.id,
            verb=body.verb,
            args=body.args,
            metric=verb.effect.metric,
            value=row.seen["value"],
            second_person=verb.second_person,
            expires_ms=row.expires_ms,
        )

    async def _leave(self, device: Device, body: CommandBody, value: Value | None, actor: str, now_ms: int) -> "_Leave":
        """What has to be there beside the order: a selection, an approval. value: of the metric that the verb changes."""
        verb = VERBS[body.verb]
        precondition = None
        if body.selection is not None:
            selection = await selections.selected(body.selection, device.id, body.verb, body.args, value, actor, now_ms)
            if selection.seen["fresh"]:  # then the gateway knows it too, and looks again at the moment of acting
                metric = verb.effect.metric
                age_ms_max = METRICS[metric].stale_after_ms
                precondition = {
                    "metric": metric, "equals": selection.seen["value"], "age_ms_max": age_ms_max, "if_known": True,
                }  # fmt: skip
        elif verb.safety_relevant:
            raise Problem("selection_needed", f"{body.verb} acts on people's way or safety: select it first")
        if body.approval is not None:
            asked = {"verb": body.verb, "args": body.args}
            await approvals.approved(body.approval, "command", device.id, asked, actor, now_ms)
        elif verb.second_person:
            raise Problem("approval_needed", f"{body.verb} takes a second person: ask for an approval first")

        async def use() -> None:
            if body.selection is not None:
                await selections.use(body.selection, now_ms)
            if body.approval is not None:
                await approvals.use(body.approval, now_ms)

        return _Leave(precondition, use)

    async def cancel(self, command_id: str) -> Command:
        """Withdraw a command that has not ended: one that is still queued at once, else by asking its gateway.

        Raises NotFound, Problem command_ended.
        """
        row = await self._row(command_id)
        if State(row.state) in ENDED or row.state == State.LAPSED.value:
            raise Problem("command_ended", f"command {command_id} is {row.state}")
        row = await records.ask_to_cancel(command_id, self._clock())
        self._on_work()
        return await self.changed(row)

    async def get(self, command_id: str) -> Command:
        """One command. Raises NotFound."""
        return await self.in_json(await self._row(command_id))

    async def newest(self, device_id: str, before: tuple[int, str] | None, limit: int) -> list[Command]:
        """Commands, newest first; of one device, or of all for ""."""
        rows = await records.newest(device_id, before, limit)
        steps = await records.steps_of([row.id for row in rows])
        return [in_json(row, steps[row.id]) for row in rows]

    async def gateway_said(self, gateway_id: str, progress: CommandProgress) -> None:
        """A gateway's word on a command. Idempotent, in any order."""
        row = await records.gateway_said(gateway_id, progress)
        if row is not None:
            await self.changed(row)

    async def refused_by_gateway(self, gateway_id: str, command_id: str, reason: str) -> None:
        """A gateway does not believe that this command is ours. The word is not signed either: it only explains why nothing
        comes after it, and ends nothing."""
        if COMMAND_ID.fullmatch(command_id):
            await records.explain(gateway_id, command_id, f"refused_by_gateway: {reason}")

    async def changed(self, row: CommandRow) -> Command:
        """Tell those who watch; returns the command in JSON."""
        command = await self.in_json(row)
        self.changes[row.state] = self.changes.get(row.state, 0) + 1
        log.info("command", extra={"command_id": row.id, "state": row.state, "reason": row.reason})
        self._announce("command", command.model_dump())
        return command

    async def in_json(self, row: CommandRow) -> Command:
        """A command in JSON, with its transitions."""
        return in_json(row, (await records.steps_of([row.id]))[row.id])

    async def _row(self, command_id: str) -> CommandRow:
        row = await records.find(command_id)
        if row is None:
            raise NotFound("command", command_id)
        return row


class _Leave(NamedTuple):
    """precondition: what was seen at the selection, if it counts still; use: to be called when the command is kept."""

    precondition: Mapping[str, Any] | None
    use: Callable[[], Awaitable[None]]


def _check(device: Device, asked: str, args: Mapping[str, Any]) -> None:
    if device.status != "adopted":
        raise Problem("device_pending", f"device {device.id} waits to be adopted")
    verb = VERBS.get(asked)
    if verb is None or asked not in device.verbs:
        takes = ", ".join(device.verbs) or "none"
        raise Problem("verb_unsupported", f"device {device.id} takes these verbs: {takes}; not {asked!r}")
    fault = arguments_fault(verb, args)
    if fault:
        raise Problem("arguments_invalid", fault)
