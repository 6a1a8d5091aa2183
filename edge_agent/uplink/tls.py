"""TLS to the cloud's broker: 1.2 at least, the cloud's own CA, our certificate. Nothing falls back to plain text."""

import ssl

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python has no name for."""


def client_context(ca: str, cert: str, key: str, dates_count: bool) -> ssl.SSLContext:
    """The context of one session. ca, cert, key: PEM files; cert "" for a server that asks for none.

    dates_count  False while this machine's clock is known to be wrong (it says a year before Linli was built): chain
                 and name are checked as ever, dates can't be. With the first word of the cloud the time is known.
    Raises OSError, ssl.SSLError.
    """
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not dates_count:
        context.verify_flags |= _NO_CHECK_TIME
    if cert:
        context.load_cert_chain(cert, key)
    return context
