"""When a session has ended, and which requests with its cookie are not ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_api.people.origin import foreign_page, may_carry_cookie, origin_fault
from cloud_api.people.sessions import ABSOLUTE_MS, IDLE_MS, has_ended

T0 = 1_790_000_000_000
OURS = "https://linli.example"
OWN = {"x-requested-with": "linli"}


@given(st.integers(0, ABSOLUTE_MS * 2), st.integers(0, ABSOLUTE_MS * 2))
def test_it_ends_idle_or_old(seen_after: int, now_after: int) -> None:
    seen_after = min(seen_after, now_after)
    expected = now_after - seen_after >= IDLE_MS or now_after >= ABSOLUTE_MS
    assert has_ended(T0, T0 + seen_after, T0 + now_after) == expected


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("origin", [None, OURS, "https://evil.example", "http://linli.example", "null"])
@pytest.mark.parametrize("site", [None, "same-origin", "same-site", "cross-site", "none"])
@pytest.mark.parametrize("own", [True, False])
def test_a_change_needs_our_page_and_our_header(method: str, origin: str | None, site: str | None, own: bool) -> None:
    headers = {
        **(OWN if own else {}),
        **({"origin": origin} if origin else {}),
        **({"sec-fetch-site": site} if site else {}),
    }
    allowed = method in ("GET", "HEAD") or (own and origin in (None, OURS) and site in (None, "same-origin", "none"))
    assert (origin_fault(method, headers, OURS) == "") == allowed


def test_a_foreign_page_is_known_without_our_header() -> None:
    assert foreign_page({}, OURS) == "" and "Origin" in foreign_page({"origin": "https://evil.example"}, OURS)


@pytest.mark.parametrize(
    ("scheme", "host", "may"),
    [
        ("https", "linli.example", True),
        ("http", "127.0.0.1", True),
        ("http", "::1", True),
        ("http", "linli.example", False),
    ],
)
def test_cookies_travel_encrypted_or_not_at_all(scheme: str, host: str, may: bool) -> None:
    assert may_carry_cookie(scheme, host) == may
