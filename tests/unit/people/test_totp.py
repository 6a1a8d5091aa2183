"""One-time codes: the vectors of RFC 6238, and that none is taken twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_api.people.totp import STEP_MS, accepted_step, code_at, link

SECRET = b"12345678901234567890"
# RFC 6238, appendix B, SHA-1: eight digits there, of which our six are the last.
VECTORS = [
    (59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
    (2000000000, "69279037"), (20000000000, "65353130"),
]  # fmt: skip


@pytest.mark.parametrize(("at_s", "code"), VECTORS)
def test_the_standards_vectors(at_s: int, code: str) -> None:
    assert code_at(SECRET, at_s // 30) == code[-6:]


@given(st.integers(10**9, 4 * 10**9), st.integers(-3, 3))
def test_a_code_is_taken_a_step_around_now_and_once(at_s: int, off: int) -> None:
    now_ms = at_s * 1000
    step = now_ms // STEP_MS + off
    accepted = accepted_step(SECRET, code_at(SECRET, step), now_ms, 0)
    assert (accepted is not None) == (abs(off) <= 1)
    if accepted is not None:
        assert accepted_step(SECRET, code_at(SECRET, step), now_ms, accepted) is None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "１２３４５６", "abcdef", "\0"])
def test_what_is_no_code_is_refused(code: str) -> None:
    assert accepted_step(SECRET, code, 10 * STEP_MS, 0) is None


def test_the_link_is_an_apps() -> None:
    assert link(SECRET, "chen wei").startswith(
        "otpauth://totp/Linli:chen%20wei?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&"
    )
