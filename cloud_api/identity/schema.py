"""Claims, provisioning and certificates, in JSON."""

from typing import Literal

from pydantic import BaseModel, Field

from cloud_api.identity.authority import REQUEST_BYTES_MAX
from cloud_api.names import Id
from cloud_api.pages import Page

HOUR_S = 3600


class Claim(BaseModel):
    """Leave for one gateway to get its first certificate. `refused`: how often somebody tried it in vain."""

    id: str = Field(examples=["claim-9f3b0c2d4e5a6178"])
    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    state: Literal["open", "used", "withdrawn", "expired"]
    issuer: str = Field(examples=["local"])
    created_ms: int = Field(examples=[1_790_000_000_000])
    expires_ms: int = Field(examples=[1_790_086_400_000])
    used_ms: int | None = Field(examples=[None])
    refused: int = Field(examples=[0])


class NewClaim(Claim):
    """`code` and `qr_svg`, which shows `link`, are given now and never again."""

    code: str = Field(examples=["7ZK4-0Q8M-2V6T-XW3B-9N5C-1RHD-E8*"])
    link: str = Field(examples=["https://cloud.example/provision#7ZK40Q8M2V6TXW3B9N5C1RHDE8*"])
    qr_svg: str = Field(examples=["<svg ...></svg>"])


class ClaimPage(Page):
    """A page of claims."""

    items: list[Claim]


class ClaimBody(BaseModel, extra="forbid"):
    """Which gateway may come in, and for how long the claim holds: a day unless said, a week at most."""

    gateway_id: Id = Field(examples=["gw-liuyuan-1"])
    valid_s: int = Field(24 * HOUR_S, ge=60, le=7 * 24 * HOUR_S, examples=[86_400])


class ProvisionBody(BaseModel, extra="forbid"):
    """A claim's code, a certificate request (PEM), and the community the installer is at, if he said it."""

    code: str = Field(max_length=64, examples=["7ZK4-0Q8M-2V6T-XW3B-9N5C-1RHD-E8*"])
    request: str = Field(max_length=REQUEST_BYTES_MAX, examples=["-----BEGIN CERTIFICATE REQUEST-----\n..."])
    community_id: str = Field("", max_length=63, examples=["liuyuan"])


class Provision(BaseModel):
    """What the gateway needs to come in. `certificate` with its chain; `broker_authority` is by whom it checks the broker,
    `profile_key` by what it knows the cloud's profiles."""

    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    certificate: str = Field(examples=["-----BEGIN CERTIFICATE-----\n..."])
    ends_ms: int = Field(examples=[1_797_776_000_000])
    broker_authority: str = Field(examples=["-----BEGIN CERTIFICATE-----\n..."])
    mqtt_host: str = Field(examples=["cloud.example"])
    mqtt_port: int = Field(examples=[8883])
    now_ms: int = Field(examples=[1_790_000_000_000])
    profile_key: str = Field(examples=["-----BEGIN PUBLIC KEY-----\n..."])


class Refusal(BaseModel):
    """Somebody tried a claim in vain. `claim_id` and `gateway_id` are empty when the code is of no claim."""

    id: str = Field(examples=["refusal-9f3b0c2d4e5a6178"])
    at_ms: int = Field(examples=[1_790_000_000_000])
    reason: str = Field(examples=["claim_used"])
    claim_id: str = Field(examples=["claim-9f3b0c2d4e5a6178"])
    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    address: str = Field(examples=["192.0.2.17"])


class RefusalPage(Page):
    """A page of refused uses."""

    items: list[Refusal]


class Certificate(BaseModel):
    """A certificate that was issued to a gateway. It ends at `ends_ms`, or ended when it was revoked, and why."""

    serial: str = Field(examples=["4f2a9c"])
    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    claim_id: str | None = Field(description="null for one that renewed another", examples=["claim-9f3b0c2d4e5a6178"])
    issued_ms: int = Field(examples=[1_790_000_000_000])
    ends_ms: int = Field(examples=[1_797_776_000_000])
    first_used_ms: int | None = Field(examples=[1_790_000_060_000])
    revoked_ms: int | None = Field(examples=[None])
    reason: str = Field(examples=[""])


class CertificatePage(Page):
    """A page of certificates."""

    items: list[Certificate]


class RevokeBody(BaseModel, extra="forbid"):
    """Why a gateway is shut out; people read it later."""

    reason: str = Field(min_length=1, max_length=200, examples=["stolen from the cabinet in building 3"])


class Revoked(BaseModel):
    """How many certificates have ended with this."""

    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    certificates: int = Field(examples=[1])
