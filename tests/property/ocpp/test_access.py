"""Who may charge, and who may connect."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import DesiredToken
from contracts.scrypt import hashed, matches
from edge_agent.ocpp.authorisation import Authorisation, remote_token
from edge_agent.ocpp.logins import ADDRESSES_MAX, TRIES_MAX, WAIT_MS, WAIT_MS_MAX, Lockout, Passwords, login_of

NOW_MS = 1_800_000_000_000
TOKENS = [
    DesiredToken(name="good", id_tag="Good"),
    DesiredToken(name="gone", id_tag="GONE", expires_ms=NOW_MS),
    DesiredToken(name="lost", id_tag="LOST", blocked=True),
]


def test_a_token_is_what_the_list_says_of_it() -> None:
    closed, open_ = Authorisation(TOKENS), Authorisation(TOKENS, free_for_all=True)
    for site in (closed, open_):
        assert site.decide("gOOD", NOW_MS)[:2] == ("Accepted", "good")
        assert site.decide("gone", NOW_MS)[:2] == ("Expired", "gone")
        assert site.decide("gone", NOW_MS - 1)[:2] == ("Accepted", "gone")
        assert site.decide("lost", NOW_MS)[:2] == ("Blocked", "lost")
    assert closed.decide("other", NOW_MS)[:2] == ("Invalid", "")
    assert open_.decide("other", NOW_MS)[:2] == ("Accepted", "")


@given(st.binary(min_size=16, max_size=32), st.text(min_size=1, max_size=48), st.text(min_size=1, max_size=48))
def test_what_is_started_from_afar_has_a_token_of_its_charge_point_alone(secret: bytes, one: str, other: str) -> None:
    assert len(remote_token(secret, one)) == 20
    assert (remote_token(secret, one) == remote_token(secret, other)) is (one == other)


@given(st.text(max_size=20), st.binary(max_size=20))
def test_a_login_is_read_as_it_was_written(user: str, password: bytes) -> None:
    header = "Basic " + base64.b64encode(user.encode() + b":" + password).decode()
    name, _, rest = user.partition(":")
    expected = (name, (rest + ":").encode() + password) if ":" in user else (user, password)
    assert login_of(header) == expected


@given(st.text(max_size=60))
def test_no_header_can_stop_us(header: str) -> None:
    assert login_of(header) is None or ":" in base64.b64decode(header.partition(" ")[2]).decode("latin-1")


def test_a_password_is_right_only_against_its_own_hash() -> None:
    kept = hashed("密码".encode(), b"0123456789abcdef")
    passwords = Passwords(b"key")
    assert not passwords.is_known("CP", "密码".encode(), kept)
    assert passwords.is_right("CP", "密码".encode(), kept)
    assert passwords.is_known("CP", "密码".encode(), kept)
    assert not passwords.is_known("CP", b"other", kept)
    assert not passwords.is_known("CP", "密码".encode(), kept + "=")
    assert not passwords.is_right("CP", b"other", kept)
    for broken in ("", "scrypt", "scrypt$1$8$1$a$b", "scrypt$4194304$8$1$AAAA$AAAA", "md5$16384$8$1$AAAA$AAAA"):
        assert not matches(b"x", broken)


@given(st.integers(0, 12))
def test_an_address_waits_longer_with_each_wrong_password(more: int) -> None:
    lockout, now_ms = Lockout(), 0
    for _ in range(TRIES_MAX - 1):
        lockout.failed("a", now_ms)
    assert not lockout.is_shut("a", now_ms)
    for place in range(more):
        lockout.failed("a", now_ms)
        wait_ms = min(WAIT_MS * 2**place, WAIT_MS_MAX)
        assert lockout.is_shut("a", now_ms + wait_ms - 1)
        assert not lockout.is_shut("a", now_ms + wait_ms)
        assert not lockout.is_shut("b", now_ms)
        now_ms += wait_ms
    lockout.passed("a")
    assert not lockout.is_shut("a", now_ms)


def test_a_flood_of_addresses_takes_no_more_memory() -> None:
    lockout = Lockout()
    for number in range(3 * ADDRESSES_MAX):
        lockout.failed(str(number), 0)
    assert len(lockout._failures) == ADDRESSES_MAX
