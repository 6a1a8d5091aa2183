"""Take commands in, follow what happens to them, tell those who watch."""

import logging
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Protocol

import msgspec

from cloud_api.commands import records
from cloud_api.commands.models import CommandRow
from cloud_api.commands.schema import Command, CommandBody, in_json
from cloud_api.commands.states import ENDED, State
from cloud_api.problems import Problem
from contracts.messages import CommandProgress
from contracts.reading import Quality, Value
from contracts.verbs import VERBS, arguments_fault
from contracts.vocabulary import METRICS
from device_registry import Device, NotFound

log = logging.getLogger(__name__)


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
        idempotency_key_reused.
        """
        _check(device, body)
        now_ms = self._clock()
        verb = VERBS[body.verb]
        ttl_ms = body.ttl_ms if body.ttl_ms is not None else verb.ttl_ms
        asked = msgspec.json.encode([device.id, body.model_dump()], order="deterministic")
        digest = blake2b(asked, digest_size=16).hexdigest()
        seen = self._latest(device.gateway_id, device.external_id, verb.effect.metric)
        if seen is not None and seen.observed_ms < device.since_ms:
            seen = None  # another device's, which was there before
        row, new = await records.insert(
            {
                "id": self._new_id(),
                "idempotency_key": key,
                "body_digest": digest,
                "device_id": device.id,
                "gateway_id": device.gateway_id,
                "external_id": device.external_id,
                "verb": body.verb,
                "args": body.args,
                "precondition": body.precondition.model_dump() if body.precondition else None,
                "before": {"value": seen.value if seen else None},
                "issuer": issuer,
                "ttl_ms": ttl_ms,
                "expires_ms": now_ms + ttl_ms,
            },
            now_ms,
        )
        if row.body_digest != digest:
            raise Problem("idempotency_key_reused", f"Idempotency-Key {key!r} belongs to command {row.id}")
        if new:
            self._on_work()
            return await self.changed(row)
        return await self.in_json(row)

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


def _check(device: Device, body: CommandBody) -> None:
    if device.status != "adopted":
        raise Problem("device_pending", f"device {device.id} waits to be adopted")
    verb = VERBS.get(body.verb)
    if verb is None or body.verb not in device.verbs:
        takes = ", ".join(device.verbs) or "none"
        raise Problem("verb_unsupported", f"device {device.id} takes these verbs: {takes}; not {body.verb!r}")
    fault = arguments_fault(verb, body.args)
    if fault:
        raise Problem("arguments_invalid", fault)
    if body.precondition is not None and body.precondition.metric not in METRICS:
        raise Problem("metric_unknown", f"there is no metric {body.precondition.metric!r}")
