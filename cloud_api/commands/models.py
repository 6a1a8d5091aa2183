"""The tables of commands: one row a command, one a transition. Times are ms UTC."""

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class CommandRow(Model):
    """A command as it was asked for, and where it is.

    state           cloud_api.commands.states.State
    body_digest     of what was asked, to tell a repetition from another command under the same key
    sent_ms         when it was first given to the broker; null before
    acted_after_ms  the gateway's own clock at its first word on it: the effect must be later than this
    effect_ms       the gateway's receive time of the last sample that showed the effect; null before
    before          the effect metric's value when the command was accepted, as {"value": ...}
    """

    id = fields.CharField(max_length=40, primary_key=True)
    idempotency_key = fields.CharField(max_length=200, unique=True)
    body_digest = fields.CharField(max_length=64)
    device_id = fields.CharField(max_length=20)
    gateway_id = fields.CharField(max_length=63)
    external_id = fields.CharField(max_length=128)
    verb = fields.CharField(max_length=60)
    args: Any = fields.JSONField(default=dict)
    precondition: Any = fields.JSONField(null=True)
    before: Any = fields.JSONField(default=dict)
    issuer = fields.CharField(max_length=100)
    state = fields.CharField(max_length=12)
    reason = fields.CharField(max_length=200, default="")
    ttl_ms = fields.BigIntField()
    created_ms = fields.BigIntField()
    expires_ms = fields.BigIntField()
    sent_ms = fields.BigIntField(null=True)
    cancel_ms = fields.BigIntField(null=True)
    acted_after_ms = fields.BigIntField(null=True)
    effect_ms = fields.BigIntField(null=True)
    confirmed_ms = fields.BigIntField(null=True)
    transitions: fields.ReverseRelation["TransitionRow"]

    class Meta:
        table = "command"
        indexes = (Index(fields=("device_id", "created_ms")), Index(fields=("state",)))


class TransitionRow(Model):
    """One step of a command. source: cloud, gateway, device or telemetry."""

    id = fields.BigIntField(primary_key=True)
    command: fields.ForeignKeyRelation[CommandRow] = fields.ForeignKeyField(
        "commands.CommandRow", related_name="transitions", on_delete=fields.OnDelete.CASCADE
    )
    state = fields.CharField(max_length=12)
    at_ms = fields.BigIntField()
    source = fields.CharField(max_length=10)
    reason = fields.CharField(max_length=200, default="")

    class Meta:
        table = "command_transition"


class SelectionRow(Model):
    """A device that somebody means to tell something dangerous, for a short while.

    seen     the effect metric's value then, as {"value": ..., "fresh": ...}; value null when it was not known
    used_ms  null until it was used, which it can be once
    """

    id = fields.CharField(max_length=40, primary_key=True)
    device_id = fields.CharField(max_length=20)
    verb = fields.CharField(max_length=60)
    args: Any = fields.JSONField(default=dict)
    seen: Any = fields.JSONField(default=dict)
    actor = fields.CharField(max_length=100)
    created_ms = fields.BigIntField()
    expires_ms = fields.BigIntField()
    used_ms = fields.BigIntField(null=True)

    class Meta:
        table = "selection"
