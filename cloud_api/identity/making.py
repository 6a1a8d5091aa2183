"""`cloud-api authority`: the certificates of an installation. What is there and holds for a while is left alone.

authorities/   gateways-root, services-ca: their keys are needed here only, keep them off the machine that serves
gateways/      authority.pem (with its root) and authority.key: what the cloud signs for gateways with
broker/        the broker's certificate, and by whom it checks: gateways-ca.pem, services-ca.pem, clients-ca.pem (both)
services/      a certificate for each of the cloud's own programs
access/        what the broker reads and the cloud keeps (``broker_access``): at first nobody is let in
"""

import ipaddress
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_api.broker_access import SERVICE_URN, SERVICES, write_access
from cloud_api.identity.authority import GatewayAuthority

ROOT_DAYS, INTERMEDIATE_DAYS, LEAF_DAYS = 3_650, 1_825, 365
LEFT = timedelta(days=30)
LEFT_OF_AUTHORITY = timedelta(days=180)
ALSO_NAMED = ("cloud-broker", "localhost", "127.0.0.1")
"""Under these names programs beside the broker reach it."""


class AuthorityError(Exception):
    """It can't be made; the message says what is needed."""


def make_installation(folder: Path, hosts: Sequence[str], now: datetime) -> list[str]:
    """Make what is missing or about to end. hosts: names or addresses at which gateways reach the broker.

    Returns what was made. Raises AuthorityError, OSError.
    """
    made: list[str] = []
    for name in ("authorities", "gateways", "broker", "services", "access"):
        (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700 if name == "authorities" else 0o750)
    root = _Signer(folder / "authorities" / "gateways-root", now, made)
    services = _Signer(folder / "authorities" / "services-ca", now, made)
    for authority, name in ((root, "Linli gateways root"), (services, "Linli services")):
        authority.sign_itself(name)
    gateways = folder / "gateways" / "authority"
    root.sign_authority(gateways, "Linli gateways")
    named = [*dict.fromkeys([*hosts, *ALSO_NAMED])]
    services.sign_leaf(folder / "broker" / "broker", hosts[0], [_host(each) for each in named])
    for name in SERVICES:
        uri = x509.UniformResourceIdentifier(SERVICE_URN + name)
        services.sign_leaf(folder / "services" / name, name, [uri])
    of_gateways, of_services = gateways.with_suffix(".pem").read_bytes(), services.certificate_file.read_bytes()
    for name, content in (
        ("gateways-ca", of_gateways), ("services-ca", of_services), ("clients-ca", of_gateways + of_services)
    ):  # fmt: skip
        _write(folder / "broker" / f"{name}.pem", content, 0o644)
    if not (folder / "access" / "gateways.crl").exists():
        signer = GatewayAuthority.load(gateways.with_suffix(".pem"), gateways.with_suffix(".key"))
        now_ms = int(now.timestamp() * 1000)
        write_access(folder / "access", [], [], signer.revocation_list([], now_ms // 1000, now_ms))
        made.append("access")
    return made


class _Signer:
    """An authority's key and certificate, ``<stem>.key`` and ``<stem>.pem``; the key may be away if nothing is to be signed."""

    def __init__(self, stem: Path, now: datetime, made: list[str]) -> None:
        self._stem = stem
        self._now = now
        self._made = made
        self.certificate_file = stem.with_suffix(".pem")

    def sign_itself(self, name: str) -> None:
        if self.certificate_file.exists():
            return
        key = _kept_key(self._stem)
        builder = self._builder(key.public_key(), name, name, ROOT_DAYS)
        builder = _of_authority(builder, key.public_key(), None)
        self._write(self._stem, [builder.sign(key, hashes.SHA256())])

    def sign_authority(self, stem: Path, name: str) -> None:
        if self._holds(stem, LEFT_OF_AUTHORITY):
            return
        key = _kept_key(stem)
        builder = _of_authority(self._below(key.public_key(), name, INTERMEDIATE_DAYS), key.public_key(), 0)
        self._write(stem, [builder.sign(self._key(), hashes.SHA256()), self._certificate()])

    def sign_leaf(self, stem: Path, name: str, named: Sequence[x509.GeneralName]) -> None:
        if self._holds(stem, LEFT) and _names(stem) >= set(named):
            return
        key = _kept_key(stem)
        is_server = not isinstance(named[0], x509.UniformResourceIdentifier)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            self._below(key.public_key(), name, LEAF_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(True, *[False] * 8), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(named), critical=False)
        )
        self._write(stem, [builder.sign(self._key(), hashes.SHA256())])

    def _below(self, key: ec.EllipticCurvePublicKey, name: str, days: int) -> x509.CertificateBuilder:
        issuer = self._certificate()
        builder = self._builder(key, name, "", days, issuer.subject)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key().public_key())
        return builder.add_extension(identifier, critical=False)

    def _builder(
        self, key: ec.EllipticCurvePublicKey, name: str, issuer: str, days: int, issuer_name: x509.Name | None = None
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(issuer_name or _name(issuer))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - timedelta(hours=1))
            .not_valid_after(self._now + timedelta(days=days))
        )

    def _certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate_file.read_bytes())

    def _key(self) -> ec.EllipticCurvePrivateKey:
        path = self._stem.with_suffix(".key")
        if not path.exists():
            raise AuthorityError(f"{path} is needed to sign: bring it back for as long as this takes")
        return _kept_key(self._stem)

    def _holds(self, stem: Path, left: timedelta) -> bool:
        path = stem.with_suffix(".pem")
        if not (path.exists() and stem.with_suffix(".key").exists()):
            return False
        return x509.load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc - self._now > left

    def _write(self, stem: Path, chain: Sequence[x509.Certificate]) -> None:
        content = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)
        _write(stem.with_suffix(".pem"), content, 0o644)
        self._made.append(f"{stem.parent.name}/{stem.name}")


def _of_authority(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePublicKey, path_length: int | None
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _kept_key(stem: Path) -> ec.EllipticCurvePrivateKey:
    path = stem.with_suffix(".key")
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise AuthorityError(f"{path}: not a key on an elliptic curve")
        return key
    key = ec.generate_private_key(ec.SECP256R1())
    form, nothing = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    _write(path, key.private_bytes(serialization.Encoding.PEM, form, nothing), 0o600)
    return key


def _names(stem: Path) -> set[x509.GeneralName]:
    certificate = x509.load_pem_x509_certificate(stem.with_suffix(".pem").read_bytes())
    return set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, content: bytes, mode: int) -> None:
    """In one step, and never readable by more than its mode says."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
