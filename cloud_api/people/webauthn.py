"""Passkeys' two ceremonies, WebAuthn by the library ``fido2``: what a browser is asked for, and whether its answer holds. Pure.

Every passkey asks its owner for a finger, a face or a PIN (user verification), so that it is two factors by itself. No
attestation is asked for: which make a key is does not matter here.
"""

import struct
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

CREDENTIAL_ID_BYTES_MAX = 1023
"""WebAuthn's own bound."""

State = Mapping[str, Any]
"""What the answer to a challenge is checked with; good for one answer."""


class Site(NamedTuple):
    """Whose passkeys they are. rp_id: the host's name, which a browser binds them to. origin: of the only page that may ask."""

    rp_id: str
    origin: str


class NewPasskey(NamedTuple):
    """What is kept of a passkey. key: its id and public key, WebAuthn's attested credential data."""

    credential_id: bytes
    key: bytes
    sign_count: int
    backed_up: bool


class PasskeyRefused(Exception):
    """The answer does not hold; the message says why, for the log."""


class PasskeyCloned(PasskeyRefused):
    """Its counter went back: somebody else has a copy, or has used one since."""


def site_at(public_url: str, own_origin: str) -> Site | None:
    """The site at the cloud's public address; without one at localhost alone, where a page needs no https.

    None: passkeys can't be used here, as browsers take names alone, and names only from who says which is ours.
    """
    origin = public_url or own_origin
    name = urlsplit(origin).hostname or ""
    try:
        ip_address(name)
        return None
    except ValueError:
        return Site(name, origin) if name and (public_url or name == "localhost") else None


def ask_for_new(site: Site, user_id: str, name: str, known: Sequence[bytes]) -> tuple[dict[str, Any], State]:
    """What a browser needs to make a passkey. known: ids of those the user has, so that no device makes a second one."""
    options, state = _server(site).register_begin(
        PublicKeyCredentialUserEntity(id=user_id.encode(), name=name, display_name=name),
        [PublicKeyCredentialDescriptor(type=PublicKeyCredentialType.PUBLIC_KEY, id=each) for each in known],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return dict(options), state


def new_passkey(site: Site, state: State, credential: Mapping[str, Any]) -> NewPasskey:
    """The passkey that a browser has made. Raises PasskeyRefused."""
    with _refusing():
        response = RegistrationResponse.from_dict(credential)
        data = _server(site).register_complete(state, response)
        key = data.credential_data
        if key is None or len(key.credential_id) > CREDENTIAL_ID_BYTES_MAX:
            raise PasskeyRefused("no key, or one with a name that is too long")
        if response.raw_id != key.credential_id:
            raise PasskeyRefused("the answer names another key than it holds")
        return NewPasskey(key.credential_id, bytes(key), data.counter, data.is_backed_up())


def ask_for_one(site: Site) -> tuple[dict[str, Any], State]:
    """What a browser needs to show a passkey: any that it has for this site, so that nobody is told who has which."""
    options, state = _server(site).authenticate_begin(user_verification=UserVerificationRequirement.REQUIRED)
    return dict(options), state


def credential_id_of(credential: Mapping[str, Any]) -> bytes:
    """Which passkey an answer is of. Raises PasskeyRefused."""
    with _refusing():
        return bytes(AuthenticationResponse.from_dict(credential).raw_id)


def check_shown(
    site: Site, state: State, key: bytes, sign_count: int, user_id: str, credential: Mapping[str, Any]
) -> int:
    """Its counter after this, once the answer is this passkey's, to this challenge, from our page. Raises PasskeyRefused."""
    with _refusing():
        answer = AuthenticationResponse.from_dict(credential)
        _server(site).authenticate_complete(state, [AttestedCredentialData(key)], answer)
        if answer.response.user_handle not in (None, b"", user_id.encode()):
            raise PasskeyRefused("it was made for another user")
        counter = answer.response.authenticator_data.counter
        if (counter or sign_count) and counter <= sign_count:
            raise PasskeyCloned(f"its counter went from {sign_count} to {counter}")
        return counter


def _server(site: Site) -> Fido2Server:
    return Fido2Server(
        PublicKeyCredentialRpEntity(id=site.rp_id, name="Linli"), verify_origin=lambda origin: origin == site.origin
    )


@contextmanager
def _refusing() -> Generator[None]:
    """The library takes apart whatever was sent, and says in many ways that it can't be."""
    try:
        yield
    except (
        ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, AssertionError, struct.error,
        UnsupportedAlgorithm,
    ) as error:  # fmt: skip
        raise PasskeyRefused(f"{type(error).__name__}: {error}") from error
