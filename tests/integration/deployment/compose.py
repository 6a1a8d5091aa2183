"""docker-compose.yml and the Dockerfiles as the tests read them."""

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import yaml

REPOSITORY = Path(__file__).parents[3]
COMPOSE = REPOSITORY / "docker-compose.yml"
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>[A-Z_]+)(?::-(?P<default>[^}]*))?\})")


def filled(value: Any, variables: dict[str, str]) -> Any:
    """A value with its ``${NAME:-default}`` filled in, as compose does it."""
    if isinstance(value, dict):
        return {name: filled(each, variables) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, variables) for each in value]
    if not isinstance(value, str):
        return value

    def fill(found: re.Match[str]) -> str:
        if found["name"] is None:
            return "$"
        return variables.get(found["name"]) or found["default"] or ""

    return _VARIABLE.sub(fill, value)


def compose(**variables: str) -> dict[str, Any]:
    """The whole document with these variables."""
    return dict(filled(yaml.safe_load(COMPOSE.read_text()), variables))


class Instruction(NamedTuple):
    """One line of a Dockerfile, continuation lines joined."""

    word: str
    text: str


class Stage(NamedTuple):
    """One FROM and what follows it."""

    image: str
    name: str
    instructions: list[Instruction]

    def last(self, word: str) -> str:
        """The text of the last such instruction."""
        return [each.text for each in self.instructions if each.word == word][-1]

    def copied(self) -> list[tuple[list[str], str]]:
        """(sources, target) of every COPY from the build's context."""
        found = []
        for each in self.instructions:
            if each.word == "COPY" and not each.text.startswith("--from"):
                *sources, target = shlex.split(each.text)
                found.append((sources, target))
        return found


def stages(dockerfile: Path) -> list[Stage]:
    """A Dockerfile's stages."""
    text = re.sub(r"\\\n\s*", "", "\n".join(line for line in dockerfile.read_text().splitlines() if line[:1] != "#"))
    found: list[Stage] = []
    for line in filter(None, text.splitlines()):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            found.append(Stage(image, name, []))
        else:
            found[-1].instructions.append(Instruction(word, rest.strip()))
    return found


def run_stage(stage: Stage, root: Path, run: Any) -> None:
    """Carry out a stage's WORKDIR, COPY and RUN below ``root`` instead of ``/``. run: called with command and folder."""
    folder = root
    for word, text in stage.instructions:
        if word == "WORKDIR":
            folder = root / text.lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            *sources, target = shlex.split(text)
            into = folder / target
            for source in sources:
                path = REPOSITORY / source
                if path.is_dir():
                    shutil.copytree(path, into, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
                else:
                    into.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, into)
        elif word == "RUN":
            run(re.sub(r"(?<![\w.])/opt/", f"{root}/opt/", text), folder)


def real_environment() -> dict[str, str]:
    """This process's, without settings of Linli."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LINLI_")}
