"""The table of approvals. Times are ms UTC."""

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class ApprovalRow(Model):
    """Something that takes two people: what the first asked for, and what the second said.

    action, target, request  what may be done, exactly; digest is over these
    state       waiting, approved, refused
    decided_by  the second person
    used_ms     null until it was done, which it may be once
    """

    id = fields.CharField(max_length=40, primary_key=True)
    action = fields.CharField(max_length=40)
    target = fields.CharField(max_length=200)
    request: Any = fields.JSONField(default=dict)
    digest = fields.CharField(max_length=64)
    reason = fields.CharField(max_length=300)
    state = fields.CharField(max_length=10)
    asked_by = fields.CharField(max_length=100)
    decided_by = fields.CharField(max_length=100, default="")
    created_ms = fields.BigIntField()
    expires_ms = fields.BigIntField()
    decided_ms = fields.BigIntField(null=True)
    used_ms = fields.BigIntField(null=True)

    class Meta:
        table = "approval"
        indexes = (Index(fields=("created_ms", "id")),)
