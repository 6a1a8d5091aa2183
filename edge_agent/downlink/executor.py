"""Carries out commands: remembers the id on disk before it acts, acts once, and believes only the device's own word."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

from contracts.messages import Command, CommandProgress, Precondition
from contracts.reading import Value
from edge_agent.downlink.states import FINAL, after_restart, move
from edge_agent.outbox.batch import CommandEntry, SeenDevice
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.profiles import Action, ActionRefused, Confirm, Decoded, ProfileSet

log = logging.getLogger(__name__)

COMMANDS_MAX = 256
"""Commands in hand at once; more are rejected."""
LATEST_MAX = 10_000

Publish = Callable[[str, bytes, int, bool], Awaitable["Outcome | None"]]
"""(topic, payload, QoS, retain) -> how it ended, if the device has said so already; else its telemetry will tell."""


class Outcome(NamedTuple):
    """The device's own word: did it obey?"""

    state: Literal["succeeded", "failed", "unknown"]
    reason: str = ""


class _Waiting(NamedTuple):
    confirm: Confirm
    done: "asyncio.Future[None]"


class Executor:
    """Commands of one gateway. ``run`` must be running before ``submit`` is called.

    now_ms, clock_error_ms  the time as the cloud has told it, and by how much it may be wrong; -1: not told yet
    """

    def __init__(
        self,
        profiles: ProfileSet,
        writer: OutboxWriter,
        devices: dict[str, SeenDevice],
        publish: Publish,
        now_ms: Callable[[], int],
        monotonic_ms: Callable[[], int],
        checkpoint: Callable[[str], None],
        clock_error_ms: Callable[[], int],
    ) -> None:
        self.profiles = profiles
        self._writer = writer
        self._devices = devices
        self._publish = publish
        self._now_ms = now_ms
        self._monotonic_ms = monotonic_ms
        self._checkpoint = checkpoint
        self._clock_error_ms = clock_error_ms
        self._inbox: asyncio.Queue[Command] = asyncio.Queue(COMMANDS_MAX)
        self._in_hand: dict[str, str] = {}  # command id -> state
        self._locks: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, list[_Waiting]] = {}
        self._latest: dict[str, dict[str, tuple[Value, int]]] = {}

    def submit(self, command: Command) -> None:
        """Take a command from the cloud; when too many are in hand it is not taken, and the cloud sends it again."""
        try:
            self._inbox.put_nowait(command)
        except asyncio.QueueFull:
            log.error("too many commands", extra={"command_id": command.command_id})

    def observe(self, decoded: Decoded) -> None:
        """A device that can be told something has spoken: latest values for preconditions, and maybe an answer."""
        device = decoded.readings[0].device
        if device not in self._latest and len(self._latest) >= LATEST_MAX:
            del self._latest[next(iter(self._latest))]
        latest = self._latest.setdefault(device, {})
        for reading in decoded.readings:
            for sample in reading.samples:
                if sample.value is not None:
                    latest[sample.metric] = (sample.value, self._monotonic_ms())
        for waiting in self._waiting.get(device, ()):
            for reading in decoded.readings:
                for sample in reading.samples:
                    fits = sample.metric == waiting.confirm.metric and _fits(sample.value, waiting.confirm.equals)
                    if fits and not waiting.done.done():
                        waiting.done.set_result(None)

    async def run(self) -> None:
        """Close what a crash left open, then carry out commands until cancelled."""
        for state in ("received", "executing"):
            for entry in await self._writer.insist(self._writer.outbox.commands_in, state):
                self._say(entry.command_id, after_restart(state), "agent_restarted")
        async with asyncio.TaskGroup() as tasks:
            while True:
                command = await self._inbox.get()
                received_ms = self._monotonic_ms()
                known = self._in_hand.get(command.command_id)
                if known is None:
                    earlier = await self._writer.insist(self._writer.outbox.command, command.command_id)
                    if earlier is not None:
                        self._repeat(earlier)
                        continue
                if command.cancel:
                    if known == "received":
                        self._in_hand[command.command_id] = move(known, "cancelled")
                elif command.sent_ms and self._clock_error_ms() < 0:
                    log.warning("time not known: the command must come again", extra={"command_id": command.command_id})
                elif known is None and len(self._in_hand) < COMMANDS_MAX:
                    self._in_hand[command.command_id] = ""
                    tasks.create_task(self._carry_out(command, received_ms + command.ttl_ms))

    def _repeat(self, entry: CommandEntry) -> None:
        """The same id again: answer with the first result, never act twice."""
        self._writer.pending.urgent.append(_progress(*entry))
        self._writer.wake(at_once=True)

    def _say(self, command_id: str, state: str, reason: str = "") -> None:
        at_ms = self._now_ms()
        batch = self._writer.pending
        batch.commands.append(CommandEntry(command_id, state, reason, at_ms))
        batch.urgent.append(_progress(command_id, state, reason, at_ms))
        self._writer.wake(at_once=True)
        log.info("command", extra={"command_id": command_id, "state": state, "reason": reason})

    async def _carry_out(self, command: Command, deadline_ms: int) -> None:
        name = command.command_id

        def become(state: str, reason: str = "") -> None:
            self._in_hand[name] = move(self._in_hand[name], state)
            self._say(name, state, reason)

        try:
            if command.ttl_ms <= 0 or self._was_held_up(command):
                return become("expired", "ttl_passed")
            try:
                action = self._prepare(command)
            except ActionRefused as error:
                return become("rejected", str(error))
            become("received")
            await self._writer.flushed()
            async with self._locks.setdefault(command.device, asyncio.Lock()):
                if self._in_hand[name] == "cancelled":
                    return self._say(name, "cancelled")
                if self._monotonic_ms() >= deadline_ms:
                    return become("expired", "ttl_passed")
                if reason := self._hindrance(command.device, command.precondition):
                    return become("rejected", reason)
                become("executing")
                await self._writer.flushed()
                state, reason = await self._act(command, action)
                become(state, reason)
        finally:
            if self._in_hand.get(name) in FINAL:
                # the writer has the last word in its pending batch; wait until a repeat would find it on disk
                await self._writer.flushed()
                self._in_hand.pop(name, None)

    def _was_held_up(self, command: Command) -> bool:
        """Whatever a broker, whose clock may be wrong, kept for longer than its time to live is not carried out."""
        if not command.sent_ms:
            return False  # a cloud that does not say when
        return self._now_ms() - command.sent_ms - self._clock_error_ms() > command.ttl_ms

    def _prepare(self, command: Command) -> Action:
        seen = self._devices.get(command.device)
        if seen is None:
            raise ActionRefused("device_unknown", command.device[:64])
        return self.profiles.action(seen.profile, command.device, command.verb, command.args)

    def _hindrance(self, device: str, precondition: Precondition | None) -> str:
        if precondition is None:
            return ""
        value, since_ms = self._latest.get(device, {}).get(precondition.metric, (None, 0))
        if value is None or self._monotonic_ms() - since_ms > precondition.age_ms_max:
            return "" if precondition.if_known else "precondition_not_fresh"
        return "" if value == precondition.equals else "precondition_failed"

    async def _act(self, command: Command, action: Action) -> tuple[str, str]:
        self._checkpoint("before_act")
        waiting: _Waiting | None = None
        if action.confirm is not None:
            waiting = _Waiting(action.confirm, asyncio.get_running_loop().create_future())
            self._waiting.setdefault(command.device, []).append(waiting)
        try:
            outcome = await self._publish(action.topic, action.payload, action.qos, action.retain)
            self._checkpoint("after_act")
            if outcome is not None:
                return outcome
            if waiting is None:
                return "unknown", "device_gives_no_word"
            async with asyncio.timeout(waiting.confirm.within_ms / 1000):
                await waiting.done
            return "succeeded", ""
        except ConnectionError:
            return "unknown", "local_broker_lost"
        except TimeoutError:
            return "failed", "no_answer"
        except Exception as error:  # a mistake of ours: it costs this command and no other
            log.exception("a command could not be carried out", extra={"command_id": command.command_id})
            return "unknown", f"act_failed: {type(error).__name__}"
        finally:
            if waiting is not None:
                self._waiting[command.device].remove(waiting)
                if not self._waiting[command.device]:
                    del self._waiting[command.device]


def _progress(command_id: str, state: Any, reason: str, at_ms: int) -> CommandProgress:
    return CommandProgress(command_id=command_id, state=state, reason=reason, at_ms=at_ms)


def _fits(value: Value | None, equals: Any) -> bool:
    if value is None:
        return False
    if equals is None or value == equals:
        return True
    numbers = isinstance(value, int | float) and isinstance(equals, int | float) and not isinstance(value, bool)
    return numbers and abs(value - equals) < 0.051
