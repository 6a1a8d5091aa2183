"""Send commands while their gateway is there and their time to live lasts; look for their effect.

The gateway counts what is left of the time to live from receipt on its own monotonic clock, so a command that is late
on the way is not acted on late. One that is not acknowledged by the gateway's word is sent again: ids are remembered
there, a repetition never acts twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Protocol

from cloud_api.commands import records
from cloud_api.commands.models import CommandRow
from cloud_api.commands.service import Commands, LatestSeen
from cloud_api.commands.states import UNSENT, Event, State
from cloud_api.signing import Seal
from contracts import topics
from contracts.messages import Command, Precondition
from contracts.reading import Quality
from contracts.verbs import VERBS
from device_registry import DatabaseUnavailable, database_errors

log = logging.getLogger(__name__)

RESEND_MS = 3_000
EXECUTING_GRACE_MS = 3_000
"""How long after the effect the gateway's word on the end is waited for before telemetry alone confirms."""
EFFECT_MS_MAX = 15 * 60_000
"""How long after a command's time to live its effect is still looked for."""


class Publish(Protocol):
    """Publishes with QoS 1. Returns whether the broker has taken it."""

    async def __call__(self, topic: str, payload: bytes, retain: bool = False) -> bool: ...


class CommandSender:
    """One task of the program: ``run``. All it needs to remember is in the database.

    online  is this gateway there?
    latest  (gateway, external id, metric) -> its latest sample, or None
    seal    signs what is sent
    """

    def __init__(
        self,
        commands: Commands,
        clock: Callable[[], int],
        publish: Publish,
        online: Callable[[str], bool],
        latest: LatestSeen,
        wake: asyncio.Event,
        seal: Seal,
    ) -> None:
        self._commands = commands
        self._clock = clock
        self._publish = publish
        self._online = online
        self._latest = latest
        self._wake = wake
        self._seal = seal
        self._sent_ms: dict[str, int] = {}  # command -> when it was last given to the broker

    async def run(self, idle_s: float = 0.25) -> None:
        """Work until cancelled. Wakes at once for a new command, else every ``idle_s``."""
        while True:
            self._wake.clear()
            try:
                with database_errors():
                    busy = await self.step()
            except DatabaseUnavailable as error:
                log.error("commands stand still", extra={"error": str(error)})
                busy = False
            # asyncio.wait_for loses, up to Python 3.11, a cancellation that comes together with the end of the time.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(idle_s if busy else 4 * idle_s):
                    await self._wake.wait()

    async def step(self) -> bool:
        """Do all that is due now. Returns whether any command is under way."""
        waiting = await records.to_send()
        for row in waiting:
            await self._send(row)
        ids = {row.id for row in waiting}
        self._sent_ms = {command: at_ms for command, at_ms in self._sent_ms.items() if command in ids}
        return await self.look_for_effects() or bool(waiting)

    async def _send(self, row: CommandRow) -> None:
        now_ms = self._clock()
        if now_ms >= row.expires_ms:
            if State(row.state) in UNSENT:
                await self._apply(row, Event.TTL_PASSED, now_ms, row.reason or "time_to_live_passed")
            return
        if not self._online(row.gateway_id) or now_ms - self._sent_ms.get(row.id, 0) < RESEND_MS:
            return
        message = Command(
            command_id=row.id,
            device=row.external_id,
            verb=row.verb,
            args=row.args,
            ttl_ms=row.expires_ms - now_ms,
            issuer=row.issuer,
            issued_ms=row.created_ms,
            sent_ms=now_ms,
            precondition=Precondition(**row.precondition) if row.precondition else None,
            cancel=row.cancel_ms is not None,
            gateway=row.gateway_id,
        )
        if not await self._publish(topics.command(row.gateway_id), self._seal(message)):
            return  # the link is down: it stays queued
        self._sent_ms[row.id] = now_ms
        await self._apply(row, Event.SENT, now_ms, "")

    async def _apply(self, row: CommandRow, event: Event, at_ms: int, reason: str) -> None:
        changed = await records.apply(row.id, event, at_ms, "cloud", reason)
        if changed is not None:
            await self._commands.changed(changed)

    async def look_for_effects(self) -> bool:
        """Compare what devices say now with what their commands should bring about. Returns whether any is watched."""
        now_ms = self._clock()
        rows = await records.watched(now_ms - EFFECT_MS_MAX)
        for row in rows:
            changed = await self._effect(row, now_ms)
            if changed is not None:
                await self._commands.changed(changed)
        return bool(rows)

    async def _effect(self, row: CommandRow, now_ms: int) -> CommandRow | None:
        effect = VERBS[row.verb].effect
        seen = self._latest(row.gateway_id, row.external_id, effect.metric)
        if (
            seen is not None
            and seen.value is not None
            and seen.quality != Quality.BAD
            and (row.effect_ms is None or seen.received_ms > row.effect_ms)
            and effect.holds(seen.value, row.args, row.before["value"])
        ):
            return await records.effect_seen(row.id, seen.received_ms, seen.observed_ms)
        if row.state == State.EXECUTING.value and row.effect_ms and now_ms - row.effect_ms > EXECUTING_GRACE_MS:
            return await records.confirm_executing(row.id)
        return None
