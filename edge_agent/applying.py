"""Puts the desired state to use: profiles are swapped between two messages, and what they can read now is read."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.messages import DesiredProfile, DesiredState, Reported
from edge_agent.discovery import Discovery
from edge_agent.downlink import Executor
from edge_agent.downlink.desired import Applied, apply_profiles
from edge_agent.intake import Intake
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.profiles import ProfileSet

log = logging.getLogger(__name__)

APPLY_S_MAX = 20.0
"""Compiling and trying the examples of all profiles of one document; what takes longer is refused."""
LOOK_S = 10.0
"""So often it is seen whether a profile that was too slow has rested enough."""
_Travelled = msgspec.msgpack.Decoder(list[DesiredProfile])


class Applying:
    """The desired state of one gateway, of which the newest document is applied. ``run`` runs beside the intake.

    own      the profiles that came with the agent and the site's own
    keys     whose signature on a travelling profile counts, asked for at each document; none: all are refused
    applied  called with a document once it is in use
    """

    def __init__(
        self,
        own: ProfileSet,
        keys: Callable[[], Sequence[Ed25519PublicKey]],
        writer: OutboxWriter,
        intake: Intake,
        executor: Executor,
        discovery: Discovery,
        now_ms: Callable[[], int],
        checkpoint: Callable[[str], None],
        applied: Callable[[DesiredState], None],
    ) -> None:
        self._own = list(own.profiles.values())
        self._keys = keys
        self._writer = writer
        self._intake = intake
        self._executor = executor
        self._discovery = discovery
        self._now_ms = now_ms
        self._checkpoint = checkpoint
        self._applied = applied
        self._wanted: tuple[DesiredState, bytes] | None = None
        self._some = asyncio.Event()
        self.look_s = LOOK_S
        self._refusing = ""  # why the last document was refused
        self.desired = self._kept_state()
        """What is in use."""
        self.now = Applied({}, {}, own)
        """What became of its profiles."""
        taken = self._kept_profiles()
        if taken or self.desired.profiles:
            before = {travelled.profile: travelled for travelled in taken}
            self.now = apply_profiles(self._own, before, self.desired.profiles, keys())
            for name in (before.keys() - self.now.taken.keys()) | self.now.refused.keys():
                log.error("profile can't be used", extra={"profile": name, "reason": self.now.refused.get(name, "")})
        self._use()

    def submit(self, desired: DesiredState, document: bytes) -> None:
        """A document from the cloud. Of several that wait the last one counts; one that is in use changes nothing."""
        if desired.version != self.desired.version:
            self._wanted = desired, document
            self._some.set()

    def refuse(self, version: int, fault: str) -> None:
        """A document that is not the cloud's, or too old: nothing changes. The cloud is told of each fault once."""
        if fault != self._refusing:
            self._refusing = fault
            self._writer.pending.urgent.append(
                Reported(version=version, applied=False, reason=fault, at_ms=self._now_ms())
            )
            self._writer.wake()

    async def run(self) -> None:
        """Apply documents until cancelled."""
        await self._read_again()  # the agent may have died before, or come with better profiles
        while True:
            rested = self.now.profiles.guard.resting().keys()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.look_s):
                    await self._some.wait()
            self._some.clear()
            wanted, self._wanted = self._wanted, None
            if wanted is not None:
                await self._apply(*wanted)
            if rested - self.now.profiles.guard.resting().keys():
                await self._read_again()  # what came while it rested

    async def _apply(self, desired: DesiredState, document: bytes) -> None:
        self._refusing = ""
        before, bound_before = self.now, set(self.now.profiles.bound)
        if desired.profiles != list(before.taken.values()) or before.refused:
            self.now = await self._compiled(desired)
        self._intake.forget([device for device, _ in desired.away.items() - self.desired.away.items()])
        self.desired = desired
        pending = self._writer.pending
        if self.now.taken != before.taken:
            pending.documents["profiles"] = msgspec.msgpack.encode(list(self.now.taken.values()))
        pending.documents["desired"] = document
        self._use()
        refused = dict(self.now.refused)
        reason = "; ".join(f"{name}: {why}" for name, why in refused.items())
        at_ms = self._now_ms()
        pending.urgent.append(
            Reported(version=desired.version, applied=True, reason=reason[:1_000], refused=refused, at_ms=at_ms)
        )
        self._writer.wake()
        for name, why in refused.items():
            log.error("profile refused", extra={"profile": name, "reason": why})
        self._applied(desired)
        if self.now.profiles is not before.profiles or not self.now.profiles.bound <= bound_before:
            await self._read_again()

    async def _compiled(self, desired: DesiredState) -> Applied:
        """In a thread: messages come in meanwhile, and are read as before."""
        before = self.now
        try:
            async with asyncio.timeout(APPLY_S_MAX):
                keys = self._keys()
                return await asyncio.to_thread(apply_profiles, self._own, before.taken, desired.profiles, keys)
        except TimeoutError:
            late = [each for each in desired.profiles if before.taken.get(each.profile) != each]
            return before._replace(refused={each.profile: f"took more than {APPLY_S_MAX:.0f} s" for each in late})

    def _use(self) -> None:
        """Between two messages: no message is read with half of it."""
        profiles = self.now.profiles
        profiles.use_devices(self.desired.devices)
        self._intake.profiles = self._executor.profiles = profiles
        self._discovery.use_profiles(profiles)

    async def _read_again(self) -> None:
        await self._writer.flushed()  # what was refused until now is on disk, and can be counted on
        kept = await self._writer.insist(self._writer.outbox.kept_messages)
        if kept and self._intake.read_again(kept):
            self._checkpoint("before_recovery")
            await self._writer.flushed()
            self._checkpoint("after_recovery")

    def _kept_state(self) -> DesiredState:
        try:
            kept = self._writer.outbox.document("desired")
            if kept:
                _Travelled.decode(self._writer.outbox.document("profiles") or b"\x90")
                return msgspec.msgpack.decode(kept, type=DesiredState)
        except (msgspec.DecodeError, ValueError) as error:
            log.error("the kept desired state is damaged; the cloud's is applied", extra={"error": str(error)})
        return DesiredState(version=0)

    def _kept_profiles(self) -> list[DesiredProfile]:
        try:
            return _Travelled.decode(self._writer.outbox.document("profiles") or b"\x90")
        except (msgspec.DecodeError, ValueError):
            return []
