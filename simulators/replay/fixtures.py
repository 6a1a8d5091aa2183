"""The vendors' fixtures as messages: each by its own topic, in its own bytes, at no time of its own choosing."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

from simulators.replay.readings import DatasetError
from simulators.vendors import Message


def fixture_messages(data_dir: Path) -> Iterator[Message]:
    """The messages in ``<data_dir>/../fixtures/vendor_payloads``, or in a folder of that name or with the files itself.

    Raises DatasetError when there are none.
    """
    folders = (data_dir.parent / "fixtures" / "vendor_payloads", data_dir / "vendor_payloads", data_dir)
    for folder in folders:
        files = sorted(file for file in folder.glob("*.json") if _is_fixture(file))
        if files:
            break
    else:
        raise DatasetError(f"the vendor fixtures are not there: {folders[0]}")
    for file in files:
        case = json.loads(file.read_text(encoding="utf-8"))
        yield Message(case["topic"], payload_of(case["payload_encoding"], case["payload"]))


def _is_fixture(file: Path) -> bool:
    return b'"payload_encoding"' in file.read_bytes()


def payload_of(encoding: str, payload: object) -> bytes:
    """The bytes of a fixture's payload. Raises ValueError for an unknown encoding."""
    if encoding == "json":
        return msgspec.json.encode(payload)
    if encoding == "text":
        return str(payload).encode()
    if encoding == "hex":
        return bytes.fromhex(str(payload))
    raise ValueError(f"unknown payload_encoding {encoding!r}")
