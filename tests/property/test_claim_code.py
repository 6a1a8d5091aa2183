"""A claim's code: read as it was meant however it was typed, and a slip is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.claim_code import ClaimCodeInvalid, claim_code, claim_secret

secrets = st.binary(min_size=16, max_size=16)
SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@given(secrets, st.booleans())
def test_a_code_is_read_however_it_is_typed(secret: bytes, lower: bool) -> None:
    code = claim_code(secret)
    assert claim_secret(code) == secret
    typed = code.replace("-", " ").replace("0", "O").replace("1", "l")
    assert claim_secret(typed.lower() if lower else typed) == secret


@given(secrets, st.integers(0, 25), st.sampled_from(SYMBOLS))
def test_a_wrong_symbol_is_noticed(secret: bytes, place: int, symbol: str) -> None:
    symbols = list(claim_code(secret).replace("-", ""))
    if symbols[place] == symbol:
        return
    symbols[place] = symbol
    with pytest.raises(ClaimCodeInvalid):
        claim_secret("".join(symbols))


@given(secrets, st.integers(0, 24))
def test_two_that_changed_places_are_noticed(secret: bytes, place: int) -> None:
    symbols = list(claim_code(secret).replace("-", ""))
    if symbols[place] == symbols[place + 1]:
        return
    symbols[place : place + 2] = symbols[place + 1], symbols[place]
    with pytest.raises(ClaimCodeInvalid):
        claim_secret("".join(symbols))


@given(st.text(max_size=40))
def test_whatever_is_typed_is_refused_by_name(text: str) -> None:
    try:
        assert claim_secret(claim_code(claim_secret(text))) == claim_secret(text)
    except ClaimCodeInvalid as error:
        assert str(error)
