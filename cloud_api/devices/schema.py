"""Devices, their state and their telemetry, in JSON."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from cloud_api.names import BilingualName, KindOfFacility
from cloud_api.pages import Page

Value = bool | int | float | str
Parameters = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], Annotated[float, Field(allow_inf_nan=False)]],
    Field(max_length=32, examples=[{"height_mm": 1200.0}]),
]
"""Of a device, by name: they go into its gateway's desired state."""


class Device(BaseModel):
    """A device of a community. `external_id` is the id by which its gateway knows it."""

    id: str = Field(examples=["dev-z72blpgg5flow7sn"])
    community_id: str = Field(examples=["liuyuan"])
    facility_id: str = Field(examples=["liuyuan-parking"])
    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    external_id: str = Field(examples=["70b3d52dd6000a07"])
    kind: KindOfFacility
    name: BilingualName
    profile: str = Field(examples=["nwave/nps"])
    profile_version: int = Field(examples=[1])
    status: Literal["adopted", "pending"]
    verbs: list[str] = Field(examples=[["open_barrier", "close_barrier"]])
    parameters: dict[str, float] = Field(examples=[{"height_mm": 1200.0}])
    place_id: str | None = Field(description="Of a charger: the parking place before it", examples=[None])
    adopted_ms: int | None = Field(examples=[1_790_000_000_000])
    first_seen_ms: int = Field(examples=[1_790_000_000_000])


class DevicePage(Page):
    """A page of devices."""

    items: list[Device]


class DeviceChange(BaseModel, extra="forbid"):
    """What a person may change of a device; what is left out stays."""

    name: BilingualName | None = None
    facility_id: str | None = Field(None, examples=["liuyuan-parking"])
    parameters: Parameters | None = None
    place_id: str | None = Field(
        None, description='Of a charger: the parking place before it, "" for none', examples=["dev-5jorrcwmdd7n2hty"]
    )


class Move(BaseModel, extra="forbid"):
    """Where a device was taken.

    `external_id` is what the new gateway calls it, left out when it is the same. `at_ms` is when it was moved, now if left
    out: what the old gateway says of it with an earlier event time is its history, however late it comes. `replace`: the
    adopted device at the new place is this one, seen there since; it goes.
    """

    gateway_id: str = Field(min_length=1, max_length=63, examples=["gw-liuyuan-2"])
    external_id: str | None = Field(None, pattern=r"^[^\x00-\x1f]{1,128}$", examples=["70b3d52dd6000a07"])
    at_ms: int | None = Field(None, ge=0, lt=2**63, examples=[1_790_000_000_000])
    replace: bool = False


class DeviceSource(BaseModel):
    """Where a device's readings come from: what this gateway says of this id with an event time `from_ms <= t < to_ms`.

    `from_ms` is 0 from the beginning, `to_ms` null where it is now.
    """

    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    external_id: str = Field(examples=["70b3d52dd6000a07"])
    from_ms: int = Field(examples=[0])
    to_ms: int | None = Field(examples=[1_790_000_000_000])


class DeviceSources(BaseModel):
    """All sources that a device has had, the oldest first, the present one last."""

    items: list[DeviceSource]


class MetricState(BaseModel):
    """The latest value of a metric by event time.

    `unit` is a UCUM code, null for words, booleans and counts. `value` is null when the device said that it has none.
    `stale`: older than the metric's limit, so it says nothing about the present. `received_at_ms` is when the gateway
    took it.
    """

    value: Value | None = Field(examples=[21.5])
    unit: str | None = Field(examples=["Cel"])
    observed_at_ms: int = Field(examples=[1_790_000_000_000])
    received_at_ms: int = Field(examples=[1_790_000_000_040])
    age_ms: int = Field(examples=[1250])
    quality: Literal["good", "uncertain", "bad", "substituted"]
    stale: bool
    reason: str = Field(examples=[""])


class DeviceState(BaseModel):
    """What is known of a device now."""

    device_id: str = Field(examples=["dev-z72blpgg5flow7sn"])
    metrics: dict[str, MetricState]


class Point(BaseModel):
    """A value at a time. With a step: of the interval that begins at `t_ms`; an interval without samples has no point."""

    t_ms: int = Field(examples=[1_790_000_000_000])
    value: Value | None = Field(examples=[21.5])
    quality: Literal["good", "uncertain", "bad", "substituted"]


class Telemetry(Page):
    """A series of one metric of one device, in the order of time."""

    device_id: str = Field(examples=["dev-z72blpgg5flow7sn"])
    metric: str = Field(examples=["temperature"])
    unit: str | None = Field(examples=["Cel"])
    points: list[Point]
