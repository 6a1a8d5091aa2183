"""At the cloud's broker: no certificate, no entry; and neither side ever falls back to less than TLS 1.2."""

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloud_api.settings import SettingsError as CloudSettingsError
from cloud_api.settings import load_settings as load_cloud_settings
from edge_agent.settings import SettingsError as EdgeSettingsError
from edge_agent.settings import load_settings as load_edge_settings
from tests.brokers import Broker, running_broker
from tests.certificates import Authority, CloudCertificates, Identity
from tests.integration.broker_access.client import connack, context
from tests.processes import CloudApi, EdgeAgent, Program, tls_settings, wait_for

Make = Callable[[CloudCertificates], Identity | None]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("tls")
    with running_broker("mosquitto-cloud", folder / "broker", CloudCertificates(folder / "tls"), ("gw-a",)) as running:
        yield running


def issued(broker: Broker) -> CloudCertificates:
    assert broker.certificates is not None
    return broker.certificates


def foreign(certificates: CloudCertificates) -> Identity:
    """Of an authority that calls itself like ours, with the name of a gateway of ours."""
    return Authority(certificates.folder / "foreign", "gateways-ca").issue("gw-a")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_of_ours_is_let_in(broker: Broker, version: ssl.TLSVersion) -> None:
    certificates = issued(broker)
    for port, identity in (
        (broker.port, certificates.gateways.issue("gw-a")),
        (broker.service_port, certificates.services.issue("ingest-1")),
    ):
        tls = context(certificates.broker_ca, identity)
        tls.minimum_version = tls.maximum_version = version
        assert connack(port, tls) == 0


REFUSED: dict[str, Make] = {
    "no certificate": lambda _: None,
    "another authority's": foreign,
    "expired": lambda those: those.gateways.issue("gw-a", "expired", valid_from_days=-30, valid_days=29),
    "not valid yet": lambda those: those.gateways.issue("gw-a", "early", valid_from_days=1),
    "a service's": lambda those: those.services.issue("gw-a", "service-gw-a"),
    "a server's": lambda those: those.gateways.issue("gw-a", "server", hosts=("gw-a",)),
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED.keys())
def test_refused_where_gateways_come_in(broker: Broker, make: Make) -> None:
    certificates = issued(broker)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connack(broker.port, context(certificates.broker_ca, make(certificates)), "gw-a")


def test_a_gateway_is_refused_where_services_come_in(broker: Broker) -> None:
    certificates = issued(broker)
    identity = certificates.gateways.issue("ingest-1")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connack(broker.service_port, context(certificates.broker_ca, identity), "ingest-1")


def old_tls(certificates: CloudCertificates) -> ssl.SSLContext:
    tls = context(certificates.broker_ca, certificates.gateways.issue("gw-a"))
    tls.set_ciphers("DEFAULT:@SECLEVEL=0")
    tls.minimum_version = ssl.TLSVersion.TLSv1_1
    tls.maximum_version = ssl.TLSVersion.TLSv1_1
    return tls


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_1_1_is_refused(broker: Broker, tmp_path: Path) -> None:
    certificates = issued(broker)
    impostor = Impostor()
    impostor.tls = server_context(CloudCertificates(tmp_path), old=True)
    with impostor, socket.create_connection(("127.0.0.1", impostor.port)) as plain:
        tls = old_tls(certificates)
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
        # The client can: it is the broker that will not.
        assert tls.wrap_socket(plain).version() == "TLSv1.1"
    for port in (broker.port, broker.service_port):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connack(port, old_tls(certificates))


def test_plain_text_is_refused(broker: Broker) -> None:
    for port in (broker.port, broker.service_port):
        with pytest.raises(ConnectionError):
            connack(port, None)


