"""What a charge point has to say, and what it is ordered, as far as it is the same in all versions of OCPP."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from simulators.ocpp.clock import Scale, read
from simulators.ocpp.limits import Profile, read_profile
from simulators.ocpp.notices import Kind, Notice
from simulators.ocpp.orders import Orders
from simulators.ocpp.station import Station

Payload = dict[str, Any]
UPDATE = ("Downloading", "Downloaded", "Installing", "Installed")
UPLOAD = ("Uploading", "Uploaded")


class Speech:
    """Goes before the package's ``ChargePoint`` of a version.

    boot_again  set when it was asked to say once more that it has started
    """

    station: Station
    orders: Orders
    scale: Scale
    boot_again: asyncio.Event
    call: Any
    triggered: ClassVar[Mapping[str, Kind]]
    """What it can be asked to say, by its name in this version."""

    def lead(self, station: Station, scale: Scale) -> None:
        """This is whose words it says; scale: of times on the wire."""
        self.station, self.scale, self.orders = station, scale, Orders(station)
        self.boot_again = asyncio.Event()

    async def boot(self) -> Any:
        """Ask to be let in."""
        self.boot_again.clear()
        return await self.call(self.boot_call(), suppress=False)

    async def tell(self, notice: Notice) -> None:
        """Say it, and give the station the answer. Raises OCPPError when it is refused, TimeoutError without answer."""
        payload = self.payload(notice)
        if payload is None:
            return
        answer = await self.call(payload, suppress=False)
        if notice.kind == "authorize":
            self.station.authorized(notice.connector, notice.token, self.status_of(answer) == "Accepted")
        elif notice.kind == "begin" and notice.session is not None:
            self.begun(notice, answer)
            if self.status_of(answer) != "Accepted":
                self.station.refused(notice.session)
        elif notice.kind == "heartbeat":
            self.station.set_clock(read(answer.current_time))

    def boot_call(self) -> Any:
        """Who it is."""
        raise NotImplementedError

    def payload(self, notice: Notice) -> Any:
        """The call that says it; None: this version has no such word."""
        raise NotImplementedError

    def status_of(self, answer: Any) -> str:
        """Whether the token of an answer may charge."""
        raise NotImplementedError

    def begun(self, notice: Notice, answer: Any) -> None:
        """The central system knows a transaction now."""

    def keep_limit(self, document: Payload, connector: int) -> str:
        """A charging profile."""
        return yes(self.station.set_limit(read_profile(document, connector, self.station.said_ms)))

    def clear_limits(self, found: Mapping[str, Any]) -> str:
        """Forget the profiles that are so; found: what is asked of a profile's fields, None: nothing."""

        def meant(one: Profile) -> bool:
            return all(wanted is None or getattr(one, name) == wanted for name, wanted in found.items())

        cleared = self.station.limits.clear(meant)
        self.station.look()
        return "Accepted" if cleared else "Unknown"

    def begin(self, connector: int, token: str, profile: Payload | None) -> str:
        """Begin, if a car is there."""
        if profile is not None:
            self.keep_limit(profile, connector)
        return yes(self.station.begin(connector, token))

    def keep_list(self, version: int, update: str, entries: Mapping[str, Payload | None]) -> str:
        """Who may charge without a link: by token its status, None: nobody any more."""
        if update == "Full":
            self.station.local_list.clear()
        for token, info in entries.items():
            if info is not None:
                self.station.local_list[token] = info["status"]
            else:
                self.station.local_list.pop(token, None)
        self.station.list_version = version
        return "Accepted"

    def say_now(self, message: str, connectors: list[int]) -> str:
        """Say what it is asked for, of these connectors."""
        if message == "BootNotification":
            self.boot_again.set()
            self.station.on_change()
            return "Accepted"
        kind = self.triggered.get(message)
        if kind is None:
            return "NotImplemented"
        for connector in connectors:
            self.station.say(kind, connector)
        return "Accepted"


def yes(done: bool) -> str:
    """Whether it was done, in OCPP's words."""
    return "Accepted" if done else "Rejected"
