"""Commands, in JSON."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from cloud_api.commands.models import CommandRow, TransitionRow
from cloud_api.commands.states import State, shown
from cloud_api.pages import Page

StateWord = Literal[
    "queued",
    "sent",
    "received",
    "executing",
    "succeeded",
    "failed",
    "rejected",
    "expired",
    "cancelled",
    "unknown",
    "confirmed",
]


class PreconditionBody(BaseModel, extra="forbid"):
    """What must hold at the gateway at the moment of acting: the latest value of a metric of the same device."""

    metric: str = Field(examples=["vehicle_present"])
    equals: bool | int | float | str = Field(examples=[False])
    age_ms_max: int = Field(60_000, ge=0, le=86_400_000)


class SelectionBody(BaseModel, extra="forbid"):
    """What a device is about to be told."""

    verb: str = Field(examples=["open_barrier"])
    args: dict[str, Any] = Field({}, examples=[{}])


class Selection(BaseModel):
    """A device selected for one order, by one person, until `expires_ms`. `value`: what it said last of `metric`, which the
    verb changes; it must not have changed when the order is given. `second_person`: an approval is needed as well."""

    id: str = Field(examples=["sel-3f9a1c0d2b4e5f60"])
    device_id: str = Field(examples=["dev-z72blpgg5flow7sn"])
    verb: str = Field(examples=["open_barrier"])
    args: dict[str, Any] = Field(examples=[{}])
    metric: str = Field(examples=["barrier_state"])
    value: bool | int | float | str | None = Field(examples=["closed"])
    second_person: bool
    expires_ms: int = Field(examples=[1_790_000_030_000])


class CommandBody(BaseModel, extra="forbid"):
    """What is asked of a device. Without `ttl_ms` the verb's own time to live holds.

    `selection`: of a verb that is safety-relevant; `approval`: of one that takes a second person.
    """

    verb: str = Field(examples=["set_current_limit"])
    args: dict[str, Any] = Field({}, examples=[{"current": 10}])
    ttl_ms: int | None = Field(None, ge=1_000, le=86_400_000, examples=[60_000])
    precondition: PreconditionBody | None = None
    selection: str | None = Field(None, max_length=40, examples=["sel-3f9a1c0d2b4e5f60"])
    approval: str | None = Field(None, max_length=40, examples=[None])


class Transition(BaseModel):
    """A step of a command, when it was taken, and on whose word."""

    state: StateWord
    at_ms: int = Field(examples=[1_790_000_000_000])
    source: Literal["cloud", "gateway", "device", "telemetry"]
    reason: str = Field(examples=[""])


class Command(BaseModel):
    """A command and every step it has taken. `confirmed` means that telemetry shows the effect."""

    id: str = Field(examples=["cmd-3f9a1c0d2b4e5f60"])
    device_id: str = Field(examples=["dev-z72blpgg5flow7sn"])
    verb: str = Field(examples=["set_current_limit"])
    args: dict[str, Any] = Field(examples=[{"current": 10}])
    state: StateWord
    reason: str = Field(examples=[""])
    ttl_ms: int = Field(examples=[60_000])
    issuer: str = Field(examples=["local"])
    created_ms: int = Field(examples=[1_790_000_000_000])
    expires_ms: int = Field(examples=[1_790_000_060_000])
    confirmed_ms: int | None = Field(examples=[None])
    transitions: list[Transition]


class CommandPage(Page):
    """A page of commands, newest first."""

    items: list[Command]


def in_json(row: CommandRow, steps: list[TransitionRow]) -> Command:
    """A command in JSON, from its row and its transitions in the order in which they were taken."""
    return Command.model_validate(
        {
            "id": row.id,
            "device_id": row.device_id,
            "verb": row.verb,
            "args": row.args,
            "state": shown(State(row.state)),
            "reason": row.reason,
            "ttl_ms": row.ttl_ms,
            "issuer": row.issuer,
            "created_ms": row.created_ms,
            "expires_ms": row.expires_ms,
            "confirmed_ms": row.confirmed_ms,
            "transitions": [
                {"state": shown(State(step.state)), "at_ms": step.at_ms, "source": step.source, "reason": step.reason}
                for step in steps
            ],
        }
    )
