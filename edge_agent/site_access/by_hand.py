"""``site.acl``, which people write in Mosquitto's way, read for a broker that has another one. Pure."""

from edge_agent.site_access.rights import Rights

ACCESS = ("read", "write", "readwrite")


def by_hand_rights(text: str) -> list[Rights]:
    """The blocks of ``user NAME`` and ``topic [read|write|readwrite] FILTER`` lines.

    Raises ValueError that names the line, for all else that Mosquitto knows: patterns, denials, lines for nobody.
    """
    found: list[Rights] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        match words:
            case ["user", user]:
                found.append(Rights(user, [], []))
            case ["topic", topic] if found:
                found[-1] = _with(found[-1], "readwrite", topic)
            case ["topic", access, topic] if found and access in ACCESS:
                found[-1] = _with(found[-1], access, topic)
            case _:
                raise ValueError(f"site.acl, line {number}: the embedded broker knows no {line.strip()!r}")
    return found


def _with(rights: Rights, access: str, topic: str) -> Rights:
    user, writes, reads = rights
    return Rights(
        user, [*writes, topic] if "write" in access else writes, [*reads, topic] if "read" in access else reads
    )
