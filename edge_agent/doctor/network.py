"""Checks of the way to a broker, step by step: name, port, TLS, MQTT. Each stops at the first step that fails."""

import socket
import ssl
from collections.abc import Callable

from edge_agent.doctor.finding import Finding
from edge_agent.southbound import packets

TIMEOUT_S = 5.0
_REFUSALS = {
    1: "it does not speak MQTT 3.1.1", 2: "the client id is refused", 3: "the server is not available",
    4: "user name or password are wrong", 5: "this gateway is not authorised",
}  # fmt: skip


def check_broker(
    what: str, host: str, port: int, client_id: str, username: str, password: str,
    tls: Callable[[], ssl.SSLContext] | None = None,
) -> list[Finding]:  # fmt: skip
    """Everything on the way to a broker, up to its answer to CONNECT.

    client_id  "" leaves CONNECT out: under the id of the running agent it would end that one's session
    tls        makes the context; None: plain text
    """
    name = _resolves(what, host)
    if name.verdict == "fail":
        return [name]
    try:
        link = socket.create_connection((host, port), TIMEOUT_S)
    except OSError as error:
        return [name, _unreachable(what, host, port, error)]
    findings = [name, Finding(f"{what} port", "ok", f"port {port} answers")]
    with link:
        stream: socket.socket = link
        if tls is not None:
            try:
                stream = tls().wrap_socket(link, server_hostname=host)
            except (OSError, ValueError) as error:
                return [*findings, tls_failure(what, host, error)]
            findings.append(Finding(f"{what} TLS", "ok", f"{stream.version()}, the certificate is good"))
        if client_id:
            with stream:
                findings.append(_mqtt(what, stream, client_id, username, password))
    return findings


def _resolves(what: str, host: str) -> Finding:
    try:
        addresses = sorted({str(each[4][0]) for each in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except OSError as error:
        then = "check the spelling of the host setting, and the gateway's DNS server (resolvectl, /etc/resolv.conf)"
        return Finding(f"{what} name", "fail", f"{host} has no address: {error.strerror}", then)
    return Finding(f"{what} name", "ok", f"{host} is {', '.join(addresses[:3])}")


def _unreachable(what: str, host: str, port: int, error: OSError) -> Finding:
    if isinstance(error, ConnectionRefusedError):
        then = f"start the broker there, or correct the port: nothing listens on {port}"
    elif isinstance(error, TimeoutError):
        then = f"open outgoing TCP port {port} in the firewall between here and {host}"
    else:
        then = "check cable, modem and route (ip route)"
    return Finding(f"{what} port", "fail", f"{host}:{port} can't be reached: {error.strerror or 'no answer'}", then)


def tls_failure(what: str, host: str, error: OSError | ValueError) -> Finding:
    """Why there is no TLS, in an installer's words."""
    check = f"{what} TLS"
    if isinstance(error, FileNotFoundError | PermissionError):
        then = "check LINLI_CLOUD_MQTT_TLS_CA, _CERT and _KEY, and that the agent's user may read them"
        return Finding(check, "fail", f"a file of the TLS settings can't be read: {error.strerror}", then)
    text = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error) or "no answer"
    low = str(text).lower()
    if "expired" in low:
        then = "if the gateway's clock is right, renew the broker's certificate; else set the clock"
    elif "not yet valid" in low:
        then = "the gateway's clock is in the past: set it"
    elif "mismatch" in low or "not valid for" in low:
        then = f"the certificate is for another name than {host}: connect by its name, or issue it for this one"
    elif "self-signed" in low or "self signed" in low or "issuer" in low or "signature" in low:
        then = "LINLI_CLOUD_MQTT_TLS_CA does not hold the CA that signed the broker's certificate: fetch the right one"
    elif "wrong_version" in low or "wrong version" in low or "record_layer" in low:
        then = "this port speaks no TLS: use the broker's TLS port"
    else:
        then = "look into the broker's log: it may have refused the gateway's certificate"
    return Finding(check, "fail", f"no TLS with {host}: {text}", then)


def _not_let_in(check: str, error: ssl.SSLError) -> Finding:
    """With TLS 1.3 a broker's word on our certificate comes after the handshake."""
    claim = "ask the property manager for a claim, then run edge-agent provision"
    low = str(error).lower()
    for word, text in (
        ("revoked", "this gateway's certificate was revoked: it was shut out, or another came in by a newer claim"),
        ("expired", "this gateway's certificate has ended by the broker's clock"),
        ("unknown ca", "the broker does not know the authority of this gateway's certificate"),
        ("bad certificate", "the broker does not take this gateway's certificate"),
    ):
        if word in low:
            return Finding(check, "fail", text, claim)
    return Finding(check, "fail", f"no answer to CONNECT: {error}", "look into the broker's log")


def _mqtt(what: str, stream: socket.socket, client_id: str, username: str, password: str) -> Finding:
    check = f"{what} MQTT"
    parser = packets.Parser()
    try:
        stream.sendall(packets.connect(client_id, 10, username, password, clean=True))
        answers: list[packets.Packet] = []
        while not answers:
            received = stream.recv(1024)
            if not received:
                then = "look into the broker's log: it has closed the connection, as it does with certificates it does not know"
                return Finding(check, "fail", "the broker closed the connection instead of answering", then)
            answers = parser.feed(received)
    except ssl.SSLError as error:
        return _not_let_in(check, error)
    except (OSError, packets.ProtocolError) as error:
        return Finding(check, "fail", f"no answer to CONNECT: {error}", "is this the port of an MQTT broker?")
    answer = answers[0]
    if not isinstance(answer, packets.Connack) or answer.code:
        code = answer.code if isinstance(answer, packets.Connack) else -1
        then = "check user name and password (or the certificate), and the broker's access list"
        return Finding(check, "fail", f"refused: {_REFUSALS.get(code, f'code {code}')}", then)
    return Finding(check, "ok", "CONNECT is accepted")
