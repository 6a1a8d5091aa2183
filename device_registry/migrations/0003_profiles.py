"""Profiles that travel: versions, which gateway is to have which, what was refused, and which messages were recovered."""

# ruff: noqa: RUF012

import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

_JSON = functools.partial(fields.JSONField, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads)


class Migration(migrations.Migration):
    dependencies = [("registry", "0002_place")]

    operations = [
        ops.CreateModel(
            name="ProfileVersion",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("profile", fields.CharField(max_length=120)),
                ("version", fields.IntField()),
                ("kind", fields.CharField(max_length=20)),
                ("name_zh", fields.CharField(max_length=200)),
                ("name_en", fields.CharField(max_length=200)),
                ("document", fields.TextField(unique=False)),
                ("created_ms", fields.BigIntField()),
            ],
            options={
                "table": "profile_version",
                "app": "registry",
                "unique_together": (("profile", "version"),),
                "pk_attr": "id",
                "table_description": "A version of a profile that people have written for their devices. It never changes.",
            },
            bases=["Named"],
        ),
        ops.CreateModel(
            name="Recovery",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("gateway_id", fields.CharField(max_length=63)),
                ("topic", fields.CharField(max_length=256)),
                ("profile", fields.CharField(max_length=120)),
                ("profile_version", fields.IntField()),
                ("still", fields.IntField()),
                ("at_ms", fields.BigIntField()),
            ],
            options={
                "table": "recovery",
                "app": "registry",
                "unique_together": (("gateway_id", "topic"),),
                "pk_attr": "id",
                "table_description": "The last time that refused messages of a topic were read after all.",
            },
            bases=["Model"],
        ),
        ops.AddField(model_name="Desired", name="profiles", field=_JSON(default=dict, db_default={})),
        ops.AddField(model_name="Gateway", name="refused", field=_JSON(default=dict, db_default={})),
    ]
