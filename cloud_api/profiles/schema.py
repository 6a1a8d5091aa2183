"""Profiles over HTTP."""

from typing import Literal

from pydantic import BaseModel, Field

from cloud_api.names import BilingualName, Id
from cloud_api.pages import Page


class ProfileVersion(BaseModel):
    """A version of a profile, and where it is.

    source      shipped: it comes with Linli; own: somebody wrote it for their devices
    digest      BLAKE2b-256 of its document, hexadecimal
    gateways    to which this version was pushed; shipped ones are everywhere
    refused_by  gateway -> why it did not take it; it reads on with what it had
    devices     how many are read with this version
    """

    id: str = Field(examples=["acme/bl-1"])
    version: int = Field(examples=[1])
    source: Literal["shipped", "own"]
    kind: str = Field(examples=["waste"])
    name: BilingualName
    digest: str
    created_ms: int | None = Field(examples=[1_790_000_000_000])
    gateways: list[str] = Field(examples=[["gw-liuyuan-1"]])
    refused_by: dict[str, str]
    devices: int = Field(examples=[12])


class ProfilePage(Page):
    """A page of profile versions."""

    items: list[ProfileVersion]


class ProfileDetail(BaseModel):
    """One profile: all its versions, the newest first, and the newest one's document, with the number of examples
    that it was held against."""

    id: str
    versions: list[ProfileVersion]
    document: str
    examples: int
    faults: list[str]


class PushBody(BaseModel, extra="forbid"):
    """To whom: gateways by their ids, all of a community, or both. `approval`: where that is more than one gateway."""

    gateways: list[Id] = Field(default=[], max_length=1000, examples=[["gw-liuyuan-1"]])
    community: str = ""
    approval: str | None = Field(None, max_length=40, examples=[None])


class Pushed(BaseModel):
    """The gateways whose desired state holds this version now."""

    gateways: list[str]


class ProfileKey(BaseModel):
    """The public key by which gateways know what we have signed, as PEM."""

    pem: str
