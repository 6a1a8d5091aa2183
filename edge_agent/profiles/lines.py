"""What `edge-agent decode` prints: one JSON object a sample and line."""

from collections.abc import Iterator

import msgspec

from contracts.reading import Clock
from contracts.vocabulary import METRICS
from edge_agent.profiles.profile_set import ProfileSet


def sample_lines(profiles: ProfileSet, topic: str, payload: bytes, received_ms: int, absent: bool) -> Iterator[str]:
    """The samples of one message as JSON lines. absent: also those without a value. Raises Undecodable."""
    for decoded in profiles.decode(topic, payload, received_ms):
        for reading in decoded.readings:
            for sample in reading.samples:
                if sample.value is None and not absent:
                    continue
                yield msgspec.json.encode({
                    "device": reading.device,
                    "metric": sample.metric,
                    "value": sample.value,
                    "unit": METRICS[sample.metric].unit or None,
                    "observed_at_ms": reading.observed_ms if reading.clock is Clock.DEVICE else None,
                    "quality": sample.quality.name.lower(),
                    "reason": sample.reason,
                }).decode()  # fmt: skip
