"""May this token charge? Pure: the list comes with the desired state, the time from the caller."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Literal, NamedTuple

from contracts.messages import DesiredToken

REMOTE = "remote"
"""What records call the token of a start that was asked for from afar."""

Status = Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]


class Decision(NamedTuple):
    """The answer to a token. name: what records call it, "" for one that is not known; expires_ms 0: never."""

    status: Status
    name: str = ""
    expires_ms: int = 0


class Authorisation:
    """The site's list of tokens. ``free_for_all``: tokens that are not in it may charge too. Case does not count."""

    def __init__(self, tokens: Iterable[DesiredToken] = (), free_for_all: bool = False) -> None:
        self._tokens = {token.id_tag.casefold(): token for token in tokens}
        self._free_for_all = free_for_all

    def decide(self, id_tag: str, now_ms: int) -> Decision:
        """Whether the token may charge now, wherever else it may be in use."""
        token = self._tokens.get(id_tag.casefold())
        if token is None:
            return Decision("Accepted" if self._free_for_all else "Invalid")
        return decide(token, now_ms)


def decide(token: DesiredToken, now_ms: int) -> Decision:
    """What holds for a token of the list."""
    expired = token.expires_ms and token.expires_ms <= now_ms
    return Decision("Blocked" if token.blocked else "Expired" if expired else "Accepted", token.name, token.expires_ms)


def remote_token(secret: bytes, charge_point: str) -> str:
    """The token under which a charge point starts what we ask it to start: its own, and nobody can guess it."""
    return "L" + hmac.new(secret, charge_point.encode(), hashlib.sha256).hexdigest()[:19].upper()
