"""What is sealed opens with its key, for its owner, unchanged, and not otherwise."""

import stat
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_api.people.sealed import KEY_FILE, PeopleKey, PeopleKeyError, SealBroken, people_key

KEY = PeopleKey(bytes(32))


@given(st.binary(max_size=40), st.integers(0, 7), st.data())
def test_it_opens_for_its_owner_unchanged(secret: bytes, bit: int, data: st.DataObject) -> None:
    sealed = KEY.sealed(secret, "user-1")
    assert KEY.opened(sealed, "user-1") == secret
    changed = bytearray(b64decode(sealed))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << bit
    wrong = [(KEY, sealed, "user-2"), (PeopleKey(b"\1" * 32), sealed, "user-1")]
    for key, text, owner in [
        *wrong,
        (KEY, b64encode(changed).decode(), "user-1"),
        (KEY, "", "user-1"),
        (KEY, "?", "x"),
    ]:
        with pytest.raises(SealBroken):
            key.opened(text, owner)


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    sealed = people_key(tmp_path, None).sealed(b"secret", "user-1")
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert people_key(tmp_path, None).opened(sealed, "user-1") == b"secret"
    assert people_key(tmp_path / "none", tmp_path / KEY_FILE).opened(sealed, "user-1") == b"secret"
    (tmp_path / "short").write_text("abcd")
    for file in (tmp_path / "short", tmp_path / "none"):
        with pytest.raises(PeopleKeyError, match=file.name):
            people_key(tmp_path, file)
