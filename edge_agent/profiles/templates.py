"""Text templates of profiles: ``{name}`` stands for what the topic, the envelope or the decoder gave."""

import re
from collections.abc import Callable, Mapping
from typing import Any

_TEMPLATE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


def compile_template(text: str) -> Callable[[Mapping[str, Any]], str]:
    """A function that fills the template from names; a missing name makes the whole text empty."""
    parts = _TEMPLATE.split(text)
    if len(parts) == 1:
        return lambda names: text
    if len(parts) == 3 and not parts[0] and not parts[2]:
        only = parts[1]
        return lambda names: str(names[only]) if names.get(only) is not None else ""

    def fill(names: Mapping[str, Any]) -> str:
        filled = []
        for place, part in enumerate(parts):
            if place % 2 == 0:
                filled.append(part)
            elif names.get(part) is None:
                return ""
            else:
                filled.append(str(names[part]))
        return "".join(filled)

    return fill
