"""Approvals in JSON."""

from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from cloud_api.approvals.records import State
from cloud_api.pages import Page


class ApprovalBody(BaseModel, extra="forbid"):
    """What is to be done, exactly as it will be asked for.

    `action` command: `target` is the device's id, `request` holds `verb` and `args`. push_profile: `target` is
    maker/model/version, `request` holds `gateways` and `community`.
    """

    action: Literal["command", "push_profile"]
    target: str = Field(min_length=1, max_length=200, examples=["dev-z72blpgg5flow7sn"])
    request: dict[str, Any] = Field(examples=[{"verb": "unlock_connector", "args": {}}])
    reason: str = Field(min_length=1, max_length=300, examples=["the plug of bay 12 is stuck"])

    @model_validator(mode="after")
    def names_its_gateways(self) -> Self:
        """What it is about must be clear, as who decides has to see all of it. Raises ValueError."""
        gateways, community = self.request.get("gateways", []), self.request.get("community", "")
        if (
            not isinstance(gateways, list)
            or len(gateways) > 1000
            or not all(isinstance(each, str) for each in gateways)
        ):
            raise ValueError("request.gateways is a list of ids, 1,000 at most")
        if not isinstance(community, str):
            raise ValueError("request.community is an id")
        return self


class Approval(BaseModel):
    """Something that takes two people. `approved`: who asked may do it now, once, until `expires_ms`."""

    id: str = Field(examples=["apr-3f9a1c0d2b4e5f60"])
    action: str = Field(examples=["command"])
    target: str = Field(examples=["dev-z72blpgg5flow7sn"])
    request: dict[str, Any] = Field(examples=[{"verb": "unlock_connector", "args": {}}])
    reason: str = Field(examples=["the plug of bay 12 is stuck"])
    state: State
    asked_by: str = Field(examples=["usr-7b1c"])
    asked_by_name: str = Field(examples=["chen.wei"])
    decided_by: str = Field(examples=[""])
    decided_by_name: str = Field(examples=[""])
    created_ms: int = Field(examples=[1_790_000_000_000])
    expires_ms: int = Field(examples=[1_790_000_900_000])
    decided_ms: int | None = Field(examples=[None])


class ApprovalPage(Page):
    """A page of approvals, newest first."""

    items: list[Approval]
