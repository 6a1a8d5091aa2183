"""The table of approvals."""

# ruff: noqa: RUF012

import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="ApprovalRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                ("action", fields.CharField(max_length=40)),
                ("target", fields.CharField(max_length=200)),
                (
                    "request",
                    fields.JSONField(
                        default=dict, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("digest", fields.CharField(max_length=64)),
                ("reason", fields.CharField(max_length=300)),
                ("state", fields.CharField(max_length=10)),
                ("asked_by", fields.CharField(max_length=100)),
                ("decided_by", fields.CharField(default="", max_length=100)),
                ("created_ms", fields.BigIntField()),
                ("expires_ms", fields.BigIntField()),
                ("decided_ms", fields.BigIntField(null=True)),
                ("used_ms", fields.BigIntField(null=True)),
            ],
            options={
                "table": "approval",
                "app": "approvals",
                "indexes": [Index(fields=["created_ms", "id"])],
                "pk_attr": "id",
                "table_description": "Something that takes two people: what the first asked for, and what the second said.",
            },
            bases=["Model"],
        ),
    ]
