"""One kind of message of a profile, compiled: does it fit, what does it decode to, which readings does it give."""

from collections.abc import Callable, Mapping, Set
from typing import Any, NamedTuple

from contracts.profile import MessageSpec, Profile, ReadingSpec
from contracts.reading import Clock, Quality, Reading, Sample
from contracts.vocabulary import KINDS, METRICS, fault_of
from edge_agent.profiles.codecs import compile_codec
from edge_agent.profiles.envelopes import Message, Open
from edge_agent.profiles.errors import CodecRefused, Undecodable
from edge_agent.profiles.expressions import Expression, compile_expression, expression_names
from edge_agent.profiles.guard import Guard
from edge_agent.profiles.metrics import compile_metric, metric_names
from edge_agent.profiles.paths import compile_path
from edge_agent.profiles.templates import compile_template, template_names
from edge_agent.profiles.times import compile_time

READINGS_MAX = 1_024
"""Readings from one message; more is refused."""
SAMPLES_MAX = 64
"""Samples of one reading."""
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
_OF_EVERY_MESSAGE = frozenset({"document", "root", "port", "size", "b"})
"""Names that the envelope gives; see ``Opened.names``."""
_ReadReading = Callable[[Any, Names, int], list[Reading]]


class CompiledMessage:
    """A MessageSpec, ready to try on messages."""

    def __init__(
        self, profile: Profile, spec: MessageSpec, open_: Open, captured: Set[str],
        parameters: Mapping[str, Mapping[str, float]], guard: Guard, device: str = "", verbs: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """Compile. Raises ValueError when the specification is wrong.

        captured    names that topics may capture
        parameters  device -> its own in place of the profile's; looked up at each message
        guard       says when a message of many records is to be given up
        device      what the readings' device is called whatever the message says; "": as the profile says
        verbs       of such a device: what it can be told where it speaks
        """
        self.id = profile.profile.id
        self.guard = guard
        self.profile = profile
        self.spec = spec
        self.device = device
        self.captures = captured
        self.parameters = parameters
        self.verbs = verbs if device else tuple(sorted(profile.commands))
        self.open = open_
        self.when = compile_expression(spec.when) if spec.when else None
        # Most messages of a network server's topic are of other devices: whoever asks what every message has asks first.
        self.asks_early = (
            self.when is not None
            and _OF_EVERY_MESSAGE.isdisjoint(captured | profile.parameters.keys())
            and expression_names(spec.when) <= _OF_EVERY_MESSAGE
        )
        self.codec = compile_codec(spec.decode) if spec.decode else None
        self.root = compile_path(spec.root) if spec.root else None
        self.readings = [self._compile_reading(reading) for reading in spec.readings]
        self.uses = tuple(_names_used(profile, spec))
        self.needs_names = (
            bool(device) or _needs_names(profile, spec, captured) or not (self.when is None or self.asks_early)
        )
        self.name = compile_template(profile.identity.name) if profile.identity.name else None
        self.kind_from = compile_path(profile.profile.kind_from) if profile.profile.kind_from else None
        # What the usual message does not need is left out of its way.
        self.only = self.readings[0] if len(self.readings) == 1 else None
        self.plain = self.name is None and self.kind_from is None
        self.head = (self.id, profile.profile.version, profile.profile.kind, self.verbs)
        self.parameter_values = profile.parameters

    def bound_to(self, device: str, verbs: tuple[str, ...]) -> "CompiledMessage":
        """The same, for a foreign topic on which this device speaks and can be told these verbs."""
        return CompiledMessage(
            self.profile, self.spec, self.open, self.captures, self.parameters, self.guard, device, verbs
        )  # fmt: skip

    def decode(self, message: Message, captures: dict[str, str], received_ms: int) -> tuple[Decoded, ...] | None:
        """The readings of this message, a Decoded a device; None when it is not this kind of message.

        Raises Undecodable when it is of this kind, as far as ``when`` tells, but can't be read.
        """
        document, root, data, _, device, name, known = self.open(message)
        when = self.when
        if when is not None and self.asks_early and not _fits(when, known):
            return None
        names: Names = captures
        if self.needs_names:
            names = {**known, **captures}
            if self.device or device:
                names["device"] = self.device or device
            if name:
                names["name"] = name
            if self.parameter_values:
                names.update(self.parameter_values)
            if when is not None and not self.asks_early and not _fits(when, names):
                return None
        if self.codec is not None:
            try:
                root = self.codec(data)
            except CodecRefused as error:
                raise Undecodable(error.reason, str(error), self.id) from error
            if self.uses:
                names.update(root)
        elif self.uses and type(root) is dict:
            for used in self.uses:
                if used in root and used not in names:
                    names[used] = root[used]
        if self.root is not None:
            root = self.root(root)
        if self.needs_names:
            names["root"] = root
        if self.only is not None:
            readings = self.only(root, names, received_ms)
        else:
            readings = []
            for read in self.readings:
                readings += read(root, names, received_ms)
        if not readings:
            raise Undecodable("nothing_read", "no metric of the profile is in the message", self.id)
        if self.plain and len(readings) == 1:
            made: Decoded = tuple.__new__(Decoded, (*self.head, "", tuple(readings)))
            return (made,)
        if len(readings) > READINGS_MAX:
            raise Undecodable("too_many_readings", f"more than {READINGS_MAX}", self.id)
        return self._by_device(readings, names, document)

    def _by_device(self, readings: list[Reading], names: Names, document: Any) -> tuple[Decoded, ...]:
        header = self.profile.profile
        kind: str = header.kind
        if self.kind_from is not None and (stated := self.kind_from(document)) is not None:
            if stated not in KINDS:
                raise Undecodable("kind_unknown", str(stated)[:64], header.id)
            kind = stated
        name = self.name(names)[:DEVICE_LENGTH_MAX] if self.name is not None else ""
        devices: dict[str, list[Reading]] = {}
        for reading in readings:
            devices.setdefault(reading.device, []).append(reading)
        return tuple([
            Decoded(header.id, header.version, kind, self.verbs, name, tuple(members)) for members in devices.values()
        ])  # fmt: skip

    def _compile_device(self, spec: ReadingSpec) -> Callable[[Names], str]:
        if self.device and not spec.device:
            return lambda names: self.device
        return compile_template(spec.device or self.profile.identity.device)

    def _compile_reading(self, spec: ReadingSpec) -> _ReadReading:
        header = self.profile.profile
        read_time = compile_time(spec.time, header.id) if spec.time else None
        if bool(spec.metrics) is bool(spec.metrics_from):
            raise ValueError("a reading has either 'metrics' or 'metrics_from'")
        if len(spec.metrics) > SAMPLES_MAX:
            raise ValueError(f"a reading has at most {SAMPLES_MAX} metrics")
        metrics = [compile_metric(name, metric) for name, metric in spec.metrics.items()]
        read_all = compile_path(spec.metrics_from) if spec.metrics_from else None
        device_of = self._compile_device(spec)
        each = compile_path(spec.each) if spec.each else None
        guard = self.guard
        new, gateway_clock, device_clock = tuple.__new__, Clock.GATEWAY, Clock.DEVICE
        has_parameters, parameters = bool(self.profile.parameters), self.parameters

        def read_one(root: Any, names: Names, received_ms: int) -> list[Reading]:
            if has_parameters and parameters and (own := parameters.get(device_of(names))):
                names = {**names, **own}
            samples = []
            for metric in metrics:
                if (sample := metric(root, names)) is not None:
                    samples.append(sample)  # noqa: PERF401  a comprehension is a call of its own
            if read_all is not None:
                samples += _own_vocabulary(read_all(root), header.id)
            if not samples:
                return []
            device = device_of(names)
            if not device or len(device) > DEVICE_LENGTH_MAX:
                raise Undecodable("device_unknown", "the message does not say which device it is from", header.id)
            observed_ms = read_time(root, names, received_ms) if read_time is not None else None
            if observed_ms is None:
                return [new(Reading, (device, received_ms, received_ms, gateway_clock, tuple(samples)))]
            return [new(Reading, (device, observed_ms, received_ms, device_clock, tuple(samples)))]

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
            began_ns = guard.steady_ns()
            for index, (key, element) in enumerate(pairs):
                if not index & 7 and guard.is_overdue(began_ns):
                    raise Undecodable("profile_too_slow", f"cut off after {index} records of {len(pairs)}", header.id)
                inner = {**names, **element} if type(element) is dict else {**names, "x": element}
                inner["key"] = key
                inner["index"] = index
                inner["root"] = element
                readings += read_one(element, inner, received_ms)
            return readings

        return read_each


def _fits(when: Expression, names: Names) -> bool:
    try:
        return bool(when(names))
    except (KeyError, TypeError, ValueError, ArithmeticError, IndexError):
        return False


def _names_used(profile: Profile, spec: MessageSpec) -> set[str]:
    """The fields of the message that some expression or template of it wants to know by name."""
    used = template_names(profile.identity.device) | template_names(profile.identity.name) | expression_names(spec.when)
    for reading in spec.readings:
        used |= template_names(reading.device)
        used |= expression_names(reading.time.expr) if reading.time else set()
        for metric in reading.metrics.values():
            used |= metric_names(metric)
    return used - {"document", "root", "port", "size", "b", "x", "key", "index"} - set(profile.parameters)


def _needs_names(profile: Profile, spec: MessageSpec, captured: Set[str]) -> bool:
    """Whether the readings need more names than the topic gives."""
    templates = [profile.identity.device, profile.identity.name, *(reading.device for reading in spec.readings)]
    metrics = [metric for reading in spec.readings for metric in reading.metrics.values()]
    return (
        bool(profile.parameters)
        or not set().union(*(template_names(text) for text in templates)) <= captured
        or any(reading.each or (reading.time and reading.time.expr) for reading in spec.readings)
        or any(metric.expr or metric.when or metric.template for metric in metrics)
    )


def _own_vocabulary(found: Any, profile: str) -> list[Sample]:
    """An object {metric: value} in our own words; a metric that we do not know refuses the message."""
    if found is None:
        return []
    if type(found) is not dict:
        raise Undecodable("wrong_type", "the metrics are not an object", profile)
    if len(found) > SAMPLES_MAX:
        raise Undecodable("too_many_samples", f"{len(found)} metrics, {SAMPLES_MAX} at most", profile)
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
