"""The exchange of a claim for a certificate, with a clear word for each thing that can be wrong."""

import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from contracts.claim_code import ClaimCodeInvalid, claim_secret
from edge_agent.provisioning.failures import FAILURES, ProvisionFailed
from edge_agent.provisioning.identity_files import IdentityFiles, code_digest
from edge_agent.provisioning.requests import CertificateUnfit, identity_of, kept_key, request_pem

TIMEOUT_S = 20.0
ANSWER_BYTES_MAX = 65_536
CLOCK_OFF_MS = 300_000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CLOCK_CODES = frozenset({9, 10})
"""X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED."""
_NAME_CODES = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH."""


class Ceremony(NamedTuple):
    """What came of it. clock_off_ms: how far this machine's clock is ahead of the cloud's; again: it had been done before."""

    gateway_id: str
    ends_ms: int
    clock_off_ms: int
    again: bool


class _Answer(msgspec.Struct, kw_only=True):
    gateway_id: str
    certificate: str
    broker_authority: str
    mqtt_host: str
    mqtt_port: int
    now_ms: int
    profile_key: str = ""


def read_link(where: str, code: str) -> tuple[str, str]:
    """The cloud's address and the code, from both or from the link of a QR code. Raises ProvisionFailed."""
    parts = urlsplit(where)
    code = code or parts.fragment
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ProvisionFailed("address_wrong", f"{where!r} is no address")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ProvisionFailed("address_wrong", f"{where!r}: plain http is for this machine only")
    try:
        claim_secret(code)
    except ClaimCodeInvalid as error:
        raise ProvisionFailed("code_mistyped", str(error)) from error
    path = parts.path.removesuffix("/provision").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}", code


def provision(files: IdentityFiles, where: str, code: str, community: str, ca: Path | None, now_ms: int) -> Ceremony:
    """Get this gateway its certificate, and keep it with what else the agent needs.

    where, code  see ``read_link``; community: where the installer is, "" not said; ca: by which to check https
    Raises ProvisionFailed.
    """
    base, code = read_link(where, code)
    digest = code_digest(claim_secret(code))
    if facts := files.came_in_by(digest):
        return Ceremony(facts.gateway_id, facts.ends_ms, 0, again=True)
    try:
        key = kept_key(files.claim_key)
    except (OSError, ValueError) as error:
        raise ProvisionFailed("key_unusable", str(error)) from error
    body = {"code": code, "request": request_pem(key), "community_id": community}
    answer = _ask(f"{base}/api/v1/provision", body, ca, now_ms)
    try:
        facts, identity = identity_of(key, answer.certificate, answer.gateway_id)
    except CertificateUnfit as error:
        raise ProvisionFailed("certificate_wrong", f"the cloud's answer: {error}") from error
    settings: dict[str, str | int] = {
        "gateway_id": answer.gateway_id,
        "cloud_mqtt_host": answer.mqtt_host,
        "cloud_mqtt_port": answer.mqtt_port,
    }
    try:
        files.keep(identity, answer.broker_authority, answer.profile_key, digest, settings)
    except OSError as error:
        raise ProvisionFailed("files_unwritable", str(error)) from error
    return Ceremony(answer.gateway_id, facts.ends_ms, now_ms - answer.now_ms, again=False)


def _ask(url: str, body: dict[str, str], ca: Path | None, now_ms: int) -> _Answer:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise ProvisionFailed("authority_unknown", f"--ca {ca}: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:
            return msgspec.json.decode(answer.read(ANSWER_BYTES_MAX), type=_Answer)
    except urllib.error.HTTPError as error:
        raise _refused(error) from error
    except (urllib.error.URLError, OSError) as error:
        raise _unreachable(url, error, now_ms) from error
    except msgspec.MsgspecError as error:
        raise ProvisionFailed("not_linli", f"not what Linli says: {error}") from error


def _refused(error: urllib.error.HTTPError) -> ProvisionFailed:
    try:
        problem: dict[str, Any] = json.loads(error.read(ANSWER_BYTES_MAX))
        word, detail = str(problem["type"]).rpartition("/")[2], str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return ProvisionFailed("not_linli", f"HTTP {error.code}")
    return ProvisionFailed(word if word in FAILURES else "cloud_failed", detail)


def _unreachable(url: str, error: OSError, now_ms: int) -> ProvisionFailed:
    host = urlsplit(url).hostname
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        if reason.verify_code in _CLOCK_CODES:
            here = time.strftime("%Y-%m-%d %H:%M", time.gmtime(now_ms / 1000))
            return ProvisionFailed("clock_wrong", f"{reason.verify_message}; this machine's clock says {here} (UTC)")
        word = "name_mismatch" if reason.verify_code in _NAME_CODES else "authority_unknown"
        return ProvisionFailed(word, reason.verify_message)
    if isinstance(reason, ssl.SSLError):
        return ProvisionFailed("not_https", str(reason.reason or reason))
    if isinstance(reason, socket.gaierror):
        return ProvisionFailed("name_unknown", f"{host} has no address")
    if isinstance(reason, ConnectionRefusedError):
        return ProvisionFailed("port_closed", f"nothing listens there at {host}")
    if isinstance(reason, TimeoutError):
        return ProvisionFailed("no_answer", f"{host} does not answer")
    return ProvisionFailed("network_down", str(reason))
