"""Topic templates (``application/{app}/device/{dev}/event/up``) and the trie that routes a topic to its candidates."""

import re
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

Target = TypeVar("Target")

_LEVEL = re.compile(r"^([^{}]*)\{([a-z_][a-z0-9_]*)\}([^{}]*)$")


class Template:
    """A topic template. A level may hold one ``{capture}``, with literal text before and after; ``#`` may end it."""

    def __init__(self, text: str) -> None:
        self.text = text
        levels = text.split("/")
        self.rest = levels[-1] == "#"
        if self.rest:
            levels = levels[:-1]
        self.keys: list[str] = []
        self._captures: list[tuple[int, str, str, str]] = []
        for place, level in enumerate(levels):
            match = _LEVEL.match(level)
            if match:
                before, name, after = match.groups()
                self._captures.append((place, before, name, after))
                self.keys.append("+")
            elif "{" in level or "+" in level or "#" in level:
                raise ValueError(f"level {level!r} of topic {text!r} is neither plain nor one {{capture}}")
            else:
                self.keys.append(level)

    @property
    def names(self) -> set[str]:
        """The names of its captures."""
        return {name for _, _, name, _ in self._captures}

    @property
    def filter(self) -> str:
        """The MQTT filter that takes in every topic of this template."""
        return "/".join([*self.keys, "#"] if self.rest else self.keys)

    def captures(self, levels: list[str]) -> dict[str, str] | None:
        """What stands in the captures, or None when a level's literal text is not there. levels fit ``keys``."""
        found = {}
        for place, before, name, after in self._captures:
            level = levels[place]
            value = level[len(before) : len(level) - len(after)] if after else level[len(before) :]
            if not value or not level.startswith(before) or not level.endswith(after):
                return None
            found[name] = value
        return found


class Trie(Generic[Target]):
    """Topic templates by level, each with what it routes to; literal levels come before captures."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}

    def add(self, template: Template, target: Target) -> None:
        """Route the template's topics to ``target``, after what was added before."""
        node = self._root
        for key in template.keys:
            node = node.setdefault(key, {})
        node.setdefault("\0rest" if template.rest else "\0here", []).append((template, target))

    def find(self, topic: str) -> Iterator[tuple[Target, dict[str, str]]]:
        """Every target whose template the topic fits, with the captures; the most literal first."""
        levels = topic.split("/")
        yield from self._find(self._root, levels, 0)

    def _find(self, node: dict[str, Any], levels: list[str], depth: int) -> Iterator[tuple[Target, dict[str, str]]]:
        if depth == len(levels):
            yield from self._fit(node.get("\0here", ()), levels)
        else:
            for key in (levels[depth], "+"):
                child = node.get(key)
                if child is not None and "\0" not in key:
                    yield from self._find(child, levels, depth + 1)
        yield from self._fit(node.get("\0rest", ()), levels)

    @staticmethod
    def _fit(entries: Any, levels: list[str]) -> Iterator[tuple[Target, dict[str, str]]]:
        for template, target in entries:
            captures = template.captures(levels)
            if captures is not None:
                yield target, captures
