"""Is it the cloud's word? Asked of everything that could make the gateway act, before anything else looks at it."""

from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts import topics
from contracts.messages import Command, DesiredState
from contracts.signature import fault_of_seal

Keys = Callable[[], Sequence[Ed25519PublicKey] | None]
"""Whose signature counts, asked for at each message. None: no key was ever given to this gateway. Empty: one was, and can't be
used now, which is no leave to do without."""


class Authenticity:
    """Of one gateway.

    refuse  told (topic, payload, reason, detail) of what is not the cloud's word. It is not answered under its command's
            id: else whoever can publish there could end real commands in the cloud's book by saying false ones
    """

    def __init__(self, gateway: str, keys: Keys, refuse: Callable[[str, bytes, str, str], None]) -> None:
        self._gateway = gateway
        self._keys = keys
        self._refuse = refuse

    def fault_of_command(self, command: Command, payload: bytes) -> str:
        """Why it may not be carried out, "" when it may. Its time and whether it came before are judged after this."""
        keys = self._keys()
        fault = "" if keys is None else fault_of_seal(command, payload, self._gateway, keys)
        if fault:
            self._refuse(topics.command(self._gateway), payload, fault, command.command_id)
        return fault

    def fault_of_desired(self, desired: DesiredState, payload: bytes, version: int) -> str:
        """Why it may not be applied, "" when it may. version: the one in use; with a key nobody takes us back to an older."""
        keys = self._keys()
        if keys is None:
            return ""
        fault = fault_of_seal(desired, payload, self._gateway, keys)
        if not fault and desired.version < version:
            fault = "version_older"
        if fault:
            detail = f"version {desired.version}; {version} is in use"
            self._refuse(topics.desired(self._gateway), payload, fault, detail)
        return fault
