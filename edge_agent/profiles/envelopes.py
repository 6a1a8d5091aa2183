"""From a raw payload to a document: JSON, one scalar, text or bytes, and what a network server wrapped around it."""

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
    """A message out of its envelope.

    document  the whole; body: where paths start; data: the device's own bytes
    names     what every expression may use
    """

    document: Any
    body: Any
    data: bytes
    port: int | None
    device: str
    name: str
    names: dict[str, Any]

    def with_data(self, data: bytes) -> "Opened":
        """The same envelope around other bytes."""
        return self._replace(data=data, names={**self.names, "size": len(data), "b": data})


Open = Callable[["Message"], Opened]


_UNREAD = object()


class Message:
    """One MQTT message; its JSON is decoded once however many profiles look at it."""

    __slots__ = ("_document", "opened", "payload", "topic")

    def __init__(self, topic: str, payload: bytes) -> None:
        self.topic = topic
        self.payload = payload
        self.opened: dict[str, Opened] = {}
        self._document: Any = _UNREAD

    def document(self) -> Any:
        """The payload as JSON. Raises Undecodable."""
        if self._document is _UNREAD:
            try:
                self._document = read_json(self.payload)
            except Undecodable as error:
                self._document = error
        if type(self._document) is Undecodable:
            raise self._document
        return self._document


_read = msgspec.json.Decoder().decode
_again = msgspec.json.Encoder().encode


def read_json(payload: bytes) -> Any:
    """JSON as it must be: UTF-8, finite numbers, no key twice. Raises Undecodable with the reason."""
    try:
        document = _read(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Undecodable(_why_not_json(payload, error), str(error)) from error
    # Of a key that stood twice one is gone from the document, and its colon with it. Where there are as many colons as
    # keys, none has gone. Else, written again, it has fewer; only a colon written as an escape could make up for that, so
    # where there are escapes the slow way decides.
    colons = payload.count(b":")
    if type(document) is dict and len(document) == colons:
        return document
    try:
        again = _again(document)
    except (RecursionError, OverflowError) as error:
        raise Undecodable("json_invalid", str(error)) from error
    if colons != again.count(b":") or b"\\u" in payload:
        _refuse_twins(payload)
    return document


def _why_not_json(payload: bytes, error: Exception) -> str:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return "utf8_invalid"
    beyond = isinstance(error, msgspec.ValidationError)  # 1e999: a number that no double holds
    return "not_finite" if beyond or "NaN" in text or "Infinity" in text else "json_invalid"


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

    def open_plain(message: Message) -> Opened:
        document = message.document()
        return _opened(document, document, message.payload)

    def open_json(message: Message) -> Opened:
        document = message.document()
        data = b""
        if at_bytes and isinstance(encoded := at_bytes(document), str):
            try:
                data = bytes.fromhex(encoded) if from_hex else binascii.a2b_base64(encoded, strict_mode=True)
            except ValueError as error:
                raise Undecodable("codec_refused", f"the envelope's bytes are not {envelope.encoding}") from error
        port = at_port(document) if at_port else None
        device = at_device(document) if at_device else ""
        label = at_name(document) if at_name else ""
        body = at_body(document) if at_body else document
        return _opened(
            document, body, data,
            port if type(port) is int else None,
            device if type(device) is str else "",
            label if type(label) is str else "",
        )  # fmt: skip

    def open_scalar(message: Message) -> Opened:
        text = _text(message.payload)
        try:
            value = read_json(message.payload)
        except Undecodable as error:
            if error.reason in ("not_finite", "keys_duplicate"):
                raise
            value = text
        return _opened(value, value, message.payload)

    def open_text(message: Message) -> Opened:
        text = _text(message.payload)
        return _opened(text, text, message.payload)

    def open_bytes(message: Message) -> Opened:
        return _opened(None, None, message.payload)

    of_json = open_plain if plain else open_json
    opener = {"json": of_json, "scalar": open_scalar, "text": open_text, "bytes": open_bytes}[envelope.parse]

    def open_once(message: Message) -> Opened:
        all_opened = message.opened
        if name in all_opened:
            return all_opened[name]
        opened = all_opened[name] = opener(message)
        return opened

    return open_once


def _opened(document: Any, body: Any, data: bytes, port: int | None = None, device: str = "", name: str = "") -> Opened:
    names = {"document": document, "root": body, "port": port, "size": len(data), "b": data}
    return tuple.__new__(Opened, (document, body, data, port, device, name, names))


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise Undecodable("utf8_invalid", str(error)) from error
