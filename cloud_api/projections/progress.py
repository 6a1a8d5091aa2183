"""How far each projection is, and why it stands still if it does: for readiness and figures."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cloud_api.projections.runner import OpenFrame


class Place(NamedTuple):
    """Where a projection is.

    position    of the last frame that is in it
    received_ms when ingest took that frame, ms UTC; 0 before the first one of this run
    failing     why it stands still, "" when it does not
    """

    position: int = 0
    received_ms: int = 0
    failing: str = ""


class Progress:
    """Is told by ``run_projection``. applied: called with the projection's name and the frames it has just taken in."""

    def __init__(
        self,
        names: Sequence[str],
        applied: Callable[[str, Sequence[OpenFrame]], None] = lambda name, frames: None,
    ) -> None:
        self.places: dict[str, Place] = {name: Place() for name in names}
        self._applied = applied

    def starts(self, name: str, position: int) -> None:
        """It has been opened and holds so much."""
        self.places[name] = Place(position)

    def moved(self, name: str, frames: Sequence[OpenFrame]) -> None:
        """It has taken in these frames."""
        last = frames[-1]
        self.places[name] = Place(last.position, last.received_ms)
        self._applied(name, frames)

    def stands(self, name: str, reason: str) -> None:
        """It can't go on now, and tries again."""
        self.places[name] = self.places[name]._replace(failing=reason)
