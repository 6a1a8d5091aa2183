"""The audit in JSON."""

from typing import Any

from pydantic import BaseModel, Field

from cloud_api.pages import Page


class AuditEntry(BaseModel):
    """Who asked for what, and what came of it. `previous` is the hash of the entry before it."""

    seq: int = Field(examples=[4711])
    at_ms: int = Field(examples=[1_790_000_000_000])
    actor: str = Field(examples=["local"])
    action: str = Field(examples=["create_command"], description="The operation's id in this document")
    target: str = Field(examples=["devices/dev-z72blpgg5flow7sn/commands"])
    community: str = Field(examples=["liuyuan"], description="Empty when it is nobody's in particular")
    outcome: str = Field(examples=["done"], description="done, refused, failed")
    details: dict[str, Any] = Field(examples=[{"status": 202, "address": "10.0.0.7"}])
    previous: str = Field(examples=["0" * 64])
    hash: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])


class AuditPage(Page):
    """A page of entries, newest first."""

    items: list[AuditEntry]


class AuditCheckpoint(BaseModel):
    """Entry `checkpoint` had this hash at this time, signed with the cloud's key. Keep it somewhere else."""

    checkpoint: int = Field(examples=[4711])
    hash: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])
    at_ms: int = Field(examples=[1_790_000_000_000])
    key_id: str = Field(examples=["3b1f0c9a7d5e2468"])
    signature: str = Field(examples=["base64..."])


class AuditCheckpointPage(Page):
    """A page of checkpoints, newest first."""

    items: list[AuditCheckpoint]
