"""From a message of the local broker to readings in the pending batch, or to a refusal that is counted and kept."""

import hashlib
import logging
from collections.abc import Callable, Iterable

from contracts.messages import DeviceSeen, Recovered, Refused
from contracts.vocabulary import URGENT
from edge_agent.outbox.batch import Batch, Delivery, KeptMessage, RawMessage, SeenDevice
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.profiles import Decoded, ProfileSet, Undecodable
from edge_agent.quota import Quota
from edge_agent.southbound import Publish

log = logging.getLogger(__name__)

HEAD_BYTES = 256
FOLD_MS = 60_000
FOLDS_MAX = 1_000
"""Different (topic, reason) pairs that are remembered; a flood of more is folded under one name."""
RAW_BYTES_MAX = 16_384
"""A refused message that is longer is not kept."""
DEVICES_MAX = 10_000
"""Of one gateway; what speaks of more is refused. Each stands in memory, in the outbox and in the desired state."""
UNREAD = ("topic_unknown", "no_profile")
"""Why a message is offered to discovery: no profile reads it at all."""


class Intake:
    """Takes waves of messages, decodes them, and puts them into the writer's pending batch.

    full, drained   called when more than ``messages_max`` wait for their commit, and when they no longer do
    unread          called with topic, payload and time of what no profile reads
    observe         called with what was decoded of a device that can be told something (commands wait for it)
    """

    def __init__(
        self,
        profiles: ProfileSet,
        writer: OutboxWriter,
        devices: dict[str, SeenDevice],
        recent: dict[int, bytes],
        now_ms: Callable[[], int],
        steady_ms: Callable[[], int],
        messages_max: int,
        quota: Quota,
        observe: Callable[[Decoded], None],
        full: Callable[[], None],
        drained: Callable[[], None],
        unread: Callable[[str, bytes, int], None],
    ) -> None:
        self.profiles = profiles
        self.devices = devices
        self.messages = 0
        self.readings = 0
        self.samples = 0
        self.repeats = 0
        self.refusals: dict[str, int] = {}
        self._writer = writer
        self._recent = recent
        self._now_ms = now_ms
        self._steady_ms = steady_ms
        self._messages_max = messages_max
        self._quota = quota
        self._observe = observe
        self._full = full
        self._drained = drained
        self._unread = unread
        self._in_progress: dict[int, bytes] = {}
        self._waiting = 0
        self._is_full = False
        self._is_followed = False  # at debug level every message is logged
        self._folds: dict[tuple[str, str], tuple[int, int]] = {}  # (topic, reason) -> (since_ms, folded since)

    def take(self, publishes: list[Publish]) -> None:
        """Decode a wave of messages into the pending batch."""
        now_ms, steady_ms = self._now_ms(), self._steady_ms()
        batch = self._writer.pending
        self._is_followed = log.isEnabledFor(logging.DEBUG)
        for publish in publishes:
            if publish.qos:
                digest = hashlib.blake2b(publish.topic.encode() + b"\0" + publish.payload, digest_size=8).digest()
                if publish.dup and self._is_repeat(publish.packet_id, digest, batch):
                    continue
                self._in_progress[publish.packet_id] = digest
                batch.deliveries.append(Delivery(publish.packet_id, digest))
                batch.acks.append(publish.packet_id)
            batch.messages += 1
            self._waiting += 1
            self._decode(publish, now_ms, steady_ms, batch)
        self.messages += len(publishes)
        if self._waiting >= self._messages_max and not self._is_full:
            self._is_full = True
            self._full()
        self._writer.wake()

    def _is_repeat(self, packet_id: int, digest: bytes, batch: Batch) -> bool:
        """Delivered again after it was committed, or while it waits for its commit: it is stored once."""
        if self._in_progress.get(packet_id) == digest:
            self.repeats += 1
            return True  # its PUBACK goes out with its commit
        if self._recent.get(packet_id) == digest:
            self.repeats += 1
            batch.acks.append(packet_id)
            batch.messages += 1
            self._waiting += 1
            return True
        return False

    def _decode(self, publish: Publish, now_ms: int, steady_ms: int, batch: Batch) -> None:
        if not self._quota.allows(publish.topic, steady_ms):  # the clock may be set back
            self._refuse(publish, Undecodable("quota_exceeded", "this topic says too much"), now_ms, batch)
            return
        try:
            decoded = self.profiles.decode(publish.topic, publish.payload, now_ms)
        except Undecodable as error:
            if not self.profiles.is_spoken(publish.topic):
                self._refuse(publish, error, now_ms, batch)
                if error.reason in UNREAD:
                    self._unread(publish.topic, publish.payload, now_ms)
            return
        if self._is_beyond(decoded):
            beyond = Undecodable("too_many_devices", f"{DEVICES_MAX} at most", decoded[0].profile)
            self._refuse(publish, beyond, now_ms, batch)
            return
        self._take_in(decoded, now_ms, batch)
        for part in decoded:
            if part.verbs:
                self._observe(part)
            if self._is_followed:
                about = {"topic": publish.topic, "device": part.device, "commit": batch.number}
                log.debug("message decoded", extra=about)

    def _is_beyond(self, decoded: tuple[Decoded, ...]) -> bool:
        """Whether this would be a device too many."""
        return len(self.devices) >= DEVICES_MAX and any(part.device not in self.devices for part in decoded)

    def _take_in(self, decoded: tuple[Decoded, ...], now_ms: int, batch: Batch) -> None:
        for part in decoded:
            self.readings += len(part.readings)
            for reading in part.readings:
                self.samples += len(reading.samples)
                urgent = not URGENT.isdisjoint([sample.metric for sample in reading.samples])
                (batch.urgent_readings if urgent else batch.readings).append(reading)
            device = part.readings[0].device
            known = self.devices.get(device)
            if (
                known is None
                or (known.profile, known.profile_version) != (part.profile, part.profile_version)
                or (part.name and known.name != part.name)
            ):
                self._see(device, part, known, now_ms, batch)

    def read_again(self, kept: list[KeptMessage]) -> int:
        """Try refused messages once more. What can be read now goes, with the time at which it came, into one batch.

        Nothing of a message may be pending already: it would be read twice. Returns how many could be read.
        """
        now_ms = self._now_ms()
        batch = self._writer.pending
        recovered: dict[tuple[str, str, int], int] = {}
        still: dict[str, int] = {}
        for message in kept:
            try:
                decoded = self.profiles.decode(message.topic, message.payload, message.at_ms)
            except Undecodable:
                decoded = ()
            if not decoded or self._is_beyond(decoded):
                still[message.topic] = still.get(message.topic, 0) + 1
                continue
            self._take_in(decoded, now_ms, batch)
            batch.read_after_all.append(message.number)
            key = message.topic, decoded[0].profile, decoded[0].profile_version
            recovered[key] = recovered.get(key, 0) + 1
        for (topic, profile, version), count in recovered.items():
            batch.bulk.append(
                Recovered(
                    topic=topic, profile=profile, profile_version=version, count=count, still=still.get(topic, 0),
                    at_ms=now_ms,
                )
            )  # fmt: skip
        if recovered:
            log.info("refused messages are read after all", extra={"messages": len(batch.read_after_all)})
            self._writer.wake(at_once=True)
        return sum(recovered.values())

    def _see(self, device: str, part: Decoded, known: SeenDevice | None, now_ms: int, batch: Batch) -> None:
        name = part.name or (known.name if known else "")
        verbs = tuple(sorted({*part.verbs, *(known.verbs if known else ())}))
        # A device that several profiles read keeps the one that can tell it something.
        profile = part
        if known is not None and known.verbs and not part.verbs:
            seen = known._replace(name=name)
        else:
            seen = SeenDevice(device, profile.profile, profile.profile_version, profile.kind, verbs, name)
        if seen == known:
            return
        self.devices[device] = seen
        batch.seen.append(seen)
        batch.urgent.append(
            DeviceSeen(
                device=device,
                profile=seen.profile,
                profile_version=seen.profile_version,
                kind=seen.kind,
                verbs=list(seen.verbs),
                name=seen.name,
                at_ms=now_ms,
            )
        )

    def forget(self, devices: Iterable[str]) -> None:
        """These were taken elsewhere. Whatever speaks under one of their ids from now on is told of as new."""
        batch = self._writer.pending
        for device in devices:
            if self.devices.pop(device, None) is not None:
                batch.forgotten.append(device)
                batch.seen = [seen for seen in batch.seen if seen.device != device]

    def refuse(self, topic: str, payload: bytes, reason: str, detail: str) -> None:
        """Quarantine what did not come through the local broker. It is told of and not kept: it was refused for good."""
        publish = Publish(topic, payload, 0, False, False, 0)
        self._refuse(publish, Undecodable(reason, detail), self._now_ms(), self._writer.pending, keep=False)
        self._writer.wake()

    def _refuse(self, publish: Publish, error: Undecodable, now_ms: int, batch: Batch, keep: bool = True) -> None:
        """Quarantine: the first of a kind at once, what follows within a minute as a count with the next one."""
        self.refusals[error.reason] = self.refusals.get(error.reason, 0) + 1
        topic = publish.topic[:256]
        keep = keep and error.reason != "quota_exceeded"
        if keep and len(publish.payload) <= RAW_BYTES_MAX and topic == publish.topic:
            batch.raw.append(RawMessage(topic, publish.payload, error.reason, now_ms))
        key = (topic, error.reason)
        if key not in self._folds and len(self._folds) >= FOLDS_MAX:
            key = ("", error.reason)
        steady_ms = self._steady_ms()
        since_ms, folded = self._folds.get(key, (steady_ms - FOLD_MS, 0))
        if steady_ms - since_ms < FOLD_MS:
            self._folds[key] = (since_ms, folded + 1)
            return
        self._folds[key] = (steady_ms, 0)
        batch.bulk.append(
            Refused(
                topic=topic,
                reason=error.reason,
                detail=error.detail[:512],
                profile=error.profile,
                head=publish.payload[:HEAD_BYTES],
                size_bytes=len(publish.payload),
                count=folded + 1,
                at_ms=now_ms,
            )
        )
        log.warning("message refused", extra={"topic": topic, "reason": error.reason, "detail": error.detail[:200]})

    def fold_out(self) -> None:
        """Report counts that were folded more than a minute ago; called now and then."""
        now_ms, steady_ms = self._now_ms(), self._steady_ms()
        for (topic, reason), (since_ms, folded) in list(self._folds.items()):
            if steady_ms - since_ms < FOLD_MS:
                continue
            del self._folds[topic, reason]
            if folded:
                self._writer.pending.bulk.append(
                    Refused(topic=topic, reason=reason, size_bytes=0, count=folded, at_ms=now_ms)
                )
                self._writer.wake()

    @property
    def waiting(self) -> int:
        """Messages that wait for their commit."""
        return self._waiting

    def committed(self, batch: Batch) -> None:
        """This batch is on disk."""
        for delivery in batch.deliveries:
            if self._in_progress.get(delivery.packet_id) == delivery.digest:
                del self._in_progress[delivery.packet_id]
        self._waiting -= batch.messages
        if self._is_full and self._waiting < self._messages_max // 2:
            self._is_full = False
            self._drained()

    async def begin_session(self) -> None:
        """The local broker has a new session: nothing of before is delivered again, and packet ids begin anew.

        Returns when that is on disk. Before that the agent must not subscribe: after a crash it would take a message of
        the new session, delivered again, for one of the old session that it has.
        """
        self._in_progress.clear()
        batch = self._writer.pending
        batch.deliveries.clear()
        batch.acks.clear()  # the same numbers may soon mean other messages
        batch.session_new = True
        await self._writer.flushed()
