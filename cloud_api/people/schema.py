"""Sessions, users, invitations and tokens, in JSON."""

import unicodedata
from typing import Annotated, Literal

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


class SignInBody(BaseModel, extra="forbid"):
    """Name and password; `totp` when an authenticator is set up."""

    name: str = Field(max_length=64, examples=["chen.wei"])
    password: Password
    totp: Code = ""


class Session(BaseModel):
    """Who is signed in, and what he is. `permissions`: what of, with the communities; null for all.

    `authenticator_missing`: he may do nothing before he has set one up. `machine`: this came with a token.
    """

    user_id: str = Field(examples=["user-9f3b0c2d4e5a6178"])
    name: str = Field(examples=["chen.wei"])
    grants: list[GrantBody]
    roles: list[RoleWord]
    communities: list[str] | None = Field(description="Where he is anything; null: everywhere", examples=[["liuyuan"]])
    permissions: dict[str, list[str] | None] = Field(examples=[{"see": ["liuyuan"], "command": ["liuyuan"]}])
    machine: bool
    authenticator: bool
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


class NewInvitation(Invitation):
    """`code` is given now and never again."""

    code: InvitationCode


class InvitationPage(Page):
    """A page of invitations, newest first."""

    items: list[Invitation]


class InvitationBody(BaseModel, extra="forbid"):
    """What somebody is invited as, and for how long the code holds: three days unless said, a month at most."""

    grants: Annotated[Grants, Field(min_length=1)]
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
