"""The NATS server's form of the rights: ``devices.conf``, a user each, which its configuration includes. Pure.

A SIGHUP makes it read that again: who has lost his user or his rights is cut off, all others stay.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence

from contracts.nats_subjects import nats_subjects
from edge_agent.site_access.rights import Rights

ANYONE = "anyone"
"""The user of whoever has no password, where that is allowed. No device's: it has no password to sign in with."""
OWN = ("$JS.>", "$SYS.>", "$MQTT.>")
"""The server's own subjects. What MQTT calls ``#`` does not mean them; to a NATS server ``>`` would: who may publish on
``$MQTT.msgs.tele.meter-1.SENSOR`` speaks on the topic that stands behind it."""
OWN_READ = OWN[:2]
"""What comes with QoS 1 comes to each client out of ``$MQTT``: it must not be denied."""


def nats_users(
    by_hand: Iterable[Rights], devices: Iterable[Rights], passwords: Mapping[str, str], is_open: bool
) -> str:
    """The text of ``devices.conf``; who has no password is left out.

    by_hand    who stands in ``site.acl``
    devices    a topic of theirs that a NATS server can't say, and therefore does not take, is nobody's
    passwords  user -> bcrypt hash
    is_open    who has no password may hear everything, and speak, but for no device that has one

    Raises ValueError for what stands in ``site.acl`` and a NATS server can't say.
    """
    own = [(each, _said(each.writes), _said(each.reads)) for each in devices]
    others = [(each, _subjects(each.writes), _subjects(each.reads)) for each in by_hand]
    known: dict[str, tuple[list[str], list[str]]] = {}
    for each, writes, reads in [*others, *own]:
        if each.user in passwords and each.user != ANYONE:
            had = known.get(each.user, ([], []))
            known[each.user] = [*had[0], *writes], [*had[1], *reads]
    users = [_user(user, passwords[user], *subjects) for user, subjects in known.items()]
    if is_open:
        taken = [subject for each, writes, _ in own if each.user in known for subject in writes]
        users.append(_user(ANYONE, "", [">"], [">"], taken))
    lines = ["# Written by `edge-agent site-access`; write by hand in site.acl.", "authorization {", "  users = ["]
    text = "\n".join([*lines, *users, "  ]", "}", ""])
    return text + f"no_auth_user: {ANYONE}\n" if is_open else text


def _subjects(topics: Iterable[str]) -> list[str]:
    return [subject for topic in topics for subject in nats_subjects(topic)]


def _said(topics: Iterable[str]) -> list[str]:
    found = []
    for topic in topics:
        with contextlib.suppress(ValueError):
            found += nats_subjects(topic)
    return found


def _user(user: str, password: str, writes: Sequence[str], reads: Sequence[str], taken: Sequence[str] = ()) -> str:
    allowed = {"publish": _only(writes, [*OWN, *taken]), "subscribe": _only(reads, OWN_READ)}
    secret = f"password: {json.dumps(password)}, " if password else ""
    return (
        f'    {{user: {json.dumps(user)}, {secret}allowed_connection_types: ["MQTT"], '
        f"permissions: {json.dumps(allowed)}}}"
    )


def _only(subjects: Sequence[str], never: Sequence[str]) -> dict[str, Sequence[str]]:
    """An empty list would allow everything."""
    if not subjects:
        return {"deny": [">"]}
    return {"allow": subjects, "deny": never} if ">" in subjects else {"allow": subjects}
