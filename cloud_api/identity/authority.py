"""The authority that signs for gateways: reads what a gateway asks for, issues certificates, lists revoked ones.

It is an intermediate: its own certificate is signed by a root whose key is kept offline (``making``). It signs for
gateways and for nobody else; the cloud's own programs have another authority.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_api.broker_access.rights import CERTIFICATE_URN

VALID_S = 90 * 86_400
CLOCKS_DIFFER = timedelta(minutes=10)
LIST_VALID = timedelta(days=30)
REQUEST_BYTES_MAX = 8_192


class RequestRefused(ValueError):
    """This certificate request can't be signed. ``reason`` is a stable word, the message says why."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read_request(request_text: str | bytes, gateway_id: str) -> ec.EllipticCurvePublicKey:
    """The public key of a request (PEM, or DER as bytes) for this gateway. Raises RequestRefused.

    The name in it counts nothing, but a request that names another gateway is a mistake, or worse.
    """
    try:
        if isinstance(request_text, bytes):
            request = x509.load_der_x509_csr(request_text[:REQUEST_BYTES_MAX])
        else:
            request = x509.load_pem_x509_csr(request_text.encode())
        key, genuine = request.public_key(), request.is_signature_valid
        names = [str(each.value) for each in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise RequestRefused("request_unreadable", f"not a certificate request: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RequestRefused("request_key_refused", "the key must be on the curve P-256")
    if not genuine:
        raise RequestRefused("request_altered", "the request is not signed by its own key")
    if names and names != [gateway_id]:
        raise RequestRefused("request_names_another", f"it is for {', '.join(names)[:80]}, the claim for {gateway_id}")
    return key


def key_digest(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of a public key, hexadecimal."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


class GatewayAuthority:
    """An authority's certificate, the chain above it, and its key. valid_s: the life of what it signs."""

    def __init__(self, chain: list[x509.Certificate], key: ec.EllipticCurvePrivateKey, valid_s: int = VALID_S) -> None:
        if not chain:
            raise ValueError("there is no certificate")
        self._chain = chain
        self._key = key
        self._valid = timedelta(seconds=valid_s)
        if chain[0].public_key() != key.public_key():
            raise ValueError("key and certificate do not belong together")

    @classmethod
    def load(cls, cert: Path, key: Path, valid_s: int = VALID_S) -> "GatewayAuthority":
        """From PEM files; ``cert`` holds the authority's certificate first, then the chain. Raises OSError, ValueError."""
        loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key}: not a key on an elliptic curve")
        return cls(x509.load_pem_x509_certificates(cert.read_bytes()), loaded, valid_s)

    def issue(
        self, gateway_id: str, community_id: str, key: ec.EllipticCurvePublicKey, serial: int, now_ms: int
    ) -> x509.Certificate:
        """A client certificate: the gateway's id is its name, its community stands beside it as a URI."""
        now = _time(now_ms)
        ends = min(now + self._valid, self._chain[0].not_valid_after_utc)
        about = f"urn:linli:community:{community_id}", f"{CERTIFICATE_URN}{serial_text(serial)}"
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway_id)]))
            .issuer_name(self._chain[0].subject)
            .public_key(key)
            .serial_number(serial)
            .not_valid_before(now - min(CLOCKS_DIFFER, self._valid / 10))
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(True, *[False] * 8), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(each) for each in about]), critical=False
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def with_chain(self, certificate: x509.Certificate) -> str:
        """PEM: the certificate, this authority's, and what stands above, but not the root, which whoever checks has."""
        above = [each for each in self._chain if each.issuer != each.subject]
        return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in (certificate, *above))

    def revocation_list(self, revoked: Iterable[tuple[str, int]], number: int, now_ms: int) -> bytes:
        """The list of revoked certificates in PEM. revoked: (serial, when); number: grows with each list."""
        now = _time(now_ms)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._chain[0].subject)
            .last_update(now - CLOCKS_DIFFER)
            .next_update(now + LIST_VALID)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for serial, at_ms in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(_time(at_ms))
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def serial_text(serial: int) -> str:
    """A serial number as it is kept and shown."""
    return f"{serial:040x}"


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC)
