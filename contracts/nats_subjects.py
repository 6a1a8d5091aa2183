"""MQTT topics as the NATS server calls them: its permissions are written in its own words. Pure.

A topic's levels are a subject's tokens. An empty level is ``/``, a dot within a level ``//``. What the server takes for a
wildcard of its own, or does not take at all, is no subject: in a list of permissions it would allow more than was meant.
"""


def nats_subjects(topic_filter: str) -> list[str]:
    """The subjects of a topic or topic filter; two for ``a/#``, which in MQTT is ``a`` as well.

    Raises ValueError for what the server can't say, and for topics that begin with ``$``: those are the server's own.
    """
    if (
        not topic_filter
        or topic_filter.startswith("$")
        or not topic_filter.isprintable()
        or set(topic_filter) & set(" *>")
    ):
        raise ValueError(f"no topic for a NATS server: {topic_filter!r}")
    levels = topic_filter.split("/")
    if any(set(level) & {"+", "#"} and level not in ("+", "#") for level in levels) or "#" in levels[:-1]:
        raise ValueError(f"not a topic filter: {topic_filter!r}")
    tokens = [_token(level) for level in levels]
    above = [".".join(tokens[:-1])] if levels[-1] == "#" and len(levels) > 1 else []
    return [*above, ".".join(tokens)]


def _token(level: str) -> str:
    return {"": "/", "+": "*", "#": ">"}.get(level) or level.replace(".", "//")
