"""Who may do what, and where: roles, what each is good for, and the communities it is given for. Nothing here does I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from device_registry import EVERYWHERE, Communities


class Permission(StrEnum):
    """What a route may need.

    see        what facilities are and say: registry, state, history, live stream, bins, findings, ledgers
    diagnose   why something does not work: refused messages, conflicts, discoveries, profiles
    charging   who charged when, with whose card: personal data
    command    tell devices what to do, and follow it
    set_up     name, place and adopt devices, say how a site charges, push profiles
    install    bring gateways in
    shut_out   take a gateway's certificates away
    profiles   write device profiles
    communities  make communities
    people     invite, change and disable people
    audit      read who asked for what, and take it away
    tokens     make API tokens for machines
    """

    SEE = "see"
    DIAGNOSE = "diagnose"
    CHARGING = "charging"
    COMMAND = "command"
    SET_UP = "set_up"
    INSTALL = "install"
    SHUT_OUT = "shut_out"
    PROFILES = "profiles"
    COMMUNITIES = "communities"
    PEOPLE = "people"
    AUDIT = "audit"
    TOKENS = "tokens"


class Role(StrEnum):
    """What somebody is in a community."""

    ADMINISTRATOR = "administrator"
    PROPERTY_MANAGER = "property_manager"
    CREW = "crew"
    INSTALLER = "installer"
    RESIDENT = "resident"
    SUPERVISING_AUTHORITY = "supervising_authority"


_WORKS = frozenset({Permission.SEE, Permission.DIAGNOSE, Permission.COMMAND})
MAY: Mapping[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset(Permission),
    Role.PROPERTY_MANAGER: frozenset(Permission) - {Permission.COMMUNITIES, Permission.AUDIT},
    Role.CREW: _WORKS,
    Role.INSTALLER: _WORKS | {Permission.SET_UP, Permission.INSTALL, Permission.PROFILES},
    Role.RESIDENT: frozenset(),  # availability, which is public, and what is their own
    Role.SUPERVISING_AUTHORITY: frozenset({Permission.SEE, Permission.AUDIT}),
}
"""Role -> what it is good for."""

GIVES: Mapping[Role, frozenset[Role]] = {
    Role.ADMINISTRATOR: frozenset(Role),
    Role.PROPERTY_MANAGER: frozenset({Role.CREW, Role.INSTALLER, Role.RESIDENT}),
}
"""Role -> the roles that whoever holds it may give to others, and take from them, where it holds."""

ACTING = frozenset({Role.ADMINISTRATOR, Role.PROPERTY_MANAGER, Role.CREW, Role.INSTALLER})
"""Roles that change something: a second factor can be required of them."""


class Grant(NamedTuple):
    """A role in a community. community_id "": in all that there are and will be."""

    role: Role
    community_id: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: somebody who has signed in, or a machine with a token of somebody's.

    name      what the person is called; of a token, that and the token's own name: "chen/meter-export"
    grants    what counts now
    session   which session or token it is, for that one to be ended; never the secret itself
    machine   it came with a token, not with a browser's cookie
    """

    user_id: str
    name: str
    grants: tuple[Grant, ...]
    session: str
    machine: bool = False

    def where(self, permission: Permission) -> Communities:
        """The communities in which this caller has the permission."""
        return where(self.grants, permission)


def where(grants: Iterable[Grant], permission: Permission) -> Communities:
    """The communities for which these grants give the permission."""
    ids = {grant.community_id for grant in grants if permission in MAY[grant.role]}
    return EVERYWHERE if "" in ids else frozenset(ids)


def may_give(grants: Iterable[Grant], wanted: Grant) -> bool:
    """Whether whoever holds ``grants`` may give this one, or take it away."""
    return any(
        wanted.role in GIVES.get(held.role, ()) and held.community_id in ("", wanted.community_id) for held in grants
    )


def covers(grants: Iterable[Grant], wanted: Grant) -> bool:
    """Whether ``wanted`` gives nothing that ``grants`` do not give already: what a token may hold of its maker's."""
    held = tuple(grants)
    return all(
        (there := where(held, permission)) is None or wanted.community_id in there for permission in MAY[wanted.role]
    )


def acts(grants: Iterable[Grant]) -> bool:
    """Whether one of the roles changes something."""
    return any(grant.role in ACTING for grant in grants)
