"""The files of a gateway's identity in one folder: its key, its certificate, the cloud's authority, and the settings."""

import os
from collections.abc import Collection
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class IdentityFiles:
    """``gateway.key`` (0600), ``gateway.pem`` with its chain, ``cloud-ca.pem``, ``edge.toml``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "gateway.key"
        self.certificate = folder / "gateway.pem"
        self.authority = folder / "cloud-ca.pem"
        self.settings = folder / "edge.toml"

    def own_key(self) -> ec.EllipticCurvePrivateKey:
        """The key that is there, or a new one, on disk before anybody hears of it. Raises OSError, ValueError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.key.exists():
            key = serialization.load_pem_private_key(self.key.read_bytes(), password=None)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise ValueError(f"{self.key} is no key on an elliptic curve; move it away")
            return key
        key = ec.generate_private_key(ec.SECP256R1())
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        write_private(self.key, key.private_bytes(encoding, form, serialization.NoEncryption()))
        return key

    def keep(self, gateway_id: str, certificate: str, authority: str, mqtt_host: str, mqtt_port: int) -> None:
        """Write what the cloud gave; the settings last, so that they never name a file that isn't there."""
        write_private(self.certificate, certificate.encode())
        write_private(self.authority, authority.encode())
        lines: dict[str, str | int] = {
            "gateway_id": gateway_id,
            "cloud_mqtt_host": mqtt_host,
            "cloud_mqtt_port": mqtt_port,
            "cloud_mqtt_tls_ca": str(self.authority.absolute()),
            "cloud_mqtt_tls_cert": str(self.certificate.absolute()),
            "cloud_mqtt_tls_key": str(self.key.absolute()),
        }
        text = "".join(f"{name} = {_toml(value)}\n" for name, value in lines.items())
        others = self._other_lines(lines) if self.settings.exists() else "# Written by `edge-agent provision`.\n"
        write_private(self.settings, (others + text).encode())

    def _other_lines(self, ours: Collection[str]) -> str:
        """What people have set beside ours: it stays. The file is flat, a setting a line."""
        lines = self.settings.read_text(encoding="utf-8").splitlines(keepends=True)
        return "".join(line for line in lines if line.partition("=")[0].strip() not in ours)


def certificate_request(key: ec.EllipticCurvePrivateKey) -> str:
    """A request in PEM. It carries no name: the claim says which gateway this is."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def belong_together(key: ec.EllipticCurvePrivateKey, certificate: str) -> bool:
    """Is this certificate for this key?"""
    return x509.load_pem_x509_certificate(certificate.encode()).public_key() == key.public_key()


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by its owner only, on disk when this returns. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _toml(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
