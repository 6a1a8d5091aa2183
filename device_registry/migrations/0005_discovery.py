"""Topics that no profile reads, and those that were bound to a device."""

# ruff: noqa: RUF012

import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

_JSON = functools.partial(fields.JSONField, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads)


class Migration(migrations.Migration):
    dependencies = [("registry", "0004_charging")]

    operations = [
        ops.CreateModel(
            name="Discovery",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("gateway_id", fields.CharField(max_length=63)),
                ("topic", fields.CharField(max_length=256)),
                ("status", fields.CharField(max_length=10, default="open")),
                ("device_id", fields.CharField(max_length=20, default="")),
                ("count", fields.BigIntField()),
                ("size_bytes", fields.BigIntField()),
                ("head", fields.BinaryField()),
                ("proposals", _JSON(default=list)),
                ("first_ms", fields.BigIntField()),
                ("at_ms", fields.BigIntField()),
            ],
            options={
                "table": "discovery",
                "app": "registry",
                "unique_together": (("gateway_id", "topic"),),
                "pk_attr": "id",
                "table_description": "A topic that a gateway's profiles do not read, as the gateway last told of it.",
            },
            bases=["Model"],
        ),
        ops.AddField(model_name="Device", name="topics", field=_JSON(default=list, db_default=[])),
    ]
