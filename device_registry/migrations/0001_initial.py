"""The tables of the first release. Made by ``tortoise makemigrations``."""

# ruff: noqa: RUF012, E501

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
            name="Community",
            fields=[
                ("name_zh", fields.CharField(max_length=200)),
                ("name_en", fields.CharField(max_length=200)),
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=63)),
                ("created_ms", fields.BigIntField()),
            ],
            options={
                "table": "community",
                "app": "registry",
                "pk_attr": "id",
                "table_description": "A residential community: what a property manager runs.",
            },
            bases=["Named"],
        ),
        ops.CreateModel(
            name="Desired",
            fields=[
                ("gateway_id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=63)),
                ("version", fields.BigIntField()),
                (
                    "devices",
                    fields.JSONField(
                        default=list, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("changed_ms", fields.BigIntField()),
            ],
            options={
                "table": "desired",
                "app": "registry",
                "pk_attr": "gateway_id",
                "table_description": "The desired state of one gateway, as it is published. The version grows by one with each change.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Facility",
            fields=[
                ("name_zh", fields.CharField(max_length=200)),
                ("name_en", fields.CharField(max_length=200)),
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=80)),
                (
                    "community",
                    fields.ForeignKeyField(
                        "registry.Community",
                        source_field="community_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="facilities",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("kind", fields.CharField(max_length=20)),
                ("created_ms", fields.BigIntField()),
            ],
            options={
                "table": "facility",
                "app": "registry",
                "pk_attr": "id",
                "table_description": "One facility of a community: a car park, the charging piles, the bins, a building's services.",
            },
            bases=["Named"],
        ),
        ops.CreateModel(
            name="Gateway",
            fields=[
                ("name_zh", fields.CharField(max_length=200)),
                ("name_en", fields.CharField(max_length=200)),
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=63)),
                (
                    "community",
                    fields.ForeignKeyField(
                        "registry.Community",
                        source_field="community_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="gateways",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("created_ms", fields.BigIntField()),
                ("reported_version", fields.BigIntField(default=0)),
                ("reported_reason", fields.CharField(default="", max_length=200)),
                ("reported_ms", fields.BigIntField(default=0)),
            ],
            options={
                "table": "gateway",
                "app": "registry",
                "pk_attr": "id",
                "table_description": "A gateway, and what it last said of itself.",
            },
            bases=["Named"],
        ),
        ops.CreateModel(
            name="Device",
            fields=[
                ("name_zh", fields.CharField(max_length=200)),
                ("name_en", fields.CharField(max_length=200)),
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=20)),
                (
                    "community",
                    fields.ForeignKeyField(
                        "registry.Community",
                        source_field="community_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="devices",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "facility",
                    fields.ForeignKeyField(
                        "registry.Facility",
                        source_field="facility_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="devices",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "gateway",
                    fields.ForeignKeyField(
                        "registry.Gateway",
                        source_field="gateway_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="devices",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("external_id", fields.CharField(max_length=128)),
                ("kind", fields.CharField(max_length=20)),
                ("profile", fields.CharField(max_length=120)),
                ("profile_version", fields.IntField()),
                (
                    "verbs",
                    fields.JSONField(
                        default=list, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                (
                    "parameters",
                    fields.JSONField(
                        default=dict, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("status", fields.CharField(max_length=10)),
                ("named_by", fields.CharField(default="source", max_length=10)),
                ("first_seen_ms", fields.BigIntField()),
                ("seen_ms", fields.BigIntField()),
                ("adopted_ms", fields.BigIntField(null=True)),
            ],
            options={
                "table": "device",
                "app": "registry",
                "unique_together": (("gateway", "external_id"),),
                "indexes": [Index(fields=["community_id", "kind"])],
                "pk_attr": "id",
                "table_description": "A device and its source: the gateway and the id by which that gateway knows it.",
            },
            bases=["Named"],
        ),
        ops.CreateModel(
            name="Profile",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("profile", fields.CharField(max_length=120)),
                ("version", fields.IntField()),
                ("kind", fields.CharField(max_length=20)),
                ("first_seen_ms", fields.BigIntField()),
            ],
            options={
                "table": "profile",
                "app": "registry",
                "unique_together": (("profile", "version"),),
                "pk_attr": "id",
                "table_description": "A version of a device profile that some gateway has reported.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Sighting",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("gateway_id", fields.CharField(max_length=63)),
                ("external_id", fields.CharField(max_length=128)),
                ("profile", fields.CharField(max_length=120)),
                ("profile_version", fields.IntField()),
                ("kind", fields.CharField(max_length=20)),
                (
                    "verbs",
                    fields.JSONField(
                        default=list, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("name", fields.CharField(max_length=200)),
                ("seen_ms", fields.BigIntField()),
            ],
            options={
                "table": "sighting",
                "app": "registry",
                "unique_together": (("gateway_id", "external_id"),),
                "pk_attr": "id",
                "table_description": "A device seen by a gateway that the registry does not know yet, kept until it does.",
            },
            bases=["Model"],
        ),
    ]
