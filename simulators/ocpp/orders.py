"""What a charge point does when the central system tells it to, whichever version it is told in."""

from collections.abc import Callable

from simulators.ocpp.notices import Kind
from simulators.ocpp.station import Station
from simulators.world.rhythms import MINUTE_MS


class Orders:
    """The orders of one station, beside those that begin, end and limit transactions."""

    def __init__(self, station: Station) -> None:
        self._station = station

    def change_availability(self, connector: int, operative: bool) -> str:
        """Accepted, or Scheduled where a transaction goes on: then it holds from its end."""
        numbers = [connector] if connector else list(self._station.outlets)
        if connector and connector not in self._station.outlets:
            return "Rejected"
        busy = any(self._station.outlets[number].session for number in numbers)
        if not operative and busy:
            for number in numbers:
                self._when_free(number, lambda number=number: self.change_availability(number, False))  # type: ignore[misc]
            return "Scheduled"
        change = self._station.inoperative.difference_update if operative else self._station.inoperative.update
        change(numbers)
        for number in numbers:
            self._station.report(number)
        return "Accepted"

    def _when_free(self, connector: int, act: Callable[[], object]) -> None:
        outlet = self._station.outlets[connector]

        def check() -> None:
            if outlet.session is None:
                act()
            else:
                self._station.agenda.after(MINUTE_MS, self._station.name, check)

        check()

    def unlock(self, connector: int) -> str:
        """The connector is let go; a transaction ends first."""
        if connector not in self._station.outlets:
            return "NotSupported"
        self._station.stop(self._station.outlets[connector].session, "UnlockCommand")
        return "Unlocked"

    def reserve(self, connector: int, reservation: int, token: str, until_ms: int) -> str:
        """Keep the connector for one token."""
        status = self._station.status(connector)
        if connector not in self._station.outlets or status not in ("Available", "Reserved"):
            return {"Unavailable": "Unavailable", "Faulted": "Faulted"}.get(status, "Occupied")
        self._station.reserved[connector] = reservation, token, until_ms
        self._station.report(connector)
        return "Accepted"

    def cancel_reservation(self, reservation: int) -> bool:
        """False: there is no such one."""
        for connector, kept in list(self._station.reserved.items()):
            if kept[0] == reservation:
                del self._station.reserved[connector]
                self._station.report(connector)
                return True
        return False

    def restart(self, reason: str, off_ms: float) -> None:
        """Ends all transactions, and starts again after ``off_ms``."""
        for outlet in self._station.outlets.values():
            self._station.stop(outlet.session, reason)
        self._station.agenda.after(1_000, self._station.name, lambda: self._station.power_off(clock_lost=False))
        self._station.agenda.after(1_000 + off_ms, self._station.name, self._station.power_on)

    def go_through(self, kind: Kind, words: tuple[str, ...]) -> None:
        """Say one after the other what an update, or an upload, comes to."""
        for number, word in enumerate(words):
            self._station.agenda.after(
                number * MINUTE_MS + 1_000, self._station.name,
                lambda word=word: self._station.word(kind, word=word) if self._station.online else None,  # type: ignore[misc]
            )  # fmt: skip
