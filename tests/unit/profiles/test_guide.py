"""docs/profiles.md is carried out as it is written, and leaves nothing of the language out."""

import re
import shlex
from pathlib import Path

import msgspec
import pytest
import yaml

from contracts import profile as language
from contracts.profile import CommandSpec
from edge_agent.cli import main
from edge_agent.profiles import SHIPPED
from edge_agent.profiles.actions import check_command
from edge_agent.profiles.expressions import FUNCTIONS

GUIDE = (Path(__file__).parents[3] / "docs" / "profiles.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
PARTS = [part for part in vars(language).values() if isinstance(part, type) and issubclass(part, language.Part)]


def blocks(kind: str) -> list[str]:
    """The guide's code blocks of one kind, in their order."""
    return [text for word, text in BLOCKS if word == kind]


def test_the_worked_example_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "message.json").write_text(blocks("json")[0])
    (tmp_path / "acme_bl-1.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for line in blocks("sh")[0].splitlines():
        program, *arguments = shlex.split(line)
        assert program == "edge-agent"
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0
    assert capsys.readouterr().out == blocks("text")[0]


def test_the_command_shown_may_stand_in_a_profile() -> None:
    for verb, command in yaml.safe_load(blocks("yaml")[1]).items():
        assert check_command(verb, msgspec.convert(command, CommandSpec)) == ""


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_key_of_the_language_is_in_the_guide(part: type[language.Part]) -> None:
    keys = set(part.__struct_fields__)
    said = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`", GUIDE)) + " ".join(blocks("yaml"))))
    assert sorted(keys - said) == []


def test_envelopes_and_functions_are_in_the_guide() -> None:
    names = set(yaml.safe_load((SHIPPED / "envelopes.yaml").read_text(encoding="utf-8"))) | set(FUNCTIONS)
    assert not [name for name in names if f"`{name}" not in GUIDE]
