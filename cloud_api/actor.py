"""Who asks. The one place that says so: routes take ``ActorDep``, the audit and approvals ask ``actor_of``."""

from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request

UNKNOWN = "nobody"
"""Who has not signed in, or asks for what is public."""
SCOPE = "linli.actor"
"""Under this name whoever lets a request in puts its Actor into the ASGI scope."""


class Actor(NamedTuple):
    """id: of a person or a machine, never a name. address: from where, "" when that is not known."""

    id: str
    address: str


def actor_of(scope: Any) -> Actor:
    """Who sent the request of this ASGI scope."""
    known = scope.get(SCOPE)
    if isinstance(known, Actor):
        return known
    client = scope.get("client")
    return Actor(UNKNOWN, str(client[0]) if client else "")


def _actor(request: Request) -> Actor:
    return actor_of(request.scope)


ActorDep = Annotated[Actor, Depends(_actor)]
