"""The profile document: how messages of one device model are read and how it is told. Data only; docs/profiles.md teaches it.

These structs are the schema: a document is decoded into them (an unknown key or a wrong type is an error that names its
place), and ``contracts/profile.schema.json`` for editors is made from them.
"""

from typing import Annotated, Any, Literal

import msgspec

Scalar = bool | int | float | str | None
Kind = Literal["parking", "charging", "waste", "building"]


class Part(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What every part of the document has in common: a key that is not in the language is an error."""


class Identity(Part, kw_only=True):
    """device and name are templates: ``{capture}`` of the topic, ``{device}`` of the envelope, or ``{field}`` decoded.

    ``{key}`` is the key of an ``each`` over an object, and ``{a.path}`` any path into the message's document.
    """

    device: str
    name: str = ""


class Header(Part, kw_only=True):
    """Which model this profile is for. kind "any": the message itself says it, under the path ``kind_from``."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_.-]*$", max_length=120)]
    version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    kind: Kind
    kind_from: str = ""
    en: str
    zh: str
    source: str = ""


class Envelope(Part, kw_only=True):
    """What a network server or bridge wraps around a device's message; contracts/profiles/envelopes.yaml holds them.

    parse     how the payload is read: json, scalar (one JSON or text value), text, bytes
    bytes     where the device's own bytes stand, and their encoding
    body      where paths start, if it is there
    port, device, name: paths
    topics    where messages in this envelope come, for profiles that do not say it
    """

    parse: Literal["json", "scalar", "text", "bytes"] = "json"
    bytes: str = ""
    encoding: Literal["base64", "hex"] = "base64"
    body: str = ""
    port: str = ""
    device: str = ""
    name: str = ""
    topics: list[str] = []


class FieldSpec(Part, kw_only=True):
    """One field of a binary layout.

    type   u8 s8 u16 s16 u24 s24 u32 s32 u64 s64 f32 f64, or hex:N ascii:N bcd:N skip:N (N bytes)
    at     place in the payload (negative: from the end); without it, right after the field before
    order  overrides the codec's byte order
    value  = raw * scale + offset, for numbers
    """

    name: str = ""
    type: str
    at: int | None = None
    order: Literal["big", "little"] | None = None
    scale: float = 1
    offset: float = 0


class Check(Part, kw_only=True):
    """What must hold before the payload is believed.

    at + bytes          these hex bytes stand there
    length_at + adds    the byte there, plus ``adds``, is the payload's length
    crc16_modbus        [from, to, at]: the checksum over payload[from:to] stands at ``at``; ``order`` big, little or any
    crc16_ccitt         the same with polynomial 0x1021, initial 0xFFFF
    sum8, xor8          the same with one byte: the sum, or the exclusive or, of all bytes
    """

    at: int = 0
    bytes: str = ""
    length_at: int | None = None
    adds: int = 0
    crc16_modbus: tuple[int, int, int] | None = None
    crc16_ccitt: tuple[int, int, int] | None = None
    sum8: tuple[int, int, int] | None = None
    xor8: tuple[int, int, int] | None = None
    order: Literal["big", "little", "any"] = "little"


class TlvRecord(Part, kw_only=True):
    """The value behind one key. ``list`` collects the fields of repeated records under that name (history)."""

    fields: list[FieldSpec]
    list: str = ""


class Codec(Part, kw_only=True):
    """From bytes (or text) to named fields. It is strict: bytes left over or an unknown key refuse the message.

    struct   fields one after another; ``length``: allowed payload lengths
    tlv      records of ``key_bytes`` key bytes (hex "01 75") and the fields behind each; with ``length_bytes`` a length
             stands behind the key, and records of unknown keys are passed over
    flagged  fields as a header, the last of which is a bit mask: bit i announces blocks[i]
    bits     fields of (name, number of bits), most significant first
    text     a regular expression with named groups
    rest     for struct and flagged: records that repeat to the payload's end, collected in a list
    """

    kind: Literal["struct", "tlv", "flagged", "bits", "text"]
    order: Literal["big", "little"] = "big"
    checks: list[Check] = []
    length: list[int] = []
    length_min: int = 0
    fields: list[FieldSpec] = []
    key_bytes: Literal[1, 2] = 2
    length_bytes: Literal[0, 1] = 0
    records: dict[str, TlvRecord] = {}
    blocks: list[list[FieldSpec]] = []
    bits: list[tuple[str, int]] = []
    pattern: str = ""
    rest: TlvRecord | None = None


