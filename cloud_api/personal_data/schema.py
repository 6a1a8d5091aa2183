"""A resident's data in JSON."""

from pydantic import BaseModel, Field

from cloud_api.audit.schema import AuditCheckpoint
from cloud_api.charging.schema import ChargingTransaction, Token
from cloud_api.names import Id


class Subject(BaseModel, extra="forbid"):
    """Whose data: a token by its name, at the gateway where it charges."""

    gateway_id: Id = Field(examples=["gw-liuyuan-1"])
    token: str = Field(min_length=1, max_length=100, examples=["Flat 12"])


class PersonalData(BaseModel):
    """All that is kept under a name. `token` is null when it is not in the site's list any more."""

    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    name: str = Field(examples=["Flat 12"])
    alias: str = Field(examples=["tok-9f3b0c2d4e5a6178"], description="What gateways and records call it")
    token: Token | None
    transactions: list[ChargingTransaction]


class ErasureReceipt(BaseModel):
    """The name and the card are gone. `transactions_kept` stay as amounts of energy under an alias that is nobody's.

    The audit's entry `seq` says so; `checkpoint` is signed over it.
    """

    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    alias: str = Field(examples=["tok-9f3b0c2d4e5a6178"])
    erased_ms: int = Field(examples=[1_790_000_000_000])
    was_in_list: bool
    transactions_kept: int = Field(examples=[12])
    seq: int = Field(examples=[4711])
    hash: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])
    checkpoint: AuditCheckpoint
