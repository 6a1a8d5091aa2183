"""Sessions, users, invitations and tokens, in JSON."""

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from cloud_api.names import Id
from cloud_api.pages import Page
from cloud_api.people.accounts import GRANTS_MAX
from cloud_api.people.roles import Grant, Role

HOUR_S = 3600
DAY_S = 24 * HOUR_S
RoleWord = Literal["administrator", "property_manager", "crew", "installer", "resident", "supervising_authority"]


def _normal(name: str) -> str:
    if unicodedata.normalize("NFKC", name) != name:
        raise ValueError("write it in plain characters (Unicode's NFKC form)")
    return name


Name = Annotated[str, Field(pattern=r"^[\w.@+-]{1,64}$", examples=["chen.wei"]), AfterValidator(_normal)]
Password = Annotated[str, Field(max_length=1024, examples=["a few words that are not a saying"])]
Code = Annotated[str, Field(max_length=12, description="Of the authenticator; empty without one", examples=["492039"])]
InvitationCode = Annotated[str, Field(max_length=64, examples=["7ZK4-0Q8M-2V6T-XW3B-9N5C-1RHD-E8*"])]


class GrantBody(BaseModel, extra="forbid"):
    """A role in a community; null: in all, also those that come later."""

    role: RoleWord
    community_id: Id | None = Field(examples=["liuyuan"])

    @classmethod
    def of(cls, grant: Grant) -> "GrantBody":
        """In JSON."""
        return cls.model_construct(role=grant.role.value, community_id=grant.community_id or None)

    def plain(self) -> Grant:
        """For those who decide."""
        return Grant(Role(self.role), self.community_id or "")


Grants = Annotated[list[GrantBody], Field(max_length=GRANTS_MAX)]


Base64Url = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]*$", max_length=65_536, examples=["pZ8c…"])]
CredentialId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=1400, examples=["q1Vd…"])]
PasskeyName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["my phone"])]


class AssertionResponse(BaseModel):
    """Of a passkey that was shown, as a browser gives it."""

    clientDataJSON: Base64Url  # noqa: N815 (WebAuthn's names)
    authenticatorData: Base64Url  # noqa: N815
    signature: Base64Url
    userHandle: Base64Url | None = None  # noqa: N815


class AssertionBody(BaseModel):
    """What `navigator.credentials.get()` gives: its `toJSON()`. What else is in it is not looked at."""

    id: CredentialId
    rawId: CredentialId  # noqa: N815
    type: Literal["public-key"]
    response: AssertionResponse


class AttestationResponse(BaseModel):
    """Of a passkey that was made, as a browser gives it."""

    clientDataJSON: Base64Url  # noqa: N815
    attestationObject: Base64Url  # noqa: N815


class AttestationBody(BaseModel):
    """What `navigator.credentials.create()` gives: its `toJSON()`. What else is in it is not looked at."""

    id: CredentialId
    rawId: CredentialId  # noqa: N815
    type: Literal["public-key"]
    response: AttestationResponse


class PasskeyOptions(BaseModel):
    """`public_key` is what `PublicKeyCredential.parseCreationOptionsFromJSON()` takes, or `parseRequestOptionsFromJSON()`."""

    public_key: dict[str, Any] = Field(
        examples=[{"challenge": "…", "rpId": "linli.example", "userVerification": "required"}]
    )


class NewPasskeyBody(BaseModel, extra="forbid"):
    """The browser's answer, and what the passkey is called."""

    name: PasskeyName
    credential: AttestationBody


class PasskeyChange(BaseModel, extra="forbid"):
    """What it is called."""

    name: PasskeyName


class Passkey(BaseModel):
    """Something that signs in without a password, and counts as the second factor with one."""

    id: str = Field(examples=["passkey-9f3b0c2d4e5a6178"])
    name: str = Field(examples=["my phone"])
    created_ms: int = Field(examples=[1_790_000_000_000])
    used_ms: int | None = Field(examples=[1_790_000_900_000])
    backed_up: bool = Field(description="Its owner's devices share it, so that it outlives the loss of one")


class PasskeyPage(Page):
    """All of one's passkeys, oldest first: there are twenty at most."""

    items: list[Passkey]


class PasskeySignInBody(BaseModel, extra="forbid"):
    """The browser's answer."""

    credential: AssertionBody


class SignInBody(BaseModel, extra="forbid"):
    """Name and password; `totp` when an authenticator is set up, or `passkey`, the answer to `sessions/passkey/options`."""

    name: str = Field(max_length=64, examples=["chen.wei"])
    password: Password
    totp: Code = ""
    passkey: AssertionBody | None = None


class Session(BaseModel):
    """Who is signed in, and what he is. `permissions`: what of, with the communities; null for all.

    `passkeys`: how many he has. `authenticator_missing`: he may do nothing before he has set up an authenticator or a
    passkey. `machine`: this came with a token.
    """

    user_id: str = Field(examples=["user-9f3b0c2d4e5a6178"])
    name: str = Field(examples=["chen.wei"])
    grants: list[GrantBody]
    roles: list[RoleWord]
    communities: list[str] | None = Field(description="Where he is anything; null: everywhere", examples=[["liuyuan"]])
    permissions: dict[str, list[str] | None] = Field(examples=[{"see": ["liuyuan"], "command": ["liuyuan"]}])
    machine: bool
    authenticator: bool
    passkeys: int = Field(examples=[1])
    provider: bool = Field(description="He has connected his identity at the sign-in provider")
    authenticator_missing: bool


