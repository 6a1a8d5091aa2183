"""From a raw payload to a document: JSON, one scalar, text or bytes, and what a network server wrapped around it."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from contracts.profile import Envelope
from edge_agent.profiles.errors import Undecodable
from edge_agent.profiles.paths import Path, compile_path

PAYLOAD_BYTES_MAX = 65_536


class Opened(NamedTuple):
    """A message out of its envelope. document is the whole; body is where paths start; data the device's own bytes."""

    document: Any
    body: Any
    data: bytes
    port: int | None
    device: str
    name: str


Open = Callable[["Message"], Opened]


class Message:
    """One MQTT message; its JSON is decoded once however many profiles look at it."""

    __slots__ = ("_document", "_json", "opened", "payload", "topic")

    def __init__(self, topic: str, payload: bytes) -> None:
        self.topic = topic
        self.payload = payload
        self._json = False
        self._document: Any = None
        self.opened: dict[str, Opened] = {}

    def document(self) -> Any:
        """The payload as JSON. Raises Undecodable."""
        if not self._json:
            self._document = read_json(self.payload)
            self._json = True
        return self._document


def read_json(payload: bytes) -> Any:
    """JSON as it must be: UTF-8, finite numbers, no key twice. Raises Undecodable with the reason."""
    try:
        document = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Undecodable(_why_not_json(payload), str(error)) from error
    # A key that stood twice is gone from the document, so written again it has fewer keys. Cheap, and never misses:
    # where a gap before a colon could hide one, the slow way decides.
    if payload.count(b'":') != msgspec.json.encode(document).count(b'":') or (
        b" :" in payload or b"\t:" in payload or b"\n:" in payload or b"\r:" in payload
    ):
        _refuse_twins(payload)
    return document


def _why_not_json(payload: bytes) -> str:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return "utf8_invalid"
    return "not_finite" if "NaN" in text or "Infinity" in text else "json_invalid"


def _refuse_twins(payload: bytes) -> None:
    def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Undecodable("keys_duplicate", "a key stands twice in one object")
        return found

    try:
        json.loads(payload, object_pairs_hook=no_twins)
    except (ValueError, RecursionError) as error:
        raise Undecodable("json_invalid", str(error)) from error


def compile_envelope(name: str, envelope: Envelope) -> Open:
    """A function that opens a message; it raises Undecodable."""
    paths: Mapping[str, Path | None] = {
        key: compile_path(text) if (text := getattr(envelope, key)) else None
        for key in ("bytes", "body", "port", "device", "name")
    }
    at_bytes, at_body, at_port, at_device, at_name = paths.values()
    from_hex = envelope.encoding == "hex"
    plain = not any(paths.values())

    def open_json(message: Message) -> Opened:
        document = message.document()
        if plain:
            return Opened(document, document, message.payload, None, "", "")
        data = b""
        if at_bytes and isinstance(encoded := at_bytes(document), str):
            try:
                data = bytes.fromhex(encoded) if from_hex else base64.b64decode(encoded, validate=True)
            except (ValueError, binascii.Error) as error:
                raise Undecodable("codec_refused", f"the envelope's bytes are not {envelope.encoding}") from error
        port = at_port(document) if at_port else None
        device = at_device(document) if at_device else ""
        label = at_name(document) if at_name else ""
        return Opened(
            document,
            at_body(document) if at_body else document,
            data,
            port if type(port) is int else None,
            device if isinstance(device, str) else "",
            label if isinstance(label, str) else "",
        )

    def open_scalar(message: Message) -> Opened:
        text = _text(message.payload)
        try:
            value = read_json(message.payload)
        except Undecodable as error:
            if error.reason in ("not_finite", "keys_duplicate"):
                raise
            value = text
        return Opened(value, value, message.payload, None, "", "")

    def open_text(message: Message) -> Opened:
        text = _text(message.payload)
        return Opened(text, text, message.payload, None, "", "")

    def open_bytes(message: Message) -> Opened:
        return Opened(None, None, message.payload, None, "", "")

    opener = {"json": open_json, "scalar": open_scalar, "text": open_text, "bytes": open_bytes}[envelope.parse]

    def open_once(message: Message) -> Opened:
        opened = message.opened.get(name)
        if opened is None:
            opened = message.opened[name] = opener(message)
        return opened

    return open_once


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise Undecodable("utf8_invalid", str(error)) from error
