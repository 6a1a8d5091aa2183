"""What is made from the contracts is up to date, and the schema says the same as the engine."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from contracts.documents import SCHEMA, VOCABULARY, schema_text, vocabulary_text
from contracts.vocabulary import METRICS, METRICS_BY_NUMBER
from edge_agent.profiles import SHIPPED

FILES = sorted(path for path in SHIPPED.glob("*.yaml") if path.name != "envelopes.yaml")


@pytest.fixture(scope="module")
def validator() -> Any:
    """The committed schema, as an editor reads it."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_committed_documents_are_those_of_the_code() -> None:
    assert VOCABULARY.read_text(encoding="utf-8") == vocabulary_text(), "make docs"
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "make docs"


def test_every_metric_stands_in_the_vocabulary_page_once() -> None:
    lines = [line for line in vocabulary_text().splitlines() if line.startswith("| ") and "`" in line]
    assert sorted(line.split("`")[1] for line in lines) == sorted(METRICS)
    assert len(METRICS_BY_NUMBER) == len(METRICS), "no number twice"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_shipped_profiles_hold_to_the_schema(file: Any, validator: Any) -> None:
    validator.validate(json.loads(json.dumps(yaml.safe_load(file.read_text(encoding="utf-8")))))


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("profile", "id"), "No Such Id"),
        (("profile", "version"), 0),
        (("profile", "kind"), "garden"),
        (("messages",), []),
        (("examples",), []),
        (("messages", 0, "readings", 0, "metrics", "temperature", "pth"), "t"),
    ],
)
def test_the_schema_refuses_what_the_engine_refuses(place: tuple[Any, ...], wrong: Any, validator: Any) -> None:
    document = yaml.safe_load((SHIPPED / "linli_thermostat.yaml").read_text(encoding="utf-8"))
    *path, last = place
    parent = document
    for key in path:
        parent = parent[key]
    parent[last] = wrong
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document)