class OpenSession(BaseModel):
    """A browser in which one is signed in. `seen_ms`: when it last asked for something, to the minute."""

    id: str = Field(examples=["9f3b0c2d4e5a6178"])
    begun_ms: int = Field(examples=[1_790_000_000_000])
    seen_ms: int = Field(examples=[1_790_000_600_000])
    current: bool = Field(description="It is the one that asks")


class OpenSessions(BaseModel):
    """All of one's own, newest first; there are never many."""

    items: list[OpenSession]


class User(BaseModel):
    """Somebody who can sign in, or could."""

    id: str = Field(examples=["user-9f3b0c2d4e5a6178"])
    name: str = Field(examples=["chen.wei"])
    grants: list[GrantBody]
    authenticator: bool
    passkeys: int = Field(examples=[1])
    created_ms: int = Field(examples=[1_790_000_000_000])
    disabled_ms: int | None = Field(examples=[None])


class UserPage(Page):
    """A page of users."""

    items: list[User]


class UserChange(BaseModel, extra="forbid"):
    """What is left out stays. `grants` is the whole of them, as they shall be. All sessions of the user end with this."""

    grants: Grants | None = None
    disabled: bool | None = None


class PasswordBody(BaseModel, extra="forbid"):
    """The old one again, so that nobody changes it at a desk that was left."""

    old: Password
    new: Password


class AuthenticatorSecret(BaseModel):
    """For an app such as FreeOTP. It counts once a code of it has been given."""

    link: str = Field(examples=["otpauth://totp/Linli:chen.wei?secret=...&issuer=Linli"])
    qr_svg: str = Field(examples=["<svg ...></svg>"])


class AuthenticatorBody(BaseModel, extra="forbid"):
    """A code of the new authenticator."""

    code: Code


class Invitation(BaseModel):
    """Leave for one person to choose a name and a password."""

    id: str = Field(examples=["invitation-9f3b0c2d4e5a6178"])
    state: Literal["open", "used", "withdrawn", "expired"]
    grants: list[GrantBody]
    issuer_id: str | None = Field(examples=["user-9f3b0c2d4e5a6178"])
    created_ms: int = Field(examples=[1_790_000_000_000])
    expires_ms: int = Field(examples=[1_790_086_400_000])
    user_id: str | None = Field(description="Who came of it", examples=[None])
    for_provider: bool = Field(description="Whose e-mail address it was made for comes in by the sign-in provider")


class NewInvitation(Invitation):
    """`code` is given now and never again."""

    code: InvitationCode


class InvitationPage(Page):
    """A page of invitations, newest first."""

    items: list[Invitation]


class InvitationBody(BaseModel, extra="forbid"):
    """What somebody is invited as, and for how long the code holds: three days unless said, a month at most.

    `email`: its owner may come in by the sign-in provider, without the code, when the provider has verified that it is his.
    It is kept as an alias only.
    """

    grants: Annotated[Grants, Field(min_length=1)]
    email: (
        Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$", examples=["chen.wei@example.org"])] | None
    ) = None
    valid_s: int = Field(3 * DAY_S, ge=60, le=30 * DAY_S, examples=[259_200])


class AcceptBody(BaseModel, extra="forbid"):
    """The code, and what the newcomer wants to be called and to sign in with."""

    code: InvitationCode
    name: Name
    password: Password


class Token(BaseModel):
    """A machine's leave to speak for somebody."""

    id: str = Field(examples=["token-9f3b0c2d4e5a6178"])
    name: str = Field(examples=["meter-export"])
    user_id: str = Field(examples=["user-9f3b0c2d4e5a6178"])
    grants: list[GrantBody]
    created_ms: int = Field(examples=[1_790_000_000_000])
    expires_ms: int = Field(examples=[1_797_776_000_000])
    revoked_ms: int | None = Field(examples=[None])


class NewToken(Token):
    """`secret` is given now and never again: send it as `Authorization: Bearer ...`."""

    secret: str = Field(examples=["linli_..."])


class TokenPage(Page):
    """A page of tokens, newest first."""

    items: list[Token]


class TokenBody(BaseModel, extra="forbid"):
    """What it is called and good for: at most what you are. It holds ninety days unless said, a year at most."""

    name: Name
    grants: Annotated[Grants, Field(min_length=1)]
    valid_s: int = Field(90 * DAY_S, ge=60, le=366 * DAY_S, examples=[7_776_000])


class ProviderState(BaseModel):
    """Whether people can sign in by a provider, and what it is called."""

    name: str | None = Field(description="null: there is none", examples=["Property Group"])


class ProviderBegin(BaseModel):
    """Where the browser goes. It comes back to `/sign-in/provider` with `code` and `state`."""

    authorization_url: str = Field(examples=["https://login.example/authorize?response_type=code&..."])


class ProviderAnswer(BaseModel, extra="forbid"):
    """What the provider has sent the browser back with."""

    code: str = Field(min_length=1, max_length=4096, examples=["SplxlOBeZQQYbYS6WxSbIA"])
    state: str = Field(min_length=1, max_length=200, examples=["af0ifjsldkj"])


class ProviderSignInBody(BaseModel, extra="forbid"):
    """`answer` first; when that is answered with code_needed or passkey_needed, `totp` or `passkey` alone."""

    answer: ProviderAnswer | None = None
    totp: Code = ""
    passkey: AssertionBody | None = None
