"""How well a profile fits a message that came on a topic not its own. The rule is told in docs/discovery.md."""

import logging
from typing import Any, NamedTuple

from contracts.messages import Proposal
from contracts.reading import Quality
from edge_agent.discovery.catalogue import id_level
from edge_agent.discovery.explained import explained
from edge_agent.profiles import Decoded, ProfileSet, Undecodable
from edge_agent.profiles.check import example_payload
from edge_agent.profiles.envelopes import PAYLOAD_BYTES_MAX, Message
from edge_agent.profiles.messages import CompiledMessage

log = logging.getLogger(__name__)

PROPOSALS_MAX = 3
SCORE_MIN = 0.3
"""Below this nothing is proposed."""
LEAVES_MAX = 512
VALUES_MAX = 32

Leaves = frozenset[tuple[str, str]]


class _Shape(NamedTuple):
    """How a message looks to one reader: its leaves (path, type), port and bytes, and the metrics that were read."""

    leaves: Leaves
    port: int | None
    data: bytes
    metrics: frozenset[str]


class Proposer:
    """Tries every profile on a message. Examples are read once, when the first message is asked for."""

    def __init__(self, profiles: ProfileSet) -> None:
        self._profiles = profiles
        self._examples: list[tuple[CompiledMessage, list[_Shape]]] | None = None

    def proposals(self, topic: str, payload: bytes, now_ms: int) -> list[Proposal]:
        """The best profiles for this message, the best first, ``PROPOSALS_MAX`` at most and none below SCORE_MIN."""
        return [proposal for proposal in self.ranked(topic, payload, now_ms) if proposal.score >= SCORE_MIN][
            :PROPOSALS_MAX
        ]

    def ranked(self, topic: str, payload: bytes, now_ms: int) -> list[Proposal]:
        """Every profile that can read the message at all, the best first."""
        if len(payload) > PAYLOAD_BYTES_MAX:
            return []
        if self._examples is None:
            self._examples = [(reader, _shapes(reader, now_ms)) for reader in self._profiles.readers]
        message = Message(topic, payload)
        best: dict[str, Proposal] = {}
        for reader, examples in self._examples:
            read = _read(reader, message, now_ms)
            if read is None:
                continue
            decoded, shape = read
            known = explained(reader, message, _captures(reader, topic), now_ms)
            alike = max((likeness(shape, example) for example in examples), default=0.0)
            evidence = 1 - 0.5 ** (known.known + len(shape.metrics) / 2)  # one lonely number says little
            score = round(_good(decoded) * evidence * (known.share + alike) / 2, 3)
            name = decoded[0].profile
            if name not in best or score > best[name].score:
                best[name] = _proposal(decoded, score)
        return sorted(best.values(), key=lambda proposal: (-proposal.score, proposal.profile))


def likeness(shape: _Shape, example: _Shape) -> float:
    """0..1: how much a message looks like an example to the same reader. A further leaf or metric never raises it."""
    if shape.data and example.data and not shape.leaves:
        same = (shape.port == example.port) + (shape.data[0] == example.data[0])
        lengths = sorted((len(shape.data), len(example.data)))
        body = 0.25 * same + 0.5 * lengths[0] / lengths[1]
    else:
        body = _overlap(shape.leaves, example.leaves)
    return 0.6 * body + 0.4 * _overlap(shape.metrics, example.metrics)


def _overlap(one: frozenset[Any], other: frozenset[Any]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0


def _good(decoded: tuple[Decoded, ...]) -> float:
    samples = [sample for part in decoded for reading in part.readings for sample in reading.samples]
    return sum(sample.quality is Quality.GOOD for sample in samples) / len(samples)


def _shapes(reader: CompiledMessage, now_ms: int) -> list[_Shape]:
    return [
        read[1]
        for example in reader.profile.examples
        if not example.refused and (read := _read(reader, Message(example.topic, example_payload(example)), now_ms))
    ]


def _read(reader: CompiledMessage, message: Message, now_ms: int) -> tuple[tuple[Decoded, ...], _Shape] | None:
    try:
        decoded = reader.decode(message, _captures(reader, message.topic), now_ms)
        opened = reader.open(message)
    except Undecodable:
        return None
    except Exception:  # a mistake of ours: payloads come here that no profile was made for
        log.exception("a decoder failed on what it was tried on", extra={"profile": reader.id, "topic": message.topic})
        return None
    if not decoded:
        return None
    metrics = frozenset(
        sample.metric for part in decoded for reading in part.readings for sample in reading.samples
    )  # fmt: skip
    leaves = frozenset[tuple[str, str]]() if reader.codec is not None else _leaves(opened.body, message.topic)
    return decoded, _Shape(leaves, opened.port, opened.data, metrics)


def _captures(reader: CompiledMessage, topic: str) -> dict[str, str]:
    """What the reader's topics would capture, guessed from a topic that is none of them."""
    return dict.fromkeys(reader.captures, topic.split("/")[id_level(topic)])


def _leaves(document: Any, topic: str) -> Leaves:
    if type(document) not in (dict, list):  # a lone value says nothing: its topic's last level stands for its key
        document = {topic.rpartition("/")[2]: document}
    found: set[tuple[str, str]] = set()
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting and len(found) < LEAVES_MAX:
        path, value = waiting.pop()
        if type(value) is dict:
            waiting += [(f"{path}.{key}", inner) for key, inner in value.items()]
        elif type(value) is list:
            waiting += [(f"{path}[]", inner) for inner in value[:LEAVES_MAX]]
        else:
            found.add((path, "number" if type(value) in (int, float) else type(value).__name__))
    return frozenset(found)


def _proposal(decoded: tuple[Decoded, ...], score: float) -> Proposal:
    first = decoded[0]
    values = {
        sample.metric: sample.value
        for reading in first.readings
        for sample in reading.samples
        if sample.value is not None
    }
    return Proposal(
        profile=first.profile,
        profile_version=first.profile_version,
        kind=first.kind,
        score=score,
        device=first.device,
        values=dict(list(values.items())[:VALUES_MAX]),
    )
