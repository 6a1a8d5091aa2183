"""docs/asyncapi.yaml says what contracts/ says."""

from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest
import yaml

from contracts import messages, topics

DOCUMENT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "docs" / "asyncapi.yaml").read_text())
DIRECT = (
    messages.GatewayState, messages.IngestState, messages.FrameAck, messages.Welcome, messages.Command,
    messages.CertificateIssued, messages.DesiredState,
)  # fmt: skip
RECORDS = get_args(messages.Record)


def schemas_of(*types: type) -> dict[str, Any]:
    """The JSON Schemas of these structs and of what they refer to, as AsyncAPI writes references."""
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return components


def test_every_topic_is_there() -> None:
    named = {channel["address"] for channel in DOCUMENT["channels"].values()}
    gateway = "{gateway}"
    assert named == {
        *(topics.up(gateway, lane) for lane in topics.LANES),
        topics.state(gateway),
        topics.ack(gateway),
        topics.welcome(gateway),
        topics.certificate(gateway),
        topics.command(gateway),
        topics.desired(gateway),
        topics.INGEST,
    }


def test_every_schema_is_the_structs() -> None:
    assert DOCUMENT["components"]["schemas"] == schemas_of(*DIRECT, *RECORDS)


@pytest.mark.parametrize("struct", DIRECT, ids=lambda struct: struct.__name__)
def test_every_message_refers_to_its_struct(struct: type) -> None:
    message = DOCUMENT["components"]["messages"][struct.__name__]
    assert message["payload"] == {"$ref": f"#/components/schemas/{struct.__name__}"}


def test_every_reference_leads_somewhere() -> None:
    def look(node: Any) -> None:
        if isinstance(node, dict):
            if (target := node.get("$ref")) is not None:
                found: Any = DOCUMENT
                for part in target.removeprefix("#/").split("/"):
                    found = found[part]
            for child in node.values():
                look(child)
        elif isinstance(node, list):
            for child in node:
                look(child)

    look(DOCUMENT)


def test_a_real_message_fits_its_schema() -> None:
    lane = messages.LaneState(
        epoch="0123456789abcdef", lane="bulk", last_seq=3, produced=9, oldest_unacked_seq=4, buffered=0, dropped=0
    )
    state = messages.GatewayState(online=True, session="s", at_ms=1, lanes=[lane])
    whole = {"$ref": "#/components/schemas/GatewayState", "components": DOCUMENT["components"]}
    jsonschema.validate(msgspec.to_builtins(state), whole)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"online": "perhaps"}, whole)
