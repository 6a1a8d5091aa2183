"""Discoveries in JSON."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from cloud_api.devices.schema import Parameters, Value
from cloud_api.names import BilingualName, KindOfFacility
from cloud_api.pages import Page

Status = Literal["open", "dismissed", "adopted"]
Topic = Annotated[str, Field(min_length=1, max_length=256, examples=["plant/unit-7"])]


class Proposal(BaseModel):
    """A profile that could read the topic. `values`: what it would read from the last message, by metric."""

    profile: str = Field(examples=["zigbee2mqtt/plug"])
    profile_version: int = Field(examples=[1])
    kind: KindOfFacility
    score: float = Field(description="0 to 1, how well it fits", examples=[0.93])
    device: str = Field(description="What it would call the device", examples=["unit-7"])
    values: dict[str, Value] = Field({}, examples=[{"power": 41.5}])


class Discovery(BaseModel):
    """A topic on a gateway's local broker that no profile reads. `+` in it stands for many topics alike.

    `count`, `size_bytes` and `head_base64` (the first bytes, 256 at most) as the gateway last told: its last message.
    """

    topic: Topic
    status: Status
    device_id: str | None = Field(description="The device that the topic is bound to", examples=[None])
    count: int = Field(examples=[128])
    size_bytes: int = Field(examples=[412])
    head_base64: str = Field(examples=["eyJkYXRh"])
    proposals: list[Proposal] = Field(description="The best first, 3 at most")
    first_ms: int = Field(examples=[1_790_000_000_000])
    at_ms: int = Field(examples=[1_790_000_000_000])


class DiscoveryPage(Page):
    """A page of discoveries, those told of last first."""

    items: list[Discovery]


class Adoption(BaseModel, extra="forbid"):
    """Which profile is to read the topic, proposed or not, and what the gateway is to call the device."""

    topic: Topic
    profile: str = Field(min_length=1, max_length=120, examples=["zigbee2mqtt/plug"])
    device: str = Field(min_length=1, max_length=128, examples=["unit-7"])
    name: BilingualName | None = None
    parameters: Parameters | None = None


class Decided(BaseModel, extra="forbid"):
    """A topic to decide on."""

    topic: Topic
