"""The embedded broker with TLS: the same matrix as Mosquitto's, and a certificate that is taken out is cut off."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_api.broker_access import nats_access, write_file
from cloud_api.identity.authority import GatewayAuthority, serial_text
from cloud_api.identity.making import make_installation
from contracts import topics
from tests.brokers import Broker
from tests.certificates import Authority, Identity
from tests.integration.broker_access.client import Client, connack, context
from tests.integration.broker_access.rights import GATEWAYS, SERVICES, assert_held
from tests.processes import wait_for

NOW_MS = int(time.time() * 1000)


class Place:
    """An installation and its embedded broker; ``serials`` are those it knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "installation"
        make_installation(self.folder, ["127.0.0.1"], datetime.now(UTC))
        self.authority = GatewayAuthority.load(
            self.folder / "gateways" / "authority.pem", self.folder / "gateways" / "authority.key"
        )
        self.serials: dict[str, str] = {}
        self.broker = Broker("nats-cloud-tls", folder / "broker")
        self.broker.tls, self.broker.access = self.folder / "broker", self.folder / "access"

    def issue(self, name: str, stem: str = "", known: bool = True) -> Identity:
        """A gateway's certificate, as the cloud signs it."""
        key, serial = ec.generate_private_key(ec.SECP256R1()), x509.random_serial_number()
        certificate = self.authority.issue(name, "liuyuan", key.public_key(), serial, NOW_MS)
        file = self.folder / f"{stem or name}.pem"
        form, nothing = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, form, nothing).decode()
        file.write_text(pem + self.authority.with_chain(certificate))
        if known:
            self.serials[serial_text(serial)] = name
        return Identity(file, file)

    def write(self) -> None:
        """What the cloud keeps for the broker."""
        write_file(self.broker.access / "gateways.conf", nats_access(self.serials.items()).encode())

    def context(self, identity: Identity | None) -> object:
        return context(self.folder / "broker" / "services-ca.pem", identity)

    def gateway(self, identity: Identity, name: str) -> Client:
        return Client(self.broker.port, context(self.folder / "broker" / "services-ca.pem", identity), name)

    def service(self, name: str) -> Client:
        services = self.folder / "services"
        return self.gateway(Identity(services / f"{name}.pem", services / f"{name}.key"), name)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("embedded"))
    for name in GATEWAYS:
        place.issue(name)
    place.write()
    place.broker.start()
    try:
        yield place
    finally:
        place.broker.stop()


def test_everybody_may_write_and_read_just_what_the_contract_says(place: Place) -> None:
    with ExitStack() as stack:
        clients = {
            name: stack.enter_context(place.gateway(Identity(*[place.folder / f"{name}.pem"] * 2), name))
            for name in GATEWAYS
        }
        clients |= {name: stack.enter_context(place.service(name)) for name in SERVICES}
        assert_held(clients)


def test_who_is_not_known_does_not_come_in(place: Place) -> None:
    """Also with a true certificate, and whatever name it says in CONNECT."""
    unknown = place.issue("gw-a", "unknown", known=False)
    named_like_a_service = place.issue("cloud-api", "like-a-service", known=False)
    services = place.folder / "services"
    foreign = Authority(place.folder / "foreign", "Linli gateways").issue("gw-a")
    for identity in (
        None,
        unknown,
        named_like_a_service,
        foreign,
        Identity(services / "health.pem", services / "health.key"),
    ):
        with pytest.raises(OSError):
            assert connack(place.broker.port, place.context(identity), "gw-a") != 0  # type: ignore[arg-type]
            raise ConnectionRefusedError


def test_a_certificate_that_is_taken_out_is_cut_off_and_the_others_stay(place: Place) -> None:
    first, following = place.issue("gw-a", "first"), place.issue("gw-a", "following")
    place.write()
    place.broker.reload()
    wait_for(lambda: admitted(place, first), "the new certificates to be known")
    with place.gateway(first, "gw-a") as out, place.service("cloud-api") as cloud:
        cloud.subscribe(topics.ALL_UP)
        out.publish(topics.up("gw-a", "bulk"), "before")
        wait_for(lambda: cloud.heard, "its frame")
        gone = next(serial for serial, name in place.serials.items() if name == "gw-a" and serial in serial_of(first))
        del place.serials[gone]
        place.write()
        began = time.monotonic()
        place.broker.reload()
        wait_for(lambda: not out.connected, "it to be cut off", 10)
        print(f"cut off {time.monotonic() - began:.2f} s after SIGHUP")
        assert cloud.connected
        wait_for(lambda: not admitted(place, first), "it to stay out")
        assert admitted(place, following), "the same gateway by its next certificate"


def serial_of(identity: Identity) -> str:
    return serial_text(x509.load_pem_x509_certificates(identity.cert.read_bytes())[0].serial_number)


def admitted(place: Place, identity: Identity) -> bool:
    try:
        return connack(place.broker.port, place.context(identity), "gw-a") == 0  # type: ignore[arg-type]
    except OSError:
        return False
