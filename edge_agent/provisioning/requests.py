"""Keys, certificate requests and what comes back. Only provisioning and renewal import this: it takes 8 MB of memory."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge_agent.provisioning.identity_files import CertificateFacts, facts_lines, write_private


class CertificateUnfit(ValueError):
    """This certificate is not the one that was asked for; the message says why."""


def kept_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The key that is there, or a new one, on disk before anybody hears of it. Raises OSError, ValueError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        return own_key(path)
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(path, _pem(key))
    return key


def own_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The key in a file, which may hold more. Raises OSError, ValueError."""
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} is no key on an elliptic curve; move it away")
    return key


def request_for(key: ec.EllipticCurvePrivateKey) -> x509.CertificateSigningRequest:
    """A certificate request. It carries no name: the cloud knows whose it is."""
    return x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())


def request_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """A certificate request in PEM."""
    return request_for(key).public_bytes(serialization.Encoding.PEM).decode()


def proven_request(key: ec.EllipticCurvePrivateKey, present: ec.EllipticCurvePrivateKey) -> tuple[bytes, bytes]:
    """A certificate request in DER, and the signature over it by the key in use."""
    request = request_for(key).public_bytes(serialization.Encoding.DER)
    return request, present.sign(request, ec.ECDSA(hashes.SHA256()))


def identity_of(
    key: ec.EllipticCurvePrivateKey, certificate: str, gateway_id: str, now_ms: int = 0
) -> tuple[CertificateFacts, bytes]:
    """An identity file of this key and a certificate with its chain (PEM). Raises CertificateUnfit.

    now_ms  at which it must hold; 0: not looked at
    """
    try:
        first = x509.load_pem_x509_certificates(certificate.encode())[0]
        names = [str(each.value) for each in first.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        belongs = first.public_key() == key.public_key()
    except (ValueError, IndexError, UnsupportedAlgorithm) as error:
        raise CertificateUnfit(f"it can't be read: {error}") from error
    if not belongs:
        raise CertificateUnfit("it is for another key")
    if names != [gateway_id]:
        raise CertificateUnfit(f"it is for {', '.join(names)[:80] or 'nobody'}")
    begins_ms = int(first.not_valid_before_utc.timestamp() * 1000)
    ends_ms = int(first.not_valid_after_utc.timestamp() * 1000)
    if now_ms and not begins_ms <= now_ms < ends_ms:
        raise CertificateUnfit("it does not hold now")
    facts = CertificateFacts(gateway_id, f"{first.serial_number:040x}", begins_ms, ends_ms)
    return facts, facts_lines(facts).encode() + _pem(key) + certificate.encode()


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
