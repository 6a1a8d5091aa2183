"""Whether a request that carries a browser's cookie was really meant by the console. Pure.

A browser adds the cookie to whatever any page asks of us. Three things must hold together for a change: the browser says
that the page is ours (Sec-Fetch-Site, Origin), and the request has a header that no other page can set without asking us.
"""

from collections.abc import Mapping

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_HEADER = "x-requested-with"
OWN_VALUE = "linli"


def origin_fault(method: str, headers: Mapping[str, str], own_origin: str) -> str:
    """Why this change is not taken: "" when it is. headers: by lower-case name; own_origin: such as https://linli.example"""
    if method in SAFE_METHODS:
        return ""
    if (fault := foreign_page(headers, own_origin)) != "":
        return fault
    if headers.get(OWN_HEADER) != OWN_VALUE:
        return f"a change by cookie needs the header X-Requested-With: {OWN_VALUE}"
    return ""


def foreign_page(headers: Mapping[str, str], own_origin: str) -> str:
    """What says that another page has sent this: "" when nothing does."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return f"a page of another site asked (Sec-Fetch-Site: {site})"
    origin = headers.get("origin")
    if origin is not None and origin != own_origin:
        return "a page of another site asked (Origin)"
    return ""


LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


def may_carry_cookie(scheme: str, host: str) -> bool:
    """A session's cookie travels encrypted, or not off this machine."""
    return scheme == "https" or host in LOOPBACK_NAMES
