"""The code of a claim: 128 random bits as text that a person can read out and type, with a check symbol.

Crockford's base 32, in groups: ``7ZK4-0Q8M-…``. Case, spaces and hyphens do not count, O reads as 0, I and L as 1. The last
symbol is the number modulo 37: one wrong symbol, or two that changed places, are noticed before anything is sent.
"""

BITS = 128
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHECKS = _ALPHABET + "*~$=U"
_LENGTH = 26
_GROUP = 4
_READS_AS = str.maketrans("OIL", "011", "- \t\r\n")


class ClaimCodeInvalid(ValueError):
    """This text is not a claim's code; the message says why."""


def claim_code(secret: bytes) -> str:
    """The code of 16 random bytes."""
    if len(secret) * 8 != BITS:
        raise ValueError(f"a claim has {BITS} bits")
    number = int.from_bytes(secret)
    symbols = "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_LENGTH)))
    symbols += _CHECKS[number % 37]
    return "-".join(symbols[at : at + _GROUP] for at in range(0, len(symbols), _GROUP))


def claim_secret(code: str) -> bytes:
    """The 16 bytes of a code as it was typed. Raises ClaimCodeInvalid."""
    symbols = code.upper().translate(_READS_AS)
    if len(symbols) != _LENGTH + 1:
        raise ClaimCodeInvalid(f"a claim has {_LENGTH + 1} symbols, this has {len(symbols)}")
    number = 0
    for place, symbol in enumerate(symbols[:-1], 1):
        if symbol not in _ALPHABET:
            raise ClaimCodeInvalid(f"symbol {place}, {symbol!r}, is in no claim")
        number = number << 5 | _ALPHABET.index(symbol)
    if number >> BITS or _CHECKS.find(symbols[-1]) != number % 37:
        raise ClaimCodeInvalid("a symbol is wrong, or two have changed places")
    return number.to_bytes(BITS // 8)
