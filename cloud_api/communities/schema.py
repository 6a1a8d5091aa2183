"""Communities, facilities and gateways, in JSON."""

from typing import Literal

from pydantic import BaseModel, Field

from cloud_api.names import BilingualName, Id, KindOfFacility
from cloud_api.pages import Page


class Community(BaseModel):
    """A residential community."""

    id: str = Field(examples=["liuyuan"])
    name: BilingualName


class Facility(BaseModel):
    """One facility of a community."""

    id: str = Field(examples=["liuyuan-parking"])
    community_id: str = Field(examples=["liuyuan"])
    kind: KindOfFacility
    name: BilingualName


class GatewayWord(BaseModel):
    """What a gateway last said of itself; it stays when the gateway is gone.

    ``outbox_hours_until_full``: at the rate of that moment, null when it did not fill. ``buffered_samples`` had not been
    acknowledged. ``clock_error_ms`` bounds its clock's error, null when it was never measured; ``clock_trusted``: its time
    was possible.
    """

    outbox_bytes: int = Field(examples=[1_048_576])
    outbox_bytes_max: int = Field(examples=[1_073_741_824])
    outbox_hours_until_full: float | None = Field(examples=[31.5])
    buffered_samples: int = Field(examples=[96])
    clock_trusted: bool
    clock_error_ms: int | None = Field(examples=[3])


class Gateway(BaseModel):
    """A gateway and what is known of it now.

    ``online``: it holds its connection and ingest hears it. ``desired_version`` is what it should apply,
    ``reported_version`` what it says it has; ``reported_reason`` why it did not, else empty. ``link``: "up_only" when
    it is heard and says that it hears nothing, so commands do not reach it.
    """

    id: str = Field(examples=["gw-liuyuan-1"])
    community_id: str = Field(examples=["liuyuan"])
    name: BilingualName
    online: bool
    link: Literal["both", "up_only", "none"]
    last_seen_ms: int | None = Field(examples=[1_790_000_000_000])
    agent_version: str = Field(examples=["0.1.0"])
    desired_version: int = Field(examples=[3])
    reported_version: int = Field(examples=[3])
    reported_reason: str = Field(examples=[""])
    instance: str = Field("", description="Which machine and folder is this gateway now; a copied one has another")
    refused_profiles: dict[str, str] = Field({}, description="Profile -> why it was not taken; the one before holds")
    twin_seen_ms: int | None = Field(None, description="When a second gateway under this id was last fenced off")
    last_word: GatewayWord | None = Field(None, description="Null until it has been heard since the cloud's start")


class CommunityPage(Page):
    """A page of communities."""

    items: list[Community]


class FacilityPage(Page):
    """A page of facilities."""

    items: list[Facility]


class GatewayPage(Page):
    """A page of gateways."""

    items: list[Gateway]


class CommunityBody(BaseModel, extra="forbid"):
    """What a person says of a community."""

    name: BilingualName


class FacilityBody(BaseModel, extra="forbid"):
    """What a person says of a facility. Community and kind are fixed once it is there."""

    community_id: Id = Field(examples=["liuyuan"])
    kind: KindOfFacility
    name: BilingualName


class GatewayBody(BaseModel, extra="forbid"):
    """What a person says of a gateway. The community is fixed once it is there."""

    community_id: Id = Field(examples=["liuyuan"])
    name: BilingualName