class Time(Part, kw_only=True):
    """Where the sample's own time stands. Without it, or where it is missing, the arrival time holds.

    path    where it stands; or expr: an expression, such as "start - index * 3600" in the ``each`` of a history
    format  rfc3339, unix_s, unix_ms, or how the text is written, as ``strptime`` has it: "%Y%m%d%H%M%S"
    zone    for a text without offset: an IANA name
    """

    path: str = ""
    expr: str = ""
    format: str = "rfc3339"
    zone: str = "UTC"


class MetricSpec(Part, kw_only=True):
    """How one metric is found and made.

    root      path and the other paths here start there, instead of where the reading's paths start
    path      where it stands (docs/profiles.md, "Paths"); x in ``expr``
    value     a constant instead
    expr      a small expression over x, the decoded fields and ``parameters``
    template  a text with ``{field}``s
    map       raw value (as text) -> value; ``default`` for all others, else they are invalid
    mask      boolean: raw & mask != 0; contains: boolean: the word is in the list or text
    unit      of the raw value, UCUM; unit_path: where the unit stands, with ``units`` naming it in UCUM
    scale     raw * scale + offset, before the unit is converted; exponent_path: times 10**that
    invalid   raw values that mean "no value"; valid: the range of the converted value
    when      an expression over the fields: else the metric is left out
    """

    root: str = ""
    path: str = ""
    value: Scalar = None
    expr: str = ""
    template: str = ""
    map: dict[str, Scalar] = {}
    default: Scalar = None
    mask: int | None = None
    contains: str = ""
    unit: str = ""
    unit_path: str = ""
    units: dict[str, str] = {}
    exponent_path: str = ""
    scale: float = 1
    offset: float = 0
    invalid: list[Scalar] = []
    valid: tuple[float, float] | None = None
    when: str = ""


class ReadingSpec(Part, kw_only=True):
    """One reading, or with ``each`` one for every element of a list (or every item of an object: its key is ``{key}``).

    In expressions ``index`` is the element's place, from 0.
    """

    each: str = ""
    time: Time | None = None
    metrics: dict[str, MetricSpec] = {}
    metrics_from: str = ""  # an object {metric: value} in our own vocabulary
    device: str = ""


class MessageSpec(Part, kw_only=True):
    """One kind of message. ``when``: an expression over port, size, b (bytes), the captures and ``has('path')``.

    topics, envelope: instead of the profile's.
    """

    topics: list[str] = []
    envelope: str | list[str] | Envelope = ""
    when: str = ""
    decode: Codec | None = None
    root: str = ""  # paths start here instead of at the document
    readings: list[ReadingSpec]


class ConfirmSpec(Part, kw_only=True):
    """The device's own word that it obeyed: a reading after the act in which ``metric`` equals ``equals``."""

    metric: str
    equals: Scalar = None
    within_ms: Annotated[int, msgspec.Meta(ge=100, le=86_400_000)] = 10_000


class CommandSpec(Part, kw_only=True):
    """How a verb of contracts/verbs.py is said to this model. ``"$name"`` in the body stands for the argument."""

    topic: str
    body: Any
    qos: Literal[0, 1] = 1
    retain: bool = False
    confirm: ConfirmSpec | None = None


class Example(Part, kw_only=True):
    """A real message and what it must be read as. payload: JSON document; or text; or hex.

    observed_at_ms  the time that every reading must have; absent: metrics that must have no value
    refused         the reason why this message must be refused, instead of ``expect``
    """

    topic: str
    payload: Any = msgspec.UNSET
    text: str | None = None
    hex: str | None = None
    device: str = ""
    expect: dict[str, Scalar] = {}
    absent: list[str] = []
    observed_at_ms: int | None = None
    refused: str = ""


class Profile(Part, kw_only=True):
    """The whole document.

    envelope  a name in envelopes.yaml, or several: the device may come through any of these network servers; or one
              described here
    topics    topic templates; without them, those of the envelope
    """

    profile: Header
    topics: list[str] = []
    envelope: str | list[str] | Envelope = "json"
    identity: Identity
    parameters: dict[str, float] = {}
    messages: Annotated[list[MessageSpec], msgspec.Meta(min_length=1)]
    commands: dict[str, CommandSpec] = {}
    examples: Annotated[list[Example], msgspec.Meta(min_length=1)]


def schema() -> dict[str, Any]:
    """The JSON Schema of a profile document, for editors."""
    return msgspec.json.schema(Profile)
