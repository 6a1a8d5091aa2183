"""The table of selections."""

# ruff: noqa: RUF012

import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("commands", "0001_initial")]

    initial = False

    operations = [
        ops.CreateModel(
            name="SelectionRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                ("device_id", fields.CharField(max_length=20)),
                ("verb", fields.CharField(max_length=60)),
                (
                    "args",
                    fields.JSONField(
                        default=dict, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                (
                    "seen",
                    fields.JSONField(
                        default=dict, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("actor", fields.CharField(max_length=100)),
                ("created_ms", fields.BigIntField()),
                ("expires_ms", fields.BigIntField()),
                ("used_ms", fields.BigIntField(null=True)),
            ],
            options={
                "table": "selection",
                "app": "commands",
                "pk_attr": "id",
                "table_description": "A device that somebody means to tell something dangerous, for a short while.",
            },
            bases=["Model"],
        ),
    ]
