"""Certificates for tests: two authorities as an installation has them, and whatever certificate a test wants."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Identity(NamedTuple):
    """A certificate and its key, as PEM files."""

    cert: Path
    key: Path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A certificate authority whose files are in ``folder`` (``<name>.pem``); with a parent it is an intermediate."""

    def __init__(self, folder: Path, name: str, parent: "Authority | None" = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._revoked: list[int] = []
        now = datetime.now(UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name).issuer_name(parent._name if parent else self._name)
            .public_key(self._key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=365)).not_valid_after(now + timedelta(days=365))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .add_extension(
                x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True
            )
            .sign(parent._key if parent else self._key, hashes.SHA256())
        )  # fmt: skip
        self.file = folder / f"{name}.pem"
        chain = self._certificate.public_bytes(serialization.Encoding.PEM)
        self.file.write_bytes(chain + parent.file.read_bytes() if parent else chain)

    def write_key(self) -> Path:
        """Its key beside its certificate, for a program that signs with it."""
        path = self.file.with_suffix(".key")
        form = serialization.PrivateFormat.PKCS8
        path.write_bytes(self._key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
        path.chmod(0o600)
        return path

    def issue(
        self,
        name: str,
        stem: str = "",
        valid_from_days: float = -1,
        valid_days: float = 90,
        hosts: tuple[str, ...] = (),
    ) -> Identity:
        """A client's certificate; with hosts (names or addresses) a server's. stem: of the files."""
        key = ec.generate_private_key(ec.SECP256R1())
        begin = datetime.now(UTC) + timedelta(days=valid_from_days)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name)).issuer_name(self._name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin).not_valid_after(begin + timedelta(days=valid_days))
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )  # fmt: skip
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_host, hosts))), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        identity = Identity(self._folder / f"{stem or name}.pem", self._folder / f"{stem or name}.key")
        identity.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        identity.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        identity.key.chmod(0o600)
        return identity

    def write_crl(self, path: Path, revoked: Identity | None = None) -> None:
        """Write the list of revoked certificates, with one more."""
        if revoked is not None:
            self._revoked.append(x509.load_pem_x509_certificate(revoked.cert.read_bytes()).serial_number)
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._name)
            .last_update(now - timedelta(days=1))
            .next_update(now + timedelta(days=30))
        )
        for serial in self._revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            builder = builder.add_revoked_certificate(entry)
        path.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class CloudCertificates:
    """What the cloud's broker needs in ``$TLS``, and the authorities that sign for gateways, below a root, and for services."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = Authority(folder, "root-ca")
        self.gateways = Authority(folder, "gateways-ca", self.root)
        self.services = Authority(folder, "services-ca")
        self.gateways.write_crl(folder / "gateways.crl")
        self.broker = self.services.issue("broker", hosts=("localhost", "127.0.0.1"))

    @property
    def broker_ca(self) -> Path:
        """By which clients check the broker."""
        return self.services.file

    def revoke(self, gateway: Identity) -> None:
        """Put a gateway's certificate on the list that the broker reads."""
        self.gateways.write_crl(self.folder / "gateways.crl", gateway)