def server_context(certificates: CloudCertificates, old: bool = False) -> ssl.SSLContext:
    """A server with the broker's certificate; old: it speaks TLS 1.1 and nothing else."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.broker.cert, certificates.broker.key)
    if old:
        tls.set_ciphers("DEFAULT:@SECLEVEL=0")
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    return tls


class Impostor:
    """Somebody who listens and is not our broker.

    tls     speak TLS in this way; None: not at all
    heard   what each client said first, inside TLS or bare; or ``handshake: ...`` when it did not get so far
    """

    def __init__(self) -> None:
        self.tls: ssl.SSLContext | None = None
        self.heard: list[bytes] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._server.accept()
            except OSError:
                return
            with link:
                link.settimeout(5)
                try:
                    inner = self.tls.wrap_socket(link, server_side=True) if self.tls else link
                    self.heard.append(inner.recv(64))
                    link.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # TLS: handshake failure
                except OSError as error:
                    self.heard.append(f"handshake: {error}".encode())

    def next(self, tries: int) -> list[bytes]:
        """What the next tries say, but for one that is already under way."""
        done = len(self.heard)
        wait_for(lambda: len(self.heard) > done + tries, f"{tries} tries", 30)
        return self.heard[done + 1 :]

    def __enter__(self) -> "Impostor":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@contextmanager
def started(program: Program) -> Iterator[Program]:
    program.start()
    try:
        yield program
    finally:
        program.stop()


def agent(folder: Path, port: int, certificates: CloudCertificates, **settings: str) -> Program:
    identity = certificates.gateways.issue("gw-a")
    return EdgeAgent(
        "gw-a", folder / "edge", 1, port, LINLI_RECONNECT_S_MAX="0.1",
        **{**tls_settings("CLOUD_MQTT", certificates, identity), **settings},
    )  # fmt: skip


def cloud(folder: Path, port: int, certificates: CloudCertificates, **settings: str) -> Program:
    identity = certificates.services.issue("cloud-api")
    return CloudApi(folder / "cloud", port, **{**tls_settings("MQTT", certificates, identity), **settings})


PROGRAMS = {"edge-agent": agent, "cloud-api": cloud}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_no_program_speaks_to_who_is_not_our_broker(tmp_path: Path, name: str) -> None:
    """Whatever somebody answers: each try begins with TLS, and nothing is said to who can't prove to be our broker."""
    certificates = CloudCertificates(tmp_path / "tls")
    false: dict[str, tuple[ssl.SSLContext, str]] = {
        "authority": (server_context(CloudCertificates(tmp_path / "other")), "certificate verify failed"),
        "TLS 1.1": (server_context(certificates, old=True), "protocol version|unsupported protocol|wrong version"),
    }
    certificates.broker = certificates.services.issue("broker", hosts=("elsewhere.example",))
    false["name"] = server_context(certificates), "IP address mismatch"
    certificates.broker = certificates.services.issue(
        "broker", hosts=("localhost", "127.0.0.1"), valid_from_days=-30, valid_days=29
    )
    false["date"] = server_context(certificates), "certificate has expired"
    with Impostor() as impostor, started(PROGRAMS[name](tmp_path, impostor.port, certificates)) as program:
        assert {said[:1] for said in impostor.next(4)} == {b"\x16"}, "not a TLS handshake"
        for fault, (tls, reason) in false.items():
            logged = len(program.log())
            impostor.tls = tls
            said = impostor.next(2)
            assert all(each.startswith(b"handshake:") for each in said), (fault, said)
            wait_for(lambda: re.search(reason, program.log()[logged:], re.IGNORECASE), f"{fault} in the log")  # noqa: B023
        impostor.tls = None
        assert {said[:1] for said in impostor.next(4)} == {b"\x16"}, "not a TLS handshake"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_certificate_without_its_key_or_authority_is_refused_by_name(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not mean: no TLS."""
    whose = "CLOUD_MQTT" if name == "edge-agent" else "MQTT"
    whole = PROGRAMS[name](tmp_path, 1, CloudCertificates(tmp_path / "tls"))
    for missing in ("CA", "KEY", "CERT"):
        settings = {**whole.settings, f"LINLI_{whose}_TLS_{missing}": ""}
        for variable, value in settings.items():
            monkeypatch.setenv(variable, value)
        with pytest.raises((EdgeSettingsError, CloudSettingsError), match=f"LINLI_{whose}_TLS_CERT"):
            load_edge_settings(None, settings) if name == "edge-agent" else load_cloud_settings(None)
    whole.start(**{f"LINLI_{whose}_TLS_KEY": ""})
    assert whole.process.wait(20) == 1
    assert f"LINLI_{whose}_TLS_CERT" in whole.log().splitlines()[-1]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_password_comes_from_a_file_and_is_never_shown(tmp_path: Path, name: str) -> None:
    whose = "CLOUD_MQTT" if name == "edge-agent" else "MQTT"
    secret = tmp_path / "password"
    secret.write_text("correct horse\n")
    program = PROGRAMS[name](
        tmp_path, 1, CloudCertificates(tmp_path / "tls"), **{f"LINLI_{whose}_PASSWORD_FILE": str(secret)}
    )
    program._arguments.append("--print-config")
    program.start()
    assert program.process.wait(20) == 0
    shown = json.loads(program.log())
    assert set(shown[f"{whose.lower()}_password"]) == {"*"}
    assert "horse" not in program.log()
    program.start(**{f"LINLI_{whose}_PASSWORD": "another"})
    assert program.process.wait(20) == 1
    assert "both set" in program.log()
