"""Where a device that speaks on a foreign topic can be told something: beside it, as its profile has it. Pure."""

from collections.abc import Iterable


def told_on(command: str, reports: Iterable[str], identity: str, topic: str) -> str:
    """The topic on which a device listens that reports on ``topic``; "" where the profile's pattern does not say.

    command   the profile's topic of a verb, with {device}
    reports   the profile's topics of messages, identity: its template of the device's id

    A profile that hears ``plug/{device}/state`` and tells on ``plug/{device}/set`` tells what reports on
    ``plant/unit-7/state`` on ``plant/unit-7/set``: only below what is the device's own, where no other listens.
    """
    told = command.split("/")
    for report in reports:
        heard = report.replace(identity, "{device}").split("/")
        shared = next((at for at, (one, other) in enumerate(zip(heard, told, strict=False)) if one != other), None)
        shared = min(len(heard), len(told)) if shared is None else shared
        after = heard[shared:]
        levels = topic.split("/")
        root = levels[: len(levels) - len(after)]
        names_device = any("{device}" in level for level in heard[:shared])
        if names_device and root and levels[len(root) :] == after and "{" not in "".join(told[shared:]):
            return "/".join([*root, *told[shared:]])
    return ""
