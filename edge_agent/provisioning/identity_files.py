"""The files of a gateway's identity in one folder.

Key, certificate and chain are one file, which is replaced in one step: whenever the agent dies, key and certificate belong
together. Its first lines say what the agent wants to know of the certificate, without the memory that reading it takes.
"""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

_MARK = "# "


class CertificateFacts(NamedTuple):
    """Of the certificate in use. serial: hexadecimal, as the cloud keeps it; times ms UTC."""

    gateway_id: str
    serial: str
    begins_ms: int
    ends_ms: int


class IdentityFiles:
    """What is in the folder, all of it 0600.

    gateway.pem    key, certificate, chain; cloud-ca.pem: by which the broker is checked; edge.toml: the settings
    profile_key.pem   by which profiles of the cloud are known
    claim          by which claim this gateway came in, hashed
    claim.key      a key for which a claim is being used: on disk before anybody hears of it
    renewal.key    a key for which the next certificate has been asked for
    renewal.pem    the next identity: with renewal.key's key, until a session has begun with it
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.identity = folder / "gateway.pem"
        self.authority = folder / "cloud-ca.pem"
        self.profile_key = folder / "profile_key.pem"
        self.settings = folder / "edge.toml"
        self.claim = folder / "claim"
        self.claim_key = folder / "claim.key"
        self.renewal_key = folder / "renewal.key"
        self.renewal = folder / "renewal.pem"

    def came_in_by(self, code_digest: str) -> CertificateFacts | None:
        """The certificate in use, if this very claim has brought it and everything is there; else None."""
        try:
            if self.claim.read_text().strip() == code_digest and self.settings.exists():
                return read_facts(self.identity)
        except OSError:
            pass
        return None

    def keep(
        self, identity: bytes, authority: str, profile_key: str, code_digest: str, lines: dict[str, str | int]
    ) -> None:
        """Write what the cloud gave; the settings last, so that they never name a file that isn't there. Raises OSError.

        lines  settings that provisioning knows
        """
        write_private(self.identity, identity)
        write_private(self.authority, authority.encode())
        if profile_key:
            write_private(self.profile_key, profile_key.encode())
            lines |= {"profile_key_file": str(self.profile_key.absolute())}
        lines |= {
            "cloud_mqtt_tls_ca": str(self.authority.absolute()),
            "cloud_mqtt_tls_cert": str(self.identity.absolute()),
            "cloud_mqtt_tls_key": str(self.identity.absolute()),
        }
        text = "".join(f"{name} = {_toml(value)}\n" for name, value in lines.items())
        others = self._other_lines(lines) if self.settings.exists() else "# Written by `edge-agent provision`.\n"
        write_private(self.settings, (others + text).encode())
        write_private(self.claim, f"{code_digest}\n".encode())
        for over in (self.renewal, self.renewal_key, self.claim_key):
            over.unlink(missing_ok=True)

    def _other_lines(self, ours: Collection[str]) -> str:
        """What people have set beside ours: it stays. The file is flat, a setting a line."""
        lines = self.settings.read_text(encoding="utf-8").splitlines(keepends=True)
        return "".join(line for line in lines if line.partition("=")[0].strip() not in ours)

    def promote_renewal(self) -> None:
        """A session has begun with the next identity: it is the one in use now. Raises OSError."""
        self.renewal.replace(self.identity)
        _sync(self.folder)
        self.renewal_key.unlink(missing_ok=True)

    def drop_renewal(self) -> None:
        """The next identity is of no use. Its key stays: asked again, the cloud gives the same certificate."""
        self.renewal.unlink(missing_ok=True)


def facts_lines(facts: CertificateFacts) -> str:
    """The first lines of an identity; PEM has room for such before its first block."""
    return "".join(f"{_MARK}{name} {value}\n" for name, value in facts._asdict().items())


def read_facts(identity: Path) -> CertificateFacts | None:
    """What the first lines say; None for a file without them (made by hand), or none. Raises OSError but for its absence."""
    try:
        with identity.open(encoding="utf-8", errors="replace") as file:
            head = [next(file, "") for _ in CertificateFacts._fields]
    except FileNotFoundError:
        return None
    said = dict(line.removeprefix(_MARK).strip().partition(" ")[::2] for line in head if line.startswith(_MARK))
    try:
        return CertificateFacts(said["gateway_id"], said["serial"], int(said["begins_ms"]), int(said["ends_ms"]))
    except (KeyError, ValueError):
        return None


def code_digest(secret: bytes) -> str:
    """By which a claim that was used here is recognised: a hash of its secret."""
    return hashlib.sha256(b"used here\0" + secret).hexdigest()


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by its owner only, on disk when this returns. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _toml(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
