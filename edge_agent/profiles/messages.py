"""One kind of message of a profile, compiled: does it fit, what does it decode to, which readings does it give."""

from collections.abc import Callable
from typing import Any, NamedTuple

from contracts.profile import MessageSpec, Profile, ReadingSpec
from contracts.reading import Clock, Quality, Reading, Sample
from contracts.vocabulary import KINDS, METRICS, fault_of
from edge_agent.profiles.codecs import CodecRefused, compile_codec
from edge_agent.profiles.envelopes import Message, Open, Opened
from edge_agent.profiles.errors import Undecodable
from edge_agent.profiles.expressions import compile_expression
from edge_agent.profiles.metrics import compile_metric
from edge_agent.profiles.paths import compile_path
from edge_agent.profiles.templates import compile_template
from edge_agent.profiles.times import compile_time

READINGS_MAX = 1_024
"""Readings from one message; more is refused."""
DEVICE_LENGTH_MAX = 128


class Decoded(NamedTuple):
    """What one message says of one device."""

    profile: str
    profile_version: int
    kind: str
    verbs: tuple[str, ...]
    name: str
    readings: tuple[Reading, ...]

    @property
    def device(self) -> str:
        """The external id of the device."""
        return self.readings[0].device


Names = dict[str, Any]
_ReadReading = Callable[[Any, Names, int], list[Reading]]


class CompiledMessage:
    """A MessageSpec, ready to try on messages. ``decode`` raises Undecodable when the message does not fit."""

    def __init__(self, profile: Profile, spec: MessageSpec, open_: Open) -> None:
        self.profile = profile
        self.verbs = tuple(sorted(profile.commands))
        self.open = open_
        self.when = compile_expression(spec.when) if spec.when else None
        self.codec = compile_codec(spec.decode) if spec.decode else None
        self.root = compile_path(spec.root) if spec.root else None
        self.readings = [self._compile_reading(reading) for reading in spec.readings]
        self.needs_names = bool(
            spec.when
            or profile.parameters
            or any(m.expr or m.when or m.template for r in spec.readings for m in r.metrics.values())
            or any(r.each for r in spec.readings)
        )
        self.device = compile_template(profile.identity.device)
        self.name = compile_template(profile.identity.name)
        self.kind_from = compile_path(profile.profile.kind_from) if profile.profile.kind_from else None

    def decode(self, message: Message, captures: dict[str, str], received_ms: int) -> tuple[Decoded, ...]:
        """The readings of this message, a Decoded a device. Raises Undecodable."""
        header = self.profile.profile
        opened = self.open(message)
        names: Names = {
            "document": opened.document,
            "port": opened.port,
            "size": len(opened.data),
            "b": opened.data,
            **self.profile.parameters,
        }
        names.update(captures)
        if opened.device:
            names["device"] = opened.device
        if opened.name:
            names["name"] = opened.name
        if self.when is not None and not self._fits(names):
            raise Undecodable("no_profile", f"not a message of {header.id}", header.id)
        root: Any = opened.body
        if self.codec is not None:
            try:
                root = self.codec(opened.data)
            except CodecRefused as error:
                raise Undecodable(error.reason, str(error), header.id) from error
            names.update(root)
        elif type(root) is dict and self.needs_names:
            names.update({key: value for key, value in root.items() if key not in names})
        if self.root is not None:
            root = self.root(root)
        readings: list[Reading] = []
        for read in self.readings:
            readings += read(root, names, received_ms)
            if len(readings) > READINGS_MAX:
                raise Undecodable("too_many_readings", f"more than {READINGS_MAX}", header.id)
        if not readings:
            raise Undecodable("nothing_read", "no metric of the profile is in the message", header.id)
        return self._by_device(readings, names, opened)

    def _fits(self, names: Names) -> bool:
        assert self.when is not None
        try:
            return bool(self.when(names))
        except (KeyError, TypeError, ValueError, ArithmeticError, IndexError):
            return False

    def _by_device(self, readings: list[Reading], names: Names, opened: Opened) -> tuple[Decoded, ...]:
        header = self.profile.profile
        kind: str = header.kind
        if self.kind_from is not None and (stated := self.kind_from(opened.document)) is not None:
            if stated not in KINDS:
                raise Undecodable("kind_unknown", str(stated)[:64], header.id)
            kind = stated
        name = self.name(names)[:DEVICE_LENGTH_MAX]
        devices: dict[str, list[Reading]] = {}
        for reading in readings:
            devices.setdefault(reading.device, []).append(reading)
        return tuple([
            Decoded(header.id, header.version, kind, self.verbs, name, tuple(members)) for members in devices.values()
        ])  # fmt: skip

    def _compile_reading(self, spec: ReadingSpec) -> _ReadReading:
        header = self.profile.profile
        read_time = compile_time(spec.time) if spec.time else None
        metrics = [compile_metric(name, metric) for name, metric in spec.metrics.items()]
        read_all = compile_path(spec.metrics_from) if spec.metrics_from else None
        device_of = compile_template(spec.device or self.profile.identity.device)
        each = compile_path(spec.each) if spec.each else None

        def read_one(root: Any, names: Names, received_ms: int) -> list[Reading]:
            samples = [sample for metric in metrics if (sample := metric(root, names)) is not None]
            if read_all is not None:
                samples += _own_vocabulary(read_all(root), header.id)
            if not samples:
                return []
            device = device_of(names)
            if not device or len(device) > DEVICE_LENGTH_MAX:
                raise Undecodable("device_unknown", "the message does not say which device it is from", header.id)
            observed_ms = read_time(root, received_ms) if read_time is not None else None
            if observed_ms is None:
                return [Reading(device, received_ms, received_ms, Clock.GATEWAY, tuple(samples))]
            return [Reading(device, observed_ms, received_ms, Clock.DEVICE, tuple(samples))]

        if each is None:
            return read_one

        def read_each(root: Any, names: Names, received_ms: int) -> list[Reading]:
            elements = each(root)
            if type(elements) is dict:
                pairs = list(elements.items())
            else:
                pairs = [("", element) for element in elements] if type(elements) is list else []
            if len(pairs) > READINGS_MAX:
                raise Undecodable("too_many_readings", f"more than {READINGS_MAX}", header.id)
            readings: list[Reading] = []
            for key, element in pairs:
                inner = {**names, **element} if type(element) is dict else {**names, "x": element}
                inner["key"] = key
                readings += read_one(element, inner, received_ms)
            return readings

        return read_each


def _own_vocabulary(found: Any, profile: str) -> list[Sample]:
    """An object {metric: value} in our own words; a metric that we do not know refuses the message."""
    if found is None:
        return []
    if type(found) is not dict:
        raise Undecodable("wrong_type", "the metrics are not an object", profile)
    samples = []
    for name, value in found.items():
        metric = METRICS.get(name)
        if metric is None:
            raise Undecodable("metric_unknown", name[:64], profile)
        if value is None:
            samples.append(Sample(name, None, Quality.BAD, "invalid_marker"))
        elif fault := fault_of(metric, value):
            samples.append(Sample(name, None, Quality.BAD, fault))
        else:
            samples.append(Sample(name, value))
    return samples
