"""TLS to the cloud's broker: 1.2 at least, its own authority, a certificate of ours. Nothing falls back to plain text."""

import ssl
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID


def client_context(ca: Path, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    """The context of one session; files are read each time, so that a renewed certificate is used at the next.

    Raises OSError, ssl.SSLError.
    """
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context


def certificate_name(cert: Path) -> str:
    """The common name in the certificate: the broker's name for us, and our session's. Raises OSError, ValueError."""
    names = x509.load_pem_x509_certificate(cert.read_bytes()).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise ValueError(f"{cert}: the certificate has {len(names)} common names, one is needed")
    return str(names[0].value)
