"""The exchange of a claim for a certificate, with a clear word for each thing that can be wrong."""

import json
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from contracts.claim_code import ClaimCodeInvalid, claim_secret
from edge_agent.provisioning.identity_files import IdentityFiles, belong_together, certificate_request

TIMEOUT_S = 20.0
ANSWER_BYTES_MAX = 65_536
CLOCK_OFF_MS = 300_000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_THEN = {
    "claim_unknown": "type the code as it stands on the claim; make a new claim if it is lost",
    "claim_used": "somebody used this claim before. If it was not you, say so to the property manager: it is in the log",
    "claim_expired": "ask for a new claim",
    "claim_withdrawn": "ask for a new claim",
    "claim_for_another_site": "you are at another site than the claim is for",
    "too_many_attempts": "wait, and check the code meanwhile",
    "no_authority": "the cloud is not set up to take gateways in: docs/ops/deploy.md",
}


class ProvisionFailed(Exception):
    """It did not work. ``what`` is the step, the message why, ``then`` what to do next."""

    def __init__(self, what: str, message: str, then: str) -> None:
        super().__init__(f"{what}: {message}")
        self.what = what
        self.then = then


class Ceremony(NamedTuple):
    """What came of it. clock_off_ms: how far this machine's clock is ahead of the cloud's."""

    gateway_id: str
    ends_ms: int
    clock_off_ms: int


class _Answer(msgspec.Struct, kw_only=True):
    gateway_id: str
    certificate: str
    ends_ms: int
    broker_authority: str
    mqtt_host: str
    mqtt_port: int
    now_ms: int


def read_link(where: str, code: str) -> tuple[str, str]:
    """The cloud's address and the code, from both or from the link of a QR code. Raises ProvisionFailed."""
    parts = urlsplit(where)
    code = code or parts.fragment
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ProvisionFailed("address", f"{where!r} is no address", "give it as https://cloud.example")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ProvisionFailed("address", "plain http is for this machine only", "use https://")
    try:
        claim_secret(code)
    except ClaimCodeInvalid as error:
        raise ProvisionFailed("claim", str(error), _THEN["claim_unknown"]) from error
    path = parts.path.removesuffix("/provision").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}", code


def provision(files: IdentityFiles, where: str, code: str, community: str, ca: Path | None, now_ms: int) -> Ceremony:
    """Get this gateway its certificate, and keep it with what else the agent needs.

    where, code  see ``read_link``; community: where the installer is, "" not said; ca: by which to check https
    Raises ProvisionFailed.
    """
    base, code = read_link(where, code)
    try:
        key = files.own_key()
    except (OSError, ValueError) as error:
        raise ProvisionFailed("key", str(error), f"see that {files.folder} can be written") from error
    body = {"code": code, "request": certificate_request(key), "community_id": community}
    answer = _ask(f"{base}/api/v1/provision", body, ca, now_ms)
    if not belong_together(key, answer.certificate):
        raise ProvisionFailed("answer", "the certificate is for another key", "run it again; tell us if it stays")
    try:
        files.keep(answer.gateway_id, answer.certificate, answer.broker_authority, answer.mqtt_host, answer.mqtt_port)
    except OSError as error:
        raise ProvisionFailed(
            "files", str(error), f"see that {files.folder} can be written, and run it again"
        ) from error
    return Ceremony(answer.gateway_id, answer.ends_ms, now_ms - answer.now_ms)


def _ask(url: str, body: dict[str, str], ca: Path | None, now_ms: int) -> _Answer:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        context = ssl.create_default_context(cafile=ca)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:
            return msgspec.json.decode(answer.read(ANSWER_BYTES_MAX), type=_Answer)
    except urllib.error.HTTPError as error:
        raise _refused(error) from error
    except (urllib.error.URLError, OSError) as error:
        raise _unreachable(url, error) from error
    except msgspec.MsgspecError as error:
        raise ProvisionFailed("answer", f"not what Linli says: {error}", "is this the address of the cloud?") from error


def _refused(error: urllib.error.HTTPError) -> ProvisionFailed:
    try:
        problem: dict[str, Any] = json.loads(error.read(ANSWER_BYTES_MAX))
        word = str(problem["type"]).rpartition("/")[2]
        return ProvisionFailed(word, str(problem["detail"]), _THEN.get(word, "see the cloud's log"))
    except (ValueError, KeyError, TypeError):
        return ProvisionFailed("answer", f"HTTP {error.code}", "is this the address of the cloud?")


def _unreachable(url: str, error: OSError) -> ProvisionFailed:
    host = urlsplit(url).hostname
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        if reason.verify_code in (9, 10):  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
            return ProvisionFailed(
                "certificate of the cloud", reason.verify_message, "set this machine's clock, then try again"
            )
        then = "give the authority of the cloud's web server with --ca FILE, and check the address"
        return ProvisionFailed("certificate of the cloud", reason.verify_message, then)
    if isinstance(reason, ssl.SSLError):
        return ProvisionFailed("TLS", str(reason.reason or reason), "does this port speak https?")
    if isinstance(reason, socket.gaierror):
        return ProvisionFailed("name", f"{host} has no address", "check the spelling, and this machine's DNS server")
    if isinstance(reason, ConnectionRefusedError):
        return ProvisionFailed("port", f"nothing listens there at {host}", "check the port, and that the cloud runs")
    if isinstance(reason, TimeoutError):
        return ProvisionFailed("port", f"{host} does not answer", "open outgoing https in the firewall")
    return ProvisionFailed("network", str(reason), "check cable, modem and route (ip route)")
