"""Text templates of profiles: ``{name}`` stands for what the topic, the envelope or the decoder gave, ``{a.path}`` for
what stands there in the message's document."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from edge_agent.profiles.paths import compile_path

_TEMPLATE = re.compile(r"\{([^{}]+)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Fill = Callable[[Mapping[str, Any]], str]
"""names -> the text; empty when something that the template speaks of is not there."""


def template_names(text: str) -> set[str]:
    """The names that the template uses."""
    return {part if _NAME.fullmatch(part) else "document" for part in _TEMPLATE.findall(text)}


def compile_template(text: str) -> Fill:
    """A function that fills the template from names. Raises ValueError when a path in it is wrong."""
    parts = _TEMPLATE.split(text)
    if len(parts) == 1:
        return lambda names: text
    if len(parts) == 3 and not parts[0] and not parts[2] and _NAME.fullmatch(parts[1]):
        name = parts[1]
        return lambda names: found if type(found := names.get(name)) is str else "" if found is None else str(found)
    finds = [_compile_part(part) for part in parts[1::2]]
    if len(parts) == 3 and not parts[0] and not parts[2]:
        only = finds[0]
        return lambda names: "" if (found := only(names)) is None else found if type(found) is str else str(found)
    between = parts[::2]

    def fill(names: Mapping[str, Any]) -> str:
        text = between[0]
        for place, find in enumerate(finds, 1):
            found = find(names)
            if found is None:
                return ""
            text += str(found) + between[place]
        return text

    return fill


def _compile_part(part: str) -> Callable[[Mapping[str, Any]], Any]:
    if _NAME.fullmatch(part):
        return lambda names: names.get(part)
    path = compile_path(part)

    def find(names: Mapping[str, Any]) -> Any:
        found = path(names["document"])
        return found if type(found) is str or type(found) is int else None

    return find
