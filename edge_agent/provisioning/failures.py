"""What can go wrong when a gateway comes in: a word each, its exit code, and what an installer does next."""

from collections.abc import Mapping
from typing import NamedTuple


class Failure(NamedTuple):
    """exit_code: of `edge-agent provision`; then: what to do next."""

    exit_code: int
    then: str


FAILURES: Mapping[str, Failure] = {
    # before anything is sent
    "address_wrong": Failure(10, "give the cloud's address as https://cloud.example, or the link of the QR code"),
    "code_mistyped": Failure(11, "type the code as it stands on the claim; make a new claim if it is lost"),
    "key_unusable": Failure(12, "see that the folder of --out can be written, and that claim.key in it is whole"),
    # on the way
    "name_unknown": Failure(20, "check the spelling, and this machine's DNS server (resolvectl, /etc/resolv.conf)"),
    "port_closed": Failure(21, "check the port, and that the cloud runs"),
    "no_answer": Failure(22, "open outgoing https in the firewall between here and there"),
    "network_down": Failure(23, "check cable, modem and route (ip route)"),
    "not_https": Failure(24, "does this port speak https?"),
    "authority_unknown": Failure(
        25,
        "give the authority of the cloud's web server with --ca FILE; if it was right before, somebody is in between",
    ),
    "name_mismatch": Failure(26, "connect by a name that the cloud's certificate has"),
    "clock_wrong": Failure(
        27, "set this machine's clock (timedatectl); if it is right, the cloud's web certificate is to be renewed"
    ),
    "not_linli": Failure(28, "is this the address of the cloud?"),
    # the cloud's answer
    "claim_unknown": Failure(30, "type the code as it stands on the claim; make a new claim if it is lost"),
    "claim_used": Failure(
        31, "somebody has used this claim. If it was not you, say so to the property manager, who sees it too"
    ),
    "claim_expired": Failure(32, "ask for a new claim"),
    "claim_withdrawn": Failure(33, "ask for a new claim"),
    "claim_for_another_site": Failure(34, "you are at another site than the claim is for, or --community is mistyped"),
    "too_many_attempts": Failure(35, "wait, and check the code meanwhile"),
    "no_authority": Failure(36, "the cloud is not set up to take gateways in: docs/ops/deploy.md"),
    "cloud_failed": Failure(37, "try again; if it stays, the cloud's log says more"),
    # afterwards
    "certificate_wrong": Failure(40, "run it again; tell us if it stays"),
    "files_unwritable": Failure(41, "see that the folder of --out can be written and has room, and run it again"),
}


class ProvisionFailed(Exception):
    """It did not work. word: a key of FAILURES; the message says what was wrong here."""

    def __init__(self, word: str, message: str) -> None:
        super().__init__(message)
        self.word = word

    @property
    def failure(self) -> Failure:
        """Exit code, and what to do next."""
        return FAILURES[self.word]
