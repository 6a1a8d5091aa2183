"""Charging in JSON."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from cloud_api.pages import Page


class ChargingSession(BaseModel):
    """From a car's coming to its going; of a pile with transactions from a transaction's begin to its end.

    `source`: "transaction" (the pile's own word, over OCPP) or "series" (made from its status and register).
    `end_ms` is null while it lasts. `energy_wh` is by the register's differences, null without two values; where
    `register_resets` is not 0 it is the least that was charged. `charging_ms`, `register_resets`: of "series" alone.
    """

    device_id: str = Field(examples=["dev-z72blpgg5flow7sn"])
    source: Literal["transaction", "series"] = "series"
    begin_ms: int = Field(examples=[1_790_000_000_000])
    end_ms: int | None = Field(examples=[1_790_014_400_000])
    energy_wh: float | None = Field(examples=[18_240.0])
    charging_ms: int | None = Field(default=None, examples=[9_000_000])
    register_resets: int | None = Field(default=None, examples=[0])
    transaction: str | None = Field(default=None, examples=["8c5f7a0e4b1d2c3e"])
    token: str = Field(default="", examples=["Flat 12"], description="Name of the card or app that began it")
    reason: str = Field(default="", examples=["EVDisconnected"], description="Why it ended, in OCPP's words")


class ChargingSessions(BaseModel):
    """A pile's sessions."""

    items: list[ChargingSession]


class ChargingTransaction(BaseModel):
    """A transaction as its gateway last said it. `device_id` is null while the registry does not know the connector.

    `offline`: it began, or ended, without connection. `time_unsure`: the charge point's clock was impossible, or its end
    was never said.
    """

    transaction: str = Field(examples=["8c5f7a0e4b1d2c3e"])
    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    device_id: str | None = Field(examples=["dev-z72blpgg5flow7sn"])
    external_id: str = Field(examples=["CP-07-1"])
    charge_point: str = Field(examples=["CP-07"])
    token: str = Field(examples=["Flat 12"])
    begin_ms: int = Field(examples=[1_790_000_000_000])
    end_ms: int | None = Field(examples=[1_790_014_400_000])
    meter_start_wh: float = Field(examples=[1_305_570.0])
    meter_wh: float = Field(examples=[1_323_810.0])
    energy_wh: float = Field(examples=[18_240.0])
    reason: str = Field(examples=["EVDisconnected"])
    offline: bool
    time_unsure: bool


class ChargingTransactionPage(Page):
    """A page of transactions, newest first."""

    items: list[ChargingTransaction]


class ChargePointBody(BaseModel, extra="forbid"):
    """A charge point that may connect. `password`, write only: left out it stays; "" lets it in without one."""

    charge_point: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:=*|@-]{1,48}$", examples=["CP-07"])]
    password: Annotated[str, Field(pattern=r"^([!-~]{16,40})?$", examples=["a-long-password-1"])] | None = None
    current_max_a: Annotated[float, Field(ge=6, le=500, description="A a phase")] = 32
    phases: Literal[1, 3] = 3
    phase: Literal[0, 1, 2, 3] = Field(0, description="The site's phase of one with one phase; 0: not known")


class TokenBody(BaseModel, extra="forbid"):
    """Who may charge. `id_tag`, write only: what the charge point reads off the card; left out it stays."""

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["Flat 12"])]
    id_tag: Annotated[str, Field(pattern=r"^[!-~]{1,36}$", examples=["04A2B3C4D5E6F7"])] | None = None
    expires_ms: Annotated[int, Field(ge=0, description="ms UTC; 0: never")] = 0
    blocked: bool = False


Address = Annotated[str, Field(max_length=512, pattern=r"^((https?|ftps?|sftp)://[!-~]+)?$", examples=[""])]
"""Where charge points fetch or put something; "" for nowhere."""


class SiteChargingBody(BaseModel, extra="forbid"):
    """How a gateway's site charges. The whole of it: what is left out of the lists is gone."""

    fuse_a: Annotated[float, Field(gt=0, le=10_000, description="The site's fuse, A a phase")]
    fail_safe_a: Annotated[float, Field(ge=0, le=500, description="What a charger may draw without its link")] = 6
    free_for_all: bool = False
    firmware_url: Address = ""
    diagnostics_url: Address = ""
    charge_points: Annotated[list[ChargePointBody], Field(max_length=500)] = []
    tokens: Annotated[list[TokenBody], Field(max_length=5_000)] = []


class ChargePoint(BaseModel):
    """A charge point that may connect, and whether it needs a password."""

    charge_point: str = Field(examples=["CP-07"])
    password_set: bool
    current_max_a: float
    phases: int
    phase: int


class Token(BaseModel):
    """Who may charge; of the card's number only the end is shown."""

    name: str = Field(examples=["Flat 12"])
    id_tag_masked: str = Field(examples=["••••E6F7"])
    expires_ms: int
    blocked: bool


class SiteCharging(BaseModel):
    """How a gateway's site charges. `set_up` is false until somebody has."""

    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    set_up: bool
    fuse_a: float
    fail_safe_a: float
    free_for_all: bool
    firmware_url: str = Field(description="Where charge points fetch their firmware when they are told to")
    diagnostics_url: str = Field(description="Where charge points put their diagnostics when they are told to")
    charge_points: list[ChargePoint]
    tokens: list[Token]
