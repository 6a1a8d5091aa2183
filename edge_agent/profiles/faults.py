"""Everything that is wrong with a profile document, each with its line and key, for the person who writes it. Pure."""

import difflib
import math
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import yaml

from contracts import profile as language
from contracts.profile import MessageSpec, Profile
from contracts.vocabulary import METRICS
from edge_agent.profiles.check import check_profile
from edge_agent.profiles.errors import ProfileError
from edge_agent.profiles.profile_set import ProfileSet, profile_files

FAULTS_MAX = 20
PARTS_MAX = 20_000
_STEP = re.compile(r"\.([A-Za-z_0-9]+)|\[(\d+)\]|\[(\.\.\.)\]")
_FIELD = re.compile(r"field `(.+)`")
_WORDS = sorted({
    field
    for kind in vars(language).values()
    if isinstance(kind, type) and issubclass(kind, language.Part)
    for field in kind.__struct_fields__
})  # fmt: skip

Step = str | int


class Fault(NamedTuple):
    """line: from 1; key: where in the document, such as ``messages[0].readings[0].metrics.temperature``, "" all of it."""

    line: int
    key: str
    message: str


def check_files(paths: Iterable[Path]) -> list[str]:
    """What is wrong with these profile files and folders, a line each: schema, units, examples. Empty when all is well."""
    problems = []
    for path in profile_files(paths):
        try:
            faults = faults_of(path.read_bytes())
        except OSError as error:
            problems.append(f"{path}: {error.strerror or error}")
        else:
            problems += [f"{path}:{line}: {key}: {text}".replace(": : ", ": ") for line, key, text in faults]
    return problems


def faults_of(document: bytes) -> list[Fault]:
    """What is wrong, in the document's order; FAULTS_MAX at most, empty when the profile may be used."""
    try:
        text = document.decode()
        node = yaml.compose(text, yaml.SafeLoader)
        if _parts(node) > PARTS_MAX:
            return [Fault(1, "", f"with its aliases (*name) written out it has more than {PARTS_MAX} parts")]
        content = yaml.safe_load(text)
    except UnicodeDecodeError as error:
        return [Fault(1, "", f"not UTF-8: {error.reason} at byte {error.start}")]
    except RecursionError:
        return [Fault(1, "", "not YAML: nested too deeply")]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return [Fault(mark.line + 1 if mark else 1, "", f"not YAML: {error.problem or error.context}")]
    except (yaml.YAMLError, ValueError) as error:
        return [Fault(1, "", f"not YAML: {error}")]
    found = list(_schema_faults(content))
    if not found:
        profile = msgspec.convert(content, Profile)
        found = list(_compile_faults(profile)) or list(_example_faults(profile))
    faults = [Fault(_line(node, steps), _shown(steps), message) for steps, message in found[:FAULTS_MAX]]
    return sorted(faults, key=lambda fault: fault.line)


def _parts(root: yaml.Node | None) -> float:
    """How many parts the document has once each alias is written out: a few aliases of aliases can mean millions."""
    counted: dict[int, float] = {}

    def count(node: yaml.Node | None) -> float:
        if not isinstance(node, yaml.CollectionNode):
            return 1
        if id(node) not in counted:
            counted[id(node)] = math.inf  # for an alias of what it stands in
            within = chain.from_iterable(node.value) if isinstance(node, yaml.MappingNode) else node.value
            counted[id(node)] = 1 + sum(map(count, within))
        return counted[id(node)]

    return count(root)


def _schema_faults(content: Any) -> Iterator[tuple[list[Step], str]]:
    """One after another: what is wrong is taken out, and the rest looked at again."""
    taken_out: set[tuple[Step, ...]] = set()
    for _ in range(FAULTS_MAX):
        try:
            msgspec.convert(content, Profile)
            return
        except msgspec.ValidationError as error:
            message, _, place = str(error).partition(" - at `")
            steps = _resolved(content, place.rstrip("`"), str(error))
        named = _FIELD.search(message)
        unknown = named is not None and "unknown field" in message
        if named is not None and not unknown and (*steps, named[1]) in taken_out:
            return  # it is missing because it was wrong
        if named is not None and unknown:
            steps = [*steps, named[1]]
            close = [word for word in difflib.get_close_matches(named[1], _WORDS, 2) if word != named[1]]
            message = f"there is no key {named[1]!r}" + (f"; is {close[0]!r} meant?" if close else "")
        yield steps, message
        if not steps or (named is not None and not unknown):
            return
        taken_out.add(tuple(steps))
        _take_out(content, steps)


def _resolved(content: Any, place: str, said: str) -> list[Step]:
    """msgspec says ``[...]`` for a key of a mapping: it is the one that is wrong also when it stands alone."""
    steps: list[Step] = []
    for name, index, some in _STEP.findall(place):
        if not some:
            steps.append(int(index) if index else name)
            continue
        mapping = _at(content, steps)
        if not isinstance(mapping, dict):
            break
        kept = dict(mapping)
        wrong = None
        for key, value in kept.items():
            mapping.clear()
            mapping[key] = value
            try:
                msgspec.convert(content, Profile)
            except msgspec.ValidationError as error:
                if str(error) == said:
                    wrong = key
                    break
        mapping.clear()
        mapping.update(kept)
        if wrong is None:
            break
        steps.append(cast(Step, wrong))
    return steps


def _compile_faults(profile: Profile) -> Iterator[tuple[list[Step], str]]:
    for place, spec in enumerate(profile.messages):
        if message := _fault_of_message(profile, spec):
            narrower = list(_faults_of_metrics(profile, place, spec))
            yield from narrower or [(["messages", place], message)]
    for verb, command in profile.commands.items():
        try:
            ProfileSet([msgspec.structs.replace(profile, messages=[], commands={verb: command})])
        except ProfileError as error:
            yield ["commands", verb], error.message


def _faults_of_metrics(profile: Profile, place: int, spec: MessageSpec) -> Iterator[tuple[list[Step], str]]:
    for number, reading in enumerate(spec.readings):
        for name, metric in reading.metrics.items():
            alone = msgspec.structs.replace(reading, metrics={name: metric}, time=None)
            fault = _fault_of_message(profile, msgspec.structs.replace(spec, decode=None, readings=[alone]))
            if fault:
                close = difflib.get_close_matches(name, METRICS, 1) if name not in METRICS else []
                hint = f"; is {close[0]!r} meant?" if close else ""
                yield ["messages", place, "readings", number, "metrics", name], fault + hint


def _fault_of_message(profile: Profile, spec: MessageSpec) -> str:
    try:
        ProfileSet([msgspec.structs.replace(profile, messages=[spec], commands={})])
    except ProfileError as error:
        return error.message
    return ""


def _example_faults(profile: Profile) -> Iterator[tuple[list[Step], str]]:
    if not profile.examples:
        yield ["examples"], "an example at least must say what comes out of a message"
        return
    for problem in check_profile(profile):
        place, _, message = problem.removeprefix("$.examples[").partition("]: ")
        yield ["examples", int(place)], message


def _at(content: Any, steps: list[Step]) -> Any:
    for step in steps:
        content = content[step]
    return content


def _take_out(content: Any, steps: list[Step]) -> None:
    del _at(content, steps[:-1])[steps[-1]]


def _line(node: Any, steps: list[Step]) -> int:
    """The line of the key, or of what is nearest to it."""
    line = node.start_mark.line if node is not None else 0
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(step)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
        else:
            break
    return int(line) + 1


def _shown(steps: list[Step]) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
