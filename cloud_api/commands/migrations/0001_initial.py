"""The tables of the first release. Made by ``tortoise makemigrations``."""

# ruff: noqa: RUF012

import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="CommandRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                ("idempotency_key", fields.CharField(unique=True, max_length=200)),
                ("body_digest", fields.CharField(max_length=64)),
                ("device_id", fields.CharField(max_length=20)),
                ("gateway_id", fields.CharField(max_length=63)),
                ("external_id", fields.CharField(max_length=128)),
                ("verb", fields.CharField(max_length=60)),
                (
                    "args",
                    fields.JSONField(
                        default=dict, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                (
                    "precondition",
                    fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads),
                ),
                (
                    "before",
                    fields.JSONField(
                        default=dict, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("issuer", fields.CharField(max_length=100)),
                ("state", fields.CharField(max_length=12)),
                ("reason", fields.CharField(default="", max_length=200)),
                ("ttl_ms", fields.BigIntField()),
                ("created_ms", fields.BigIntField()),
                ("expires_ms", fields.BigIntField()),
                ("sent_ms", fields.BigIntField(null=True)),
                ("cancel_ms", fields.BigIntField(null=True)),
                ("acted_after_ms", fields.BigIntField(null=True)),
                ("effect_ms", fields.BigIntField(null=True)),
                ("confirmed_ms", fields.BigIntField(null=True)),
            ],
            options={
                "table": "command",
                "app": "commands",
                "indexes": [Index(fields=["device_id", "created_ms"]), Index(fields=["state"])],
                "pk_attr": "id",
                "table_description": "A command as it was asked for, and where it is.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TransitionRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "command",
                    fields.ForeignKeyField(
                        "commands.CommandRow",
                        source_field="command_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="transitions",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("state", fields.CharField(max_length=12)),
                ("at_ms", fields.BigIntField()),
                ("source", fields.CharField(max_length=10)),
                ("reason", fields.CharField(default="", max_length=200)),
            ],
            options={
                "table": "command_transition",
                "app": "commands",
                "pk_attr": "id",
                "table_description": "One step of a command. source: cloud, gateway, device or telemetry.",
            },
            bases=["Model"],
        ),
    ]
